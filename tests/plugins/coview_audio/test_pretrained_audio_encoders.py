"""Sound models of transformers and torchaudio, made small here: their own features, and padding changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torchaudio
import transformers

import coview
from coview.plugins.parameters import Parameters
from coview.testing import check_encoder
from coview_audio.encoders.hf import hf_audio_encoder
from coview_audio.encoders.torchaudio import TorchaudioEncoder, torchaudio_encoder
from coview_audio.encoders.torchaudio_bundle import usable_bundles
from coview_audio.modality import AudioModality
from coview_audio.sound import Sound

TINY = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
CONV = {
    "conv_dim": [8, 8], "conv_kernel": [10, 8], "conv_stride": [5, 4], "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2,
}  # fmt: skip
LAYER = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}
CONFIGS = {
    "wav2vec2": lambda: transformers.Wav2Vec2Config(**TINY, **CONV),
    "wav2vec2-layer": lambda: transformers.Wav2Vec2Config(**TINY, **CONV, **LAYER, conv_bias=True),
    "hubert": lambda: transformers.HubertConfig(**TINY, **CONV),
    "hubert-layer": lambda: transformers.HubertConfig(**TINY, **CONV, **LAYER),
    "wavlm": lambda: transformers.WavLMConfig(**TINY, **CONV),
    "wavlm-layer": lambda: transformers.WavLMConfig(**TINY, **CONV, **LAYER),
    "whisper": lambda: transformers.WhisperConfig(
        d_model=16, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=32, decoder_layers=1,
        decoder_attention_heads=2, decoder_ffn_dim=32, max_source_positions=100, num_mel_bins=20, vocab_size=60,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
    ),
    "ast": lambda: transformers.ASTConfig(**TINY, max_length=64, num_mel_bins=32),
    "bert": lambda: transformers.BertConfig(**TINY, vocab_size=50),
}  # fmt: skip
SEES_HIDDEN = {
    "wav2vec2": "its group norm is over all of a sound",
    "hubert": "its group norm is over all of a sound",
    "wavlm": "its group norm is over all of a sound",
    "wav2vec2-layer": "a sound is standardised as a whole",
    "hubert-layer": "a sound is standardised as a whole",
    "wavlm-layer": "a sound is standardised as a whole",
}
SOUNDS = tuple(name for name in CONFIGS if name != "bert")


def sounds() -> list[Sound]:
    rng = np.random.default_rng(0)
    return [Sound((0.1 * rng.standard_normal(n)).astype(np.float32), 16000) for n in (9000, 4001, 4001, 100)]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    for name, config in CONFIGS.items():
        transformers.AutoModel.from_config(config()).save_pretrained(folder / name)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=False).save_pretrained(folder / "wavlm")
    return folder


@pytest.mark.parametrize("name", SOUNDS)
def test_keeps_the_contract(models, name):
    excepted = {"does_not_see_what_is_hidden": SEES_HIDDEN[name]} if name in SEES_HIDDEN else None
    check_encoder(hf_audio_encoder(str(models / name)), AudioModality(), sounds(), except_for=excepted)


@pytest.mark.parametrize("name", SOUNDS)
def test_gives_what_transformers_own_extractor_and_model_give(models, name):
    encoder = hf_audio_encoder(str(models / name))().eval()
    value = sounds()[1]
    reference = transformers.AutoModel.from_pretrained(models / name).eval()
    if name == "whisper":
        extractor = transformers.WhisperFeatureExtractor(feature_size=20, chunk_length=2)
        reference = reference.encoder
    elif name == "ast":
        extractor = transformers.ASTFeatureExtractor(max_length=64, num_mel_bins=32)
    else:
        extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=name != "wavlm")
    prepared = extractor(value.samples_T, sampling_rate=16000, return_tensors="pt")
    prepared.pop("attention_mask", None)
    with torch.no_grad():
        last = reference(**prepared).last_hidden_state
        encoding = encoder(AudioModality().collate([value]))
    real = {"whisper": last[:, :13], "ast": last[:, 2:]}.get(name, last)  # 4001 samples are 12.5 frames of 320
    assert torch.allclose(encoding.pooled_ND, real.mean(1), atol=1e-5)


def test_pooling_by_the_class_token(models):
    encoder = hf_audio_encoder(str(models / "ast"))(pooling="cls").eval()
    assert encoder(AudioModality().collate(sounds())).pooled_ND.shape == (4, 16)
    with pytest.raises(ValueError, match="no class token"):
        hf_audio_encoder(str(models / "hubert"))(pooling="cls")


@pytest.mark.parametrize("name", SOUNDS)
def test_training_draws_nothing_from_numpy_and_exports(models, name, tmp_path):
    encoder = hf_audio_encoder(str(models / name))()
    before = np.random.get_state()
    batch = AudioModality().collate([Sound(np.ones(20000, dtype=np.float32), 16000)] * 2)
    encoder(batch)
    assert np.array_equal(np.random.get_state()[1], before[1])
    assert np.random.get_state()[2] == before[2]
    lines = encoder.export_hf(tmp_path)
    scope = {"sounds": [sounds()[0].samples_T]}
    exec(
        lines.replace(
            "return_tensors='pt'", "return_tensors='pt'" + (", max_length=32000" if name == "whisper" else "")
        ),
        scope,
    )
    assert scope["output"].last_hidden_state.shape[2] == 16


def test_without_pretrained_the_weights_are_others(models):
    one, other = (hf_audio_encoder(str(models / "hubert"))(pretrained=flag) for flag in (True, False))
    same = [torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True) if a.ndim > 1]
    assert not all(same)


def test_a_model_of_texts_is_refused(models):
    with pytest.raises(ValueError, match="takes texts, not waveforms"):
        hf_audio_encoder(str(models / "bert"))()


def test_another_sample_rate_is_refused(models):
    encoder = hf_audio_encoder(str(models / "hubert"))()
    with pytest.raises(coview.CoviewError, match="16000 Hz"):
        encoder(AudioModality(sample_rate=8000).collate(sounds()))


def test_what_is_neither_a_folder_nor_a_hub_id(tmp_path):
    for name, message in (("./gone", "no such folder"), ("a b", "owner/name"), (str(tmp_path), "no config.json")):
        with pytest.raises(LookupError, match=message):
            hf_audio_encoder(name)
    (tmp_path / "config.json").write_text("{not json")
    with pytest.raises(coview.CoviewError, match="cannot be loaded"):
        hf_audio_encoder(str(tmp_path))()


def tiny_bundle(name: str):
    bundle = usable_bundles()[name]
    sizes = {
        "extractor_conv_layer_config": [(8, 10, 5), (8, 8, 4)], "encoder_embed_dim": 16, "encoder_num_layers": 2,
        "encoder_num_heads": 2, "encoder_ff_interm_features": 32, "encoder_pos_conv_kernel": 16,
        "encoder_pos_conv_groups": 2,
    }  # fmt: skip
    return type(bundle)(
        _path="none.pth",
        _params={**bundle._params, **sizes},
        _sample_rate=bundle._sample_rate,
        _normalize_waveform=bundle._normalize_waveform,
        _model_type=bundle._model_type,
    )


@pytest.mark.parametrize("name", ["WAV2VEC2_BASE", "HUBERT_LARGE", "WAVLM_BASE"])
def test_torchaudios_networks_keep_the_contract(name):
    bundle = tiny_bundle(name)

    def factory(**parameters):
        return TorchaudioEncoder(bundle, pretrained=False, **parameters)

    check_encoder(factory, AudioModality(), sounds())


def test_torchaudios_features_are_its_own():
    bundle = tiny_bundle("WAV2VEC2_BASE")
    encoder = TorchaudioEncoder(bundle, pretrained=False).eval()
    reference = torchaudio.models.wav2vec2_model(**bundle._params).eval()
    reference.load_state_dict(encoder.model.state_dict())
    value = sounds()[0]
    with torch.no_grad():
        features = reference.extract_features(torch.from_numpy(value.samples_T)[None])[0][-1]
        found = encoder(AudioModality().collate([value])).pooled_ND
    assert torch.allclose(found, features.mean(1), atol=1e-5)


def test_torchaudios_bundles_are_listed_and_built_without_weights():
    assert {"WAV2VEC2_BASE", "HUBERT_XLARGE", "WAVLM_LARGE"} <= set(usable_bundles())
    assert not any("ASR" in name for name in usable_bundles())
    with pytest.raises(LookupError, match='did you mean "WAV2VEC2_BASE"'):
        torchaudio_encoder("wav2vec2_base")
    for name in usable_bundles():
        factory = torchaudio_encoder(name)
        assert Parameters.of(factory, "encoder").check({"pretrained": False}) == []
        with torch.device("meta"):
            encoder = factory(pretrained=False)
        assert encoder.width == usable_bundles()[name]._params["encoder_embed_dim"]


def test_weights_that_cannot_be_had_are_the_users_to_mend():
    with pytest.raises(coview.CoviewError, match="neither be found in the cache nor downloaded") as caught:
        TorchaudioEncoder(tiny_bundle("WAV2VEC2_BASE"))
    assert "pretrained = false" in caught.value.hint
