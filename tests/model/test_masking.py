"""Which tokens of which views are hidden, kept or swapped: a function of (seed, epoch, sample, view)."""

from __future__ import annotations

import functools

import pytest
import tomli_w
import torch

import coview
from coview.builtin.targets import RandomCodebook
from coview.data.batch import Batch
from coview.model.topology import build_topology

TABLES = {
    "schema": 1,
    "name": "masked",
    "data": {"use": "fashion_mnist", "views": 2},
    "encoder": {"use": "vit", "image_size": 16, "patch": 2, "width": 8, "layers": 1, "heads": 2, "channels": 1},
    "modality": {"channels": 1, "mean": [0.5], "std": [0.5]},
    "mask": {"use": "random", "ratio": 0.5},
    "loss": {"use": "token_mse"},
    "optimizer": {"use": "sgd", "lr": 0.1},
    "train": {"steps": 3, "batch_size": 8},
}


@pytest.fixture
def masks_of(registry, tmp_path):
    def of(ids, mask, *, views=2, local=0, epoch=0, number=0, **tables):
        file = tmp_path / "masked.toml"
        data = {"use": "fashion_mnist", "views": views, "local_views": local}
        file.write_text(tomli_w.dumps(TABLES | {"data": data, "mask": TABLES["mask"] | mask} | tables))
        masking = build_topology(coview.load_recipe(file, registry=registry), registry).masking
        inputs, small = ({"image": torch.zeros(n * len(ids), 1, 16, 16)} if n else {} for n in (views, local))
        batch = Batch(inputs, torch.tensor(ids), None, None, None, small, epoch=epoch, number=number)
        return masking.masked(batch)

    return of


IDS = list(range(100, 140))


def hidden(batch):
    return batch.masks["image"].hidden_NT.unflatten(0, (-1, len(batch.ids)))


def test_samples_have_the_same_masks_in_any_batch(masks_of):
    whole, few = hidden(masks_of(IDS, {})), hidden(masks_of(IDS[10:14], {}, number=7))
    assert torch.equal(whole[:, 10:14], few)
    assert not torch.equal(whole[0], whole[1])
    assert not torch.equal(whole, hidden(masks_of(IDS, {}, epoch=1)))
    assert not torch.equal(whole, hidden(masks_of(IDS, {}, seed=1)))


def test_a_mask_may_be_for_some_views(masks_of):
    made = hidden(masks_of(IDS, {"views": [1]}))
    assert not made[0].any()
    assert made[1].any(1).all()


def test_local_views_are_masked_where_it_is_said(masks_of):
    made = masks_of(IDS, {"views": "local"}, local=1)
    assert not made.masks
    assert made.local_masks["image"].hidden_NT.any(1).all()


def test_some_views_are_left_whole(masks_of):
    made = hidden(masks_of(list(range(2000)), {"probability": 0.3}))
    assert float(made.any(2).float().mean()) == pytest.approx(0.3, abs=0.03)
    assert not torch.equal(made[0].any(1), made[1].any(1))


TEXTS = {
    "data": {"use": "scipy_docs", "views": 1},
    "modality": {},
    "encoder": {"use": "text_transformer", "vocabulary": 300, "width": 8, "layers": 1, "heads": 1},
    "loss": {"use": "token_cross_entropy"},
}


def test_of_what_is_hidden_a_share_is_swapped_and_a_share_is_kept(registry, tmp_path):
    file = tmp_path / "masked.toml"
    file.write_text(
        tomli_w.dumps(TABLES | TEXTS | {"mask": {"use": "random", "ratio": 0.5, "swapped": 0.1, "kept": 0.3}})
    )
    topology = build_topology(coview.load_recipe(file, registry=registry), registry)
    encoder = topology.student.encoder("text")
    encoder.fit(["hidden tokens of a text"] * 3)
    inputs = {"text": encoder.collate(["many words that are hidden, kept, or swapped for others " * 3] * 60)}
    batch = Batch(inputs, torch.arange(60), None, None, None)
    mask = topology.masking.masked(batch).masks["text"]
    total = int(mask.hidden_NT.sum())
    assert int(mask.replaced_NT.sum()) / total == pytest.approx(0.6, abs=0.03)
    assert int((mask.swap_NT >= 0).sum()) / total == pytest.approx(0.1, abs=0.02)
    assert not (mask.replaced_NT & (mask.swap_NT >= 0)).any()
    assert not (mask.replaced_NT & ~mask.hidden_NT).any()
    assert torch.equal(mask.wanted_NBT[:, 0], mask.hidden_NT)
    ends = inputs["text"]["input_ids"] < 3  # padding, the class token and the separator
    assert ends.any()
    assert not mask.hidden_NT[ends].any()


def test_a_target_is_built_once(registry, tmp_path, monkeypatch):
    built, constructor = [], RandomCodebook.__init__

    @functools.wraps(constructor)  # its signature is the schema
    def counted(self, *given, **named):
        constructor(self, *given, **named)
        built.append(self)

    monkeypatch.setattr(RandomCodebook, "__init__", counted)
    file = tmp_path / "masked.toml"
    tables = {"loss": {"use": "token_cross_entropy"}, "target": {"use": "random_codebook", "codes": 4}}
    file.write_text(tomli_w.dumps(TABLES | tables))
    recipe = coview.load_recipe(file, registry=registry)
    built.clear()
    topology = build_topology(recipe, registry)
    assert built == [topology.target]
    assert topology.student.token_width == topology.target.width == 4
