"""Each tower of a run as a folder of its own, and pictures and texts together as transformers' VisionTextDualEncoder."""

from __future__ import annotations

import json
import re

import pytest
import torch
from PIL import Image
from sklearn.metrics.pairwise import cosine_similarity

import coview
from three_towers import RECIPE, TEST, ToldDigits
from three_towers import registry as with_digits

PAIR = (
    re.sub(r"\[(encoder|projector)\.audio\]\n(.+\n)+\n", "", RECIPE)
    .replace("views = 1", "views = { image = 1, text = 1 }")
    .replace('use = "nt_xent"', 'use = "clip"\ntemperature = 0.2')
    .replace('use = "resnet18"\nstem = "small"\nwidth = 8', 'use = "vit"\nimage_size = 8\npatch = 2\nwidth = 16\nlayers = 1\nheads = 2')
    .replace("heads = 2\n\n[projector", 'heads = 2\npooling = "cls"\n\n[projector')
    .replace("hidden = 16\nwidth = 8", "layers = 1\nlast_bias = false\nwidth = 8")
)  # fmt: skip


def trained(tmp_path, text, *sets, registry):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return coview.run(
        coview.load_recipe(path, sets=sets, registry=registry), tmp_path / "runs", registry=registry, quiet=True
    )


@pytest.fixture(scope="module")
def registry():
    return with_digits()


@pytest.fixture(scope="module")
def run(registry, tmp_path_factory):
    return trained(tmp_path_factory.mktemp("pair"), PAIR, registry=registry)


def values(name):
    data = ToldDigits("test")
    return [data[row][name] for row in range(TEST)]


def loaded(code, **given):
    """What the printed lines make of some values."""
    names = dict(given)
    with torch.no_grad():
        exec(code, names)
    return names


def test_each_tower_by_itself_makes_the_runs_vectors(run):
    folder, code = coview.export(run, to="hf", modality="image")
    assert folder == run.path / "export" / "hf-image"
    code, transformers_lines = code.split("# or, with transformers:\n")
    assert "timm" in code
    found = loaded(code, pictures=values("image"))["features"]
    torch.testing.assert_close(found, coview.embed(run, modality="image"), atol=1e-5, rtol=1e-5)
    found = loaded(code.split("import timm")[0] + transformers_lines, pictures=values("image"))["features"]
    torch.testing.assert_close(found, coview.embed(run, modality="image"), atol=1e-5, rtol=1e-5)
    folder, code = coview.export(run, to="hf", modality="text")
    assert folder == run.path / "export" / "hf-text"
    found = loaded(code, texts=values("text"))["features"]
    torch.testing.assert_close(found, coview.embed(run, modality="text"), atol=1e-5, rtol=1e-5)
    note = json.loads((folder / "coview.json").read_text())
    assert (note["modality"], note["kind"]) == ("text", "pretrained")
    folder, code = coview.export(run, to="sentence-transformers", modality="text")
    found = loaded(code, texts=values("text"))["features"]
    torch.testing.assert_close(found.cpu(), coview.embed(run, modality="text"), atol=1e-5, rtol=1e-5)
    _, code = coview.export(run, to="sentence-transformers", modality="image")
    pictures = [Image.fromarray(picture) for picture in values("image")]
    found = loaded(code, pictures=pictures)["features"]
    torch.testing.assert_close(found.cpu(), coview.embed(run, modality="image"), atol=1e-5, rtol=1e-5)


def test_both_towers_are_a_vision_text_dual_encoder(run, tmp_path):
    from transformers import AutoModel, VisionTextDualEncoderModel, VisionTextDualEncoderProcessor

    folder, code = coview.export(run, to="hf", out=tmp_path / "dual")
    found = loaded(code, pictures=values("image"), texts=values("text"))
    image, text = (coview.embed(run, modality=name, projector=True) for name in ("image", "text"))
    torch.testing.assert_close(found["image_projections"], image, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found["text_projections"], text, atol=1e-5, rtol=1e-5)
    model = AutoModel.from_pretrained(folder).eval()
    assert isinstance(model, VisionTextDualEncoderModel)
    with torch.no_grad():
        both = model(found["batch"]["input_ids"], found["pixel_values"], found["batch"]["attention_mask"])
    scale = float(run.topology.loss.terms[0].loss.log_scale.detach().exp())
    assert scale != pytest.approx(5)
    expected = scale * torch.from_numpy(cosine_similarity(image, text))
    torch.testing.assert_close(both.logits_per_image, expected.float(), atol=1e-4, rtol=1e-4)
    processor = VisionTextDualEncoderProcessor.from_pretrained(folder)
    made = processor(text=values("text"), images=values("image"), return_tensors="pt", padding=True)
    torch.testing.assert_close(made["pixel_values"], found["pixel_values"])
    assert made["input_ids"].equal(found["batch"]["input_ids"])


@pytest.mark.parametrize(
    ("sets", "message", "hint"),
    [
        ('encoder.text.pooling="mean"', r'text: pooling = "mean" differs from .* pooling = "cls" is the same', ""),
        ("projector.image.layers=2", r"image: its projections are linear, and .*projector\.image is not", "layers = 1"),
        ("projector.text.last_bias=true", r"text: .* no bias, and .*projector\.text has one", "last_bias = false"),
        ('encoder.image={use="resnet18", stem="small", width=8}',
         'image: transformers has no class for a ResNet with stem = "small" and width = 8', ""),
    ],
)  # fmt: skip
def test_a_tower_that_does_not_allow_it_is_a_line(registry, tmp_path, sets, message, hint):
    run = trained(tmp_path, PAIR, sets, "train.steps=1", registry=registry)
    with pytest.raises(coview.CoviewError, match=message) as raised:
        coview.export(run, to="hf", out=tmp_path / "dual")
    assert "\n" not in raised.value.message
    assert hint in raised.value.hint
    assert "each tower is exported by itself with --modality image or --modality text" in raised.value.hint
    assert not (tmp_path / "dual").exists()
    assert coview.export(run, to="hf", modality="text", out=tmp_path / "text")[0].is_dir()


def test_which_tower_has_to_be_said(run, tmp_path, registry):
    with pytest.raises(
        coview.CoviewError, match="has encoders of image and text, and sentence-transformers loads one"
    ) as raised:
        coview.export(run, to="sentence-transformers")
    assert raised.value.hint == "say which: --modality image or --modality text"
    with pytest.raises(coview.CoviewError, match='"txt" is not a modality of three, did you mean "text"'):
        coview.export(run, to="hf", modality="txt")
    three = trained(tmp_path, RECIPE, "train.steps=1", registry=registry)
    with pytest.raises(coview.CoviewError, match="that has two towers, and the run has 3"):
        coview.export(three, to="hf")
    with pytest.raises(coview.CoviewError, match="cannot be exported to sentence-transformers"):
        coview.export(three, to="sentence-transformers", modality="audio")
    folder, _ = coview.export(three, to="hf", modality="audio")
    assert folder.is_dir()


def test_a_models_own_pooler_is_taken_where_it_is_the_runs(registry, tmp_path):
    """CLIP's towers of transformers: the last token of a text, and the class token of a picture after its norm."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPVisionConfig, CLIPVisionModel, PreTrainedTokenizerFast

    words = sorted(
        {word for split in ("train", "test") for row in range(40) for word in ToldDigits(split)[row]["text"].split()}
    )
    vocabulary = {word: number for number, word in enumerate(["<pad>", "<unk>", *words, "<end>"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    end = len(vocabulary) - 1
    tokenizer.post_processor = processors.TemplateProcessing(single="$A <end>", special_tokens=[("<end>", end)])
    torch.manual_seed(0)
    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = CLIPTextConfig(
        vocab_size=len(vocabulary), max_position_embeddings=16, eos_token_id=end, pad_token_id=0, **small
    )
    CLIPTextModel(text).save_pretrained(tmp_path / "text")
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", model_max_length=16
    )
    fast.save_pretrained(tmp_path / "text")
    CLIPVisionModel(CLIPVisionConfig(image_size=8, patch_size=2, **small)).save_pretrained(tmp_path / "image")
    sets = (
        f'encoder.image={{use="hf:{tmp_path}/image", pooling="pooler"}}',
        f'encoder.text={{use="hf:{tmp_path}/text", pooling="last", max_length=16}}',
    )
    run = trained(tmp_path, PAIR, *sets, registry=registry)
    _, code = coview.export(run, to="hf")
    found = loaded(code, pictures=values("image"), texts=values("text"))
    for name in ("image", "text"):
        expected = coview.embed(run, modality=name, projector=True)
        torch.testing.assert_close(found[f"{name}_projections"], expected, atol=1e-5, rtol=1e-5)
