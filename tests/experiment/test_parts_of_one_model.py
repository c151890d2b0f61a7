"""Both towers of a CLIP, a SigLIP or a CLAP: what they make is what transformers makes, before and after a run."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from torch.nn.functional import normalize

import coview
from coview.builtin.projectors import Identity, Own
from coview.experiment.trial import try_out
from coview.model.topology import build_topology
from coview.model.transformer_part import whole_model
from coview_image.modality import ImageModality
from small_clip import RATE, TEXTS, WORDS, bert, clap, clip, siglip, tokenizer


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    found = {}
    for name, make in {
        "clip": clip,
        "siglip": siglip,
        "clap": lambda: clap(False),
        "fused": lambda: clap(True),
        "bert": bert,
    }.items():
        torch.manual_seed(0)
        folder = found[name] = tmp_path_factory.mktemp("models") / name
        make().save_pretrained(folder)
        tokenizer().save_pretrained(folder)
        if name in ("clap", "fused"):
            kind = "fusion" if name == "fused" else "rand_trunc"
            transformers.ClapFeatureExtractor(
                feature_size=16,
                sampling_rate=RATE,
                hop_length=160,
                max_length_s=1,
                fft_window_size=400,
                truncation=kind,
            ).save_pretrained(folder)
    return found


def projections(registry, folder, modality, batch):
    encoder = registry.build("encoder", f"hf-clip:{folder}", modality=modality).eval()
    projector = Own(encoder.width, encoder=encoder)
    values = encoder.collate(batch) if modality == "text" else batch
    with torch.no_grad():
        z_ND = projector(encoder(values).pooled_ND)
    assert projector.width == z_ND.shape[1]
    return z_ND


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_pictures_are_projected_as_transformers_does(registry, folders, name):
    x_NCHW = torch.randn(5, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    model = transformers.AutoModel.from_pretrained(folders[name]).eval()
    with torch.no_grad():
        expected = model.get_image_features(pixel_values=x_NCHW).pooler_output
    torch.testing.assert_close(projections(registry, folders[name], "image", x_NCHW), expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", ["clip", "siglip", "clap"])
def test_texts_are_projected_as_transformers_does(registry, folders, name):
    model = transformers.AutoModel.from_pretrained(folders[name]).eval()
    tokenize = transformers.AutoTokenizer.from_pretrained(folders[name])
    # as transformers' own page on SigLIP says that it was trained
    how = {"padding": "max_length", "return_attention_mask": False} if name == "siglip" else {"padding": True}
    with torch.no_grad():
        expected = model.get_text_features(**tokenize(list(TEXTS), return_tensors="pt", **how)).pooler_output
    found = projections(registry, folders[name], "text", TEXTS)
    found = normalize(found) if name == "clap" else found  # which transformers does of CLAP's alone
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", ["clap", "fused"])
def test_sounds_are_projected_as_transformers_does(registry, folders, name):
    rng = np.random.default_rng(0)
    sounds = [rng.normal(size=size).astype(np.float32) / 8 for size in (RATE // 2, RATE // 3, RATE)]
    model = transformers.AutoModel.from_pretrained(folders[name]).eval()
    prepare = transformers.AutoFeatureExtractor.from_pretrained(folders[name])
    prepared = prepare(sounds, sampling_rate=RATE, return_tensors="pt")
    prepared["is_longer"] = torch.zeros(3, 1, dtype=torch.bool)  # which it says of one of them at random
    with torch.no_grad():
        expected = model.get_audio_features(**prepared).pooler_output
    padded = [np.pad(sound, (0, RATE - len(sound))) for sound in sounds]
    batch = {
        "waveform_NT": torch.from_numpy(np.stack(padded)),
        "lengths_N": torch.tensor([len(sound) for sound in sounds]),
        "rate_N": torch.full((3,), RATE),
    }
    before = np.random.get_state()[1].tolist()
    found = normalize(projections(registry, folders[name], "audio", batch))
    assert np.random.get_state()[1].tolist() == before
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


def test_of_a_longer_sound_the_middle_is_heard(registry, folders):
    long = torch.randn(1, 3 * RATE, generator=torch.Generator().manual_seed(0))
    batch = {"waveform_NT": long, "lengths_N": torch.tensor([3 * RATE]), "rate_N": torch.tensor([RATE])}
    middle = {**batch, "waveform_NT": long[:, RATE : 2 * RATE], "lengths_N": torch.tensor([RATE])}
    found = [projections(registry, folders["clap"], "audio", one) for one in (batch, middle)]
    assert torch.equal(*found)


def test_a_text_is_the_same_beside_longer_ones(registry, folders):
    for name in ("clip", "siglip", "clap"):
        alone = projections(registry, folders[name], "text", TEXTS[:1])
        torch.testing.assert_close(projections(registry, folders[name], "text", TEXTS)[:1], alone, atol=1e-6, rtol=1e-5)


RECIPE = """
schema = 1
name = "tuned"

[data]
use = "captioned_images"
root = "DATA"
views = 1
workers = 0

[modality.image]
size = 16

[encoder.image]
use = "hf-clip:FOLDER"

[encoder.text]
use = "hf-clip:FOLDER"

[projector.image]
use = "own"

[projector.text]
use = "own"

[loss]
LOSS

[optimizer]
use = "adamw"
lr = 1e-2

[train]
steps = 2
batch_size = 16
precision = "fp32"
device = "cpu"
"""
LOSSES = {"clip": 'use = "clip"\ntemperature = "own"', "siglip": 'use = "siglip"\nscale = "own"\nbias = "own"'}


@pytest.fixture(scope="module")
def captions(tmp_path_factory):
    """Forty squares of two colours with captions."""
    folder = tmp_path_factory.mktemp("captions")
    with (folder / "captions.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "caption"])
        for row in range(40):
            colour = ("red", "blue")[row % 2]
            pixels = np.zeros((20, 18, 3), dtype=np.uint8)
            pixels[:, :, 0 if colour == "red" else 2] = 100 + row
            Image.fromarray(pixels).save(folder / f"{row}.png")
            table.writerow([f"{row}.png", f"a {colour} square {WORDS[row % 9]}"])
    return folder


@pytest.fixture(scope="module")
def text_of(captions, folders):
    """The text of the recipe of one of the models."""

    def text_of(name, *changes):
        text = RECIPE.replace("DATA", str(captions)).replace("LOSS", LOSSES[name]).replace("FOLDER", str(folders[name]))
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        return text

    return text_of


@pytest.fixture
def recipe_of(text_of, write_recipe, registry):
    return lambda *given: coview.load_recipe(write_recipe(text_of(*given)), registry=registry)


@pytest.fixture(scope="module")
def run_of(text_of, registry, tmp_path_factory):
    """A run of each model, made once."""

    @cache
    def run_of(name):
        folder = tmp_path_factory.mktemp(name)
        (folder / "recipe.toml").write_text(text_of(name))
        recipe = coview.load_recipe(folder / "recipe.toml", registry=registry)
        return coview.run(recipe, folder / "runs", registry=registry, quiet=True)

    return run_of


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_a_run_starts_as_the_model_is_and_is_exported_as_one(
    recipe_of, run_of, folders, registry, tmp_path, call, name
):
    recipe = recipe_of(name)
    before = transformers.AutoModel.from_pretrained(folders[name])
    (term,) = build_topology(recipe, registry).loss.terms
    assert float(term.loss.log_scale.detach()) == pytest.approx(float(before.logit_scale.detach()))
    if name == "siglip":
        assert float(term.loss.bias.detach()) == -7.0
    run = run_of(name)
    done = call("export", run.path, "--to", "hf", "--out", "folder")
    assert done.status == 0, done.err
    model = transformers.AutoModel.from_pretrained("folder").eval()
    assert type(model) is type(before)
    loss = run.topology.loss.terms[0].loss
    torch.testing.assert_close(model.logit_scale.detach().squeeze(), loss.log_scale.detach())
    if name == "siglip":
        torch.testing.assert_close(model.logit_bias.detach().squeeze(), loss.bias.detach())
    x_NCHW = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    scope = {"texts": list(TEXTS), "pixel_values": x_NCHW, "pictures": [Image.new("RGB", (16, 16))]}
    code = done.out.split("\n\n", 1)[1].replace("processor(pictures, return_tensors='pt').pixel_values", "pixel_values")
    with torch.no_grad():
        exec(code, scope)
        images, texts = (run.tower(name, projector=True).eval() for name in ("image", "text"))
        own = images(x_NCHW).pooled_ND, texts(texts.collate(TEXTS)).pooled_ND
    torch.testing.assert_close(scope["image_projections"], own[0], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(scope["text_projections"], own[1], atol=1e-6, rtol=1e-5)
    changed = before.get_text_features(**scope["batch"]).pooler_output
    assert not torch.allclose(changed, own[1], atol=1e-3)
    again = projections(registry, tmp_path / "folder", "text", TEXTS)
    torch.testing.assert_close(again, own[1], atol=1e-6, rtol=1e-5)


def test_clap_is_put_together_again(registry, folders):
    encoders = {
        name: registry.build("encoder", f"hf-clip:{folders['clap']}", modality=name) for name in ("audio", "text")
    }
    weights = {}
    for encoder in encoders.values():
        weights |= encoder.weights_in_whole(Own(encoder.width, encoder=encoder))
    scale = encoders["text"].own_scale
    whole = whole_model(encoders["text"].whole_config, weights, scale.scale, scale.bias)
    expected = transformers.AutoModel.from_pretrained(folders["clap"]).state_dict()
    assert expected.keys() == whole.state_dict().keys()
    for name, tensor in whole.state_dict().items():
        torch.testing.assert_close(tensor, expected[name], msg=lambda text, name=name: f"{name}: {text}")


def test_towers_with_other_projectors_are_a_dual_encoder(recipe_of, registry, tmp_path, call):
    linear = "layers = 1\nwidth = 6\nlast_bias = false"
    run = coview.run(recipe_of("clip", ('use = "own"', linear)), tmp_path / "runs", registry=registry, quiet=True)
    done = call("export", run.path, "--to", "hf", "--out", "folder")
    assert done.status == 0, done.err
    assert "VisionTextDualEncoderModel" in done.out
    found = transformers.AutoModel.from_pretrained("folder")
    assert isinstance(found, transformers.VisionTextDualEncoderModel)


@pytest.mark.parametrize("to", ["hf", "sentence-transformers"])
@pytest.mark.parametrize("modality", ["image", "text"])
@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_each_tower_alone(run_of, tmp_path, name, modality, to):
    run = run_of(name)
    if (name, modality, to) == ("siglip", "text", "sentence-transformers"):
        with pytest.raises(coview.CoviewError, match="sentence-transformers cannot load transformers' SiglipTextModel"):
            coview.export(run, to=to, modality=modality, out=tmp_path / "folder")
        return
    _, code = coview.export(run, to=to, modality=modality, out=tmp_path / "folder")
    pictures = [np.random.default_rng(row).integers(0, 256, (16, 16, 3), dtype=np.uint8) for row in range(3)]
    scope = {"texts": list(TEXTS), "pictures": [Image.fromarray(picture) for picture in pictures]}
    encoder = run.tower(modality).eval()
    batch = encoder.collate(TEXTS) if modality == "text" else ImageModality(size=16).collate(pictures)
    with torch.no_grad():
        exec(code, scope)
        own = encoder(batch).pooled_ND
    torch.testing.assert_close(scope["features"].cpu(), own, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_a_dry_run_loads_no_weights(recipe_of, registry, name):
    try_out(recipe_of(name), registry)


def test_lora_finds_its_layers(recipe_of, registry):
    lora = '[encoder.image.lora]\nmatch = "*.self_attn.q_proj"\n\n[projector.image]'
    topology = build_topology(recipe_of("siglip", ("[projector.image]", lora)), registry)
    trained = [name for name, weight in topology.student.encoder("image").named_parameters() if weight.requires_grad]
    assert len(trained) == 4


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            [('[encoder.image]\nuse = "hf-clip:FOLDER"', '[encoder.image]\nuse = "resnet18"')],
            "has no projection of its own",
        ),
        ([('temperature = "own"', "temperature = 0.001")], "loss.temperature"),
        (
            [('[encoder.text]\nuse = "hf-clip:FOLDER"', '[encoder.text]\nuse = "hf-clip:OTHER"')],
            r"projector.*: the projections differ in width: image 8, text 24",
        ),
    ],
)
def test_what_cannot_be_is_said(recipe_of, registry, folders, changes, said):
    places = {"FOLDER": str(folders["clip"]), "OTHER": str(folders["siglip"])}
    changes = [
        [part.replace("FOLDER", places["FOLDER"]).replace("OTHER", places["OTHER"]) for part in pair]
        for pair in changes
    ]
    with pytest.raises(coview.CoviewError, match=said):
        build_topology(recipe_of("clip", *changes), registry)


def test_a_loss_without_such_encoders_has_no_scale_of_its_own(small_recipe, write_recipe, registry):
    text = small_recipe.replace('use = "nt_xent"', 'use = "clip"\ntemperature = "own"')
    recipe = coview.load_recipe(write_recipe(text), registry=registry)
    with pytest.raises(coview.CoviewError, match='temperature = "own": the encoders of this loss came with no scale'):
        build_topology(recipe, registry)


@pytest.mark.parametrize(
    ("modality", "name", "said"),
    [
        ("image", "clap", "clap is not a model of texts and of pictures of one size, but of type clap"),
        ("audio", "clip", "clip is not a model of sounds and texts, but of type clip"),
        ("text", "bert", "bert is not a model of texts and of pictures or sounds, but of type bert"),
        ("image", "bert", "bert is not a model of texts and of pictures of one size, but of type bert"),
    ],
)
def test_a_model_of_other_modalities_is_refused(registry, folders, modality, name, said):
    with pytest.raises(coview.CoviewError, match=said):
        registry.build("encoder", f"hf-clip:{folders[name]}", modality=modality)


def test_another_projector_is_none_of_the_model(registry, folders):
    encoder = registry.build("encoder", f"hf-clip:{folders['clip']}", modality="image")
    with pytest.raises(ValueError, match="its projector is not the model's own"):
        encoder.weights_in_whole(Identity(24))


def test_pictures_of_another_size_are_refused_before_training(text_of, write_recipe, call):
    done = call("run", write_recipe(text_of("clip", ("size = 16", "size = 20"))))
    assert done.status == 2
    assert "CLIPVisionModel cannot encode a batch of shape" in done.err
    assert "set size = 16 in [modality" in done.err
    assert "Traceback" not in done.err
    assert not list(Path("runs").rglob("recipe.toml"))


def test_towers_of_two_models_have_no_common_scale(recipe_of, folders, registry):
    changes = (
        (f'[encoder.text]\nuse = "hf-clip:{folders["clip"]}"', f'[encoder.text]\nuse = "hf-clip:{folders["siglip"]}"'),
        ('use = "own"', "layers = 1\nwidth = 8"),
    )
    with pytest.raises(coview.CoviewError, match=r'temperature = "own": .* or with different scales'):
        build_topology(recipe_of("clip", *changes), registry)


def test_the_model_is_evaluated_without_training(text_of, write_recipe, registry, folders, captions, tmp_path):
    text = text_of("clip", (f"[loss]\n{LOSSES['clip']}\n", ""), ("steps = 2", "steps = 0"))
    retrieval = '\n[[evaluate]]\nuse = "retrieval"\nquery = "text"\ngallery = "image"\n'
    recipe = coview.load_recipe(write_recipe(text + retrieval), registry=registry)
    run = coview.run(recipe, tmp_path / "runs", registry=registry, quiet=True)
    assert {"pretrained", "untrained"} <= {result.kind for result in run.results}
    model = transformers.AutoModel.from_pretrained(folders["clip"]).eval()
    tokenize = transformers.AutoTokenizer.from_pretrained(folders["clip"])
    test = registry.build("dataset", "captioned_images", supplied={"split": "test"}, root=str(captions))
    texts = [test[row]["text"] for row in range(len(test))]
    with torch.no_grad():
        expected = model.get_text_features(**tokenize(texts, return_tensors="pt", padding=True)).pooler_output
    found = coview.embed(run, modality="text", projector=True)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
