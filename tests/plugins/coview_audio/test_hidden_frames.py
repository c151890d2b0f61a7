"""Hidden frames of wav2vec 2.0 and its like: what transformers makes of them by itself, and what the frames are of."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
import torch
import transformers

import coview
from coview_audio.encoders.hf import hf_audio_encoder
from coview_audio.modality import AudioModality
from coview_audio.sound import Sound

TINY = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
CONV = {
    "conv_dim": [8, 8], "conv_kernel": [10, 8], "conv_stride": [5, 4], "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2,
}  # fmt: skip
DRY = {
    "hidden_dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0, "feat_proj_dropout": 0.0,
    "mask_feature_prob": 0.5, "mask_feature_length": 2,
}  # fmt: skip
LAYER = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}
ALL = TINY | CONV | DRY
CONFIGS = {
    "wav2vec2": lambda: transformers.Wav2Vec2Config(**ALL),
    "wav2vec2-layer": lambda: transformers.Wav2Vec2Config(**ALL, **LAYER),
    "hubert": lambda: transformers.HubertConfig(**ALL),
    "hubert-layer": lambda: transformers.HubertConfig(**ALL, **LAYER),
    "wavlm-layer": lambda: transformers.WavLMConfig(**ALL, **LAYER),
}
LENGTHS = (2500, 1201, 1201, 100)


def sounds(lengths=LENGTHS):
    rng = np.random.default_rng(0)
    return [Sound((0.1 * rng.standard_normal(n)).astype(np.float32), 16000) for n in lengths]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    for name, config in CONFIGS.items():
        transformers.AutoModel.from_config(config()).save_pretrained(folder / name)
    for name, config in {
        "unmasked": transformers.HubertConfig(**(ALL | {"mask_feature_prob": 0.0}), mask_time_prob=0.0),
        "adapter": transformers.Wav2Vec2Config(**ALL, add_adapter=True, num_adapter_layers=1),
        "ast": transformers.ASTConfig(**TINY, max_length=64, num_mel_bins=32),
        "whisper": transformers.WhisperConfig(
            d_model=16, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=32, decoder_layers=1,
            decoder_attention_heads=2, decoder_ffn_dim=32, max_source_positions=100, num_mel_bins=20, vocab_size=60,
            pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
        ),
    }.items():  # fmt: skip
        transformers.AutoModel.from_config(config).save_pretrained(folder / name)
    return folder


def made(models, name):
    return hf_audio_encoder(str(models / name))()


def masked(encoder, batch, share=0.4):
    layout = encoder.token_layout(batch)
    drawn = torch.rand(layout.real_NT.shape, generator=torch.Generator().manual_seed(1))
    hidden = (drawn < share) & layout.maskable_NT
    return coview.TokenMask(layout, hidden, hidden, hidden[:, None], "replace")


@pytest.mark.parametrize("name", CONFIGS)
def test_it_is_what_transformers_makes_of_each_sound_alone(models, name):
    """In training too, where transformers would hide features at random besides."""
    encoder = made(models, name).train()
    reference = transformers.AutoModel.from_pretrained(models / name, mask_feature_prob=0.0, layerdrop=0.0).train()
    assert reference.config.apply_spec_augment
    batch = AudioModality().collate(sounds())
    mask = masked(encoder, batch)
    found = encoder.encode_tokens(batch, mask, layers=2)
    for row, sound in enumerate(sounds()):
        x = np.pad(sound.samples_T, (0, max(0, 400 - len(sound))))
        x = transformers.Wav2Vec2FeatureExtractor()(x, sampling_rate=16000, return_tensors="pt")["input_values"]
        frames = int(reference._get_feat_extract_output_lengths(torch.tensor(x.shape[1])))
        layers = []
        hooks = [
            layer.register_forward_hook(
                lambda _, __, y, layers=layers: layers.append(y[0] if isinstance(y, tuple) else y)
            )
            for layer in reference.encoder.layers
        ]
        expected = reference(x, mask_time_indices=mask.hidden_NT[row : row + 1, :frames]).last_hidden_state
        for hook in hooks:
            hook.remove()
        assert mask.layout.real_NT[row].sum() == frames
        torch.testing.assert_close(found.tokens_NTD[row, :frames], expected[0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(found.pooled_ND[row], expected[0].mean(0), atol=1e-5, rtol=1e-4)
        for mine, theirs in zip(found.layers_LNTD, layers, strict=True):
            torch.testing.assert_close(mine[row, :frames], theirs[0], atol=1e-5, rtol=1e-4)
    seen = encoder.encode_tokens(batch, None)
    assert (seen.tokens_NTD - found.tokens_NTD).abs().max() > 1e-3
    assert not encoder.model.config.apply_spec_augment, "what transformers masks by itself stays off"
    assert encoder.model.config.mask_feature_prob == 0.5


@pytest.mark.parametrize("name", CONFIGS)
def test_without_a_mask_it_is_forward_and_more_padding_changes_nothing(models, name):
    encoder = made(models, name).eval()
    batch = AudioModality().collate(sounds())
    padded = {**batch, "waveform_NT": torch.nn.functional.pad(batch["waveform_NT"], (0, 777))}
    assert encoder.encode_tokens(batch, None).tokens_NTD.equal(encoder(batch).tokens_NTD)
    real = encoder.token_layout(batch).real_NT
    T = real.shape[1]
    for one, hidden in ((batch, masked(encoder, batch)), (padded, None)):
        layout, values = encoder.token_layout(one), encoder.token_values(one)
        tokens = encoder.encode_tokens(one, hidden).tokens_NTD
        assert tokens.shape[:2] == values.shape[:2] == layout.real_NT.shape
        assert layout.real_NT[:, :T].equal(real)
        assert not layout.real_NT[:, T:].any()
    values = encoder.token_values(batch)[real]
    torch.testing.assert_close(encoder.token_values(padded)[:, :T][real], values)
    hidden = masked(encoder, batch)
    wide = encoder.token_layout(padded).real_NT.shape[1]
    more = torch.nn.functional.pad(hidden.hidden_NT, (0, wide - T))
    other = coview.TokenMask(encoder.token_layout(padded), more, more, more[:, None], "replace")
    found = encoder.encode_tokens(padded, other).tokens_NTD[:, :T][real]
    torch.testing.assert_close(found, encoder.encode_tokens(batch, hidden).tokens_NTD[real], atol=1e-5, rtol=1e-4)
    # a part of the batch, as the gradient cache takes it, keeps the mask's width
    part = {key: value[1:3] for key, value in batch.items()}
    two = hidden.map_tensors(lambda x: x[1:3])
    found = encoder.encode_tokens(part, two).tokens_NTD
    assert found.shape[1] == T
    torch.testing.assert_close(found[real[1:3]], encoder.encode_tokens(batch, hidden).tokens_NTD[1:3][real[1:3]])


@pytest.mark.parametrize("name", ["wav2vec2", "hubert-layer"])
def test_the_models_own_vector_is_trained_with_a_mask_alone(models, name):
    encoder = made(models, name).eval()
    batch = AudioModality().collate(sounds())
    mask = masked(encoder, batch)
    assert not encoder.model.masked_spec_embed.requires_grad
    encoder.train_mask_token()
    vector = encoder.model.masked_spec_embed
    weights = torch.randn(int(mask.hidden_NT.sum()), 16, generator=torch.Generator().manual_seed(3))

    def loss():
        return (encoder.encode_tokens(batch, mask).tokens_NTD[mask.hidden_NT] * weights).sum()

    loss().backward()
    step = torch.randn(vector.shape, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        vector += 1e-2 * step
        above = loss()
        vector -= 2e-2 * step
        below = loss()
    assert ((above - below) / 2e-2).item() == pytest.approx((vector.grad @ step).item(), rel=0.05)


@pytest.mark.parametrize("name", ["unmasked", "adapter", "ast", "whisper"])
def test_who_takes_no_mask_says_so(models, name):
    encoder = made(models, name)
    assert encoder.hides == ()
    assert encoder.value_width == 0


def test_values_are_the_log_mel_of_the_samples_that_a_frame_sees(models):
    """A click in the middle of what one frame sees is loudest there; each column by itself, from its own samples."""
    encoder = made(models, "hubert")
    hop, sees, window, n_fft = 20, 10 + 7 * 5, 400, 512
    batch = AudioModality().collate(sounds((3000,)))
    values = encoder.token_values(batch)[0]
    x = np.pad(batch["waveform_NT"][0].numpy(), 1000)
    filters = encoder._values.log_mel.filters_FK.numpy()
    assert filters.shape == (80, n_fft // 2 + 1)
    assert (filters.sum(1) > 0).mean() > 0.95
    for frame in (0, 1, 50, len(values) - 1):
        start = 1000 + frame * hop + sees // 2 - window // 2
        cut = x[start : start + window] * torch.hann_window(window).numpy()
        power = np.abs(np.fft.rfft(cut, n_fft)) ** 2
        expected = (np.log(filters @ power + torch.finfo(torch.float32).eps) + 3.0) / 4.5
        np.testing.assert_allclose(values[frame].numpy(), expected, atol=2e-3)


def test_a_batch_of_sounds_shorter_than_a_frame_has_values(models):
    encoder = made(models, "hubert")
    batch, longer = (AudioModality().collate(sounds((n, n))) for n in (1, 400))
    assert encoder.token_values(batch).shape == encoder.token_values(longer).shape
    assert encoder.token_values(batch).shape[:2] == encoder.token_layout(batch).real_NT.shape


RECIPE = """\
schema = 1
name = "sounds"
seed = 1

[data]
use = "audio_folder"
root = "{root}"
views = 1
workers = 0

[encoder]
use = "hf:{model}"

[mask]
use = "span"
ratio = 0.5
length = 5

[decoder]
use = "linear"

{target}

[optimizer]
use = "adamw"
lr = 1e-3

[train]
steps = 3
batch_size = 4
precision = "fp32"
device = "cpu"
"""


def test_frames_are_drawn_as_columns_of_their_bands(models):
    encoder = made(models, "wav2vec2")
    assert isinstance(encoder, coview.DrawsTokens)
    batch = AudioModality().collate(sounds())
    layout = encoder.token_layout(batch).map_tensors(lambda tensor: tensor[1:2])
    values = encoder.token_values(batch)[1:2]
    drawn = encoder.draw_tokens(values, layout, AudioModality())
    frames, real = layout.shape[0], int(layout.real_NT.sum())
    assert drawn.pixels_SHW3.shape == (1, 80, 2 * frames, 3)
    assert (drawn.token_HW == np.arange(frames).repeat(2)).all()
    brightness = drawn.pixels_SHW3[0].astype(int).sum(-1)[::-1]  # the lowest band first
    for frame in range(real):
        assert np.array_equal(brightness[:, 2 * frame], brightness[:, 2 * frame + 1])
        loud = values[0, frame].numpy()
        assert brightness[loud.argmax(), 2 * frame] == brightness[:, 2 * frame].max()
        assert (np.diff(brightness[np.argsort(loud), 2 * frame]) >= -2).all(), "the louder, the brighter"


TARGETS = {
    "data2vec": """\
[target]
use = "teacher_tokens"
layers = 2
normalise = "instance"

[teacher]
momentum = 0.9

[loss]
use = "token_smooth_l1"
""",
    "best-rq": """\
[target]
use = "random_codebook"
codes = 16

[loss]
use = "token_cross_entropy"
""",
}


@pytest.mark.parametrize("target", TARGETS)
def test_a_short_run_goes_on_with_a_models_pretraining(models, target, write_recipe, tmp_path):
    for row, sound in enumerate(sounds((4000, 2500, 3000, 1300, 2500, 4000))):
        for split in ("train", "test"):
            path = tmp_path / "sounds" / split / "ab"[row % 2] / f"{row}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, sound.samples_T, 16000)
    text = RECIPE.format(root=tmp_path / "sounds", model=models / "wav2vec2", target=TARGETS[target])
    run = coview.run(coview.load_recipe(write_recipe(text)), tmp_path / "runs", quiet=True)
    before = transformers.AutoModel.from_pretrained(models / "wav2vec2")
    after = run.encoder.model
    assert not torch.equal(after.masked_spec_embed, before.masked_spec_embed), "the vector for hidden frames is trained"
    assert not torch.equal(after.feature_projection.projection.weight, before.feature_projection.projection.weight)
    shown = json.loads(run.folder.hidden.read_text())["views"][0]
    kind = {"data2vec": "cosine of prediction and target", "best-rq": "probability of the right class"}[target]
    assert [panel["title"] for panel in shown["panels"]] == [
        "the view", "what the encoder sees", f"{kind}: dark is 0, bright is 1",
    ]  # fmt: skip
    folder, _ = coview.export(run, out=tmp_path / "out")
    loaded = transformers.AutoModel.from_pretrained(folder)
    assert loaded.masked_spec_embed.equal(after.masked_spec_embed.cpu())
