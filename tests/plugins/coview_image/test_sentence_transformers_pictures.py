"""Pictures and texts by one model of sentence-transformers: as its own ``encode`` has them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer

import coview
from coview.experiment.trial import try_out
from coview_image.modality import ImageModality
from small_clip import TEXTS, bert, clip, tokenizer

MEAN, STD = (0.4, 0.5, 0.6), (0.3, 0.2, 0.25)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    at = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    clip().save_pretrained(at / "clip")
    prepares = transformers.CLIPImageProcessor(
        size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}, image_mean=MEAN, image_std=STD
    )
    transformers.CLIPProcessor(image_processor=prepares, tokenizer=tokenizer()).save_pretrained(at / "clip")
    SentenceTransformer(modules=[Transformer(str(at / "clip"))], device="cpu").save(str(at / "sentences"))
    return at / "sentences"


@pytest.fixture(scope="module")
def towers(folder, registry):
    return {
        name: registry.build("encoder", f"sentence-transformers:{folder}", modality=name) for name in ("image", "text")
    }


def pictures():
    return [np.random.default_rng(row).integers(0, 256, (16, 16, 3), dtype=np.uint8) for row in range(3)]


def of_pictures(tower):
    batch = ImageModality(size=16, mean=MEAN, std=STD).collate(pictures())
    with torch.no_grad():
        return tower.eval()(batch).pooled_ND


def test_both_are_what_the_library_makes(folder, towers):
    model = SentenceTransformer(str(folder), device="cpu")
    with torch.no_grad():
        texts = towers["text"].eval()(towers["text"].collate(TEXTS)).pooled_ND
    expected = model.encode([Image.fromarray(picture) for picture in pictures()], convert_to_tensor=True)
    torch.testing.assert_close(of_pictures(towers["image"]), expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(texts, model.encode(list(TEXTS), convert_to_tensor=True), atol=1e-6, rtol=1e-5)


def test_weights_of_the_other_modality_are_not_trained(towers):
    for name, batch in (("image", torch.randn(2, 3, 16, 16)), ("text", towers["text"].collate(TEXTS))):
        tower = towers[name].train()
        tower(batch).pooled_ND.sum().backward()
        for weight_name, weight in tower.named_parameters():
            assert (weight.grad is not None) == weight.requires_grad, weight_name
        tower.zero_grad()
        own = {"image": "vision_model", "text": "text_model"}[name]
        numbers = tower.layer_numbers()
        assert next(number for name, number in numbers.items() if f"{own}.encoder.layers.1." in name) == 2


def test_an_exported_folder_says_the_same(towers, tmp_path):
    scope = {"pictures": [Image.fromarray(picture) for picture in pictures()]}
    exec(towers["image"].export_hf(tmp_path / "out"), scope)
    torch.testing.assert_close(scope["features"].cpu(), of_pictures(towers["image"]), atol=1e-6, rtol=1e-5)


def test_a_model_of_texts_is_refused(registry, tmp_path):
    bert().save_pretrained(tmp_path / "bert")
    tokenizer().save_pretrained(tmp_path / "bert")
    SentenceTransformer(str(tmp_path / "bert"), device="cpu").save(str(tmp_path / "sentences"))
    with pytest.raises(coview.CoviewError, match="is not a model of pictures"):
        registry.build("encoder", f"sentence-transformers:{tmp_path / 'sentences'}", modality="image")


def test_a_dry_run(small_recipe, write_recipe, registry, folder):
    table = 'use = "resnet18"\nstem = "small"\nwidth = 8\n'
    text = small_recipe.replace(table, f'use = "sentence-transformers:{folder}"\n').replace("size = 8", "size = 16")
    try_out(coview.load_recipe(write_recipe(text), registry=registry), registry)
