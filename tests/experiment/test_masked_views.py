"""The masks that are shown are those that training makes, and what is said of them is what they hide."""

from __future__ import annotations

import masked_recipes
import pytest
import torch

import coview
from coview.data.batch import map_tensors
from coview.experiment.masked_views.making import MaskedViews
from coview.experiment.masked_views.states import State, said_of, states_of
from coview.experiment.splits import Splits
from coview.model.masking import build_masking
from coview.model.topology import build_topology
from coview.train.accelerator import make_accelerator
from coview.train.pretrain import Pretraining

CROPS = {
    "data": {"use": "digits", "views": 2, "local_views": 2, "workers": 0},
    "augment": [
        {"use": "random_resized_crop", "size": 8, "views": "global"},
        {"use": "random_resized_crop", "size": 8, "scale": [0.1, 0.3], "views": "local"},
        {"use": "random_flip", "on": "device"},
    ],
}
RQ = {"target": {"use": "random_codebook", "codes": 8}, "loss": {"use": "token_cross_entropy"}}


def pictures(folder, **tables):
    return masked_recipes.PICTURES | tables


CASES = {
    # its sizes are drawn once for a batch
    "blocks of a batch": lambda folder: pictures(
        folder, mask={"use": "multi_block", "hide": "drop"}, decoder={"use": "transformer", "layers": 1, "hidden": 8, "heads": 1}
    ),
    "half of the views": lambda folder: pictures(folder, mask={"use": "block", "ratio": 0.4, "probability": 0.5}),
    "all of many crops": lambda folder: pictures(folder, **CROPS, mask={"use": "random", "ratio": 0.3, "views": "all"}),
    "swapped and kept": masked_recipes.texts,
    "sounds": masked_recipes.sounds,
    "spans of sounds": lambda folder: masked_recipes.sounds(folder) | RQ | {
        "encoder": masked_recipes.SOUNDS["encoder"] | {"patch": [32, 2]}, "mask": {"use": "span", "ratio": 0.4, "length": 3}
    },
}  # fmt: skip


def training_of(recipe, registry):
    splits = Splits(recipe, registry)
    dataset = splits(splits.own, "train")
    topology = build_topology(recipe, registry, dataset)
    return Pretraining(recipe, registry, dataset, topology, make_accelerator(torch.device("cpu"), "fp32")), dataset


def row_of(value, row):
    return map_tensors(lambda tensor: tensor[row : row + 1], value)


def tensors(mask):
    return mask.layout.real_NT, mask.hidden_NT, mask.replaced_NT, mask.wanted_NBT, mask.swap_NT


def without_padding(of_batch, layout, alone):
    """Of a row of a batch, whose longest sample is longer, what it has alone: padding is on the right."""
    first, last = of_batch[..., : layout.prefix], of_batch[..., layout.prefix :]
    return torch.cat([first, last.unflatten(-1, layout.shape)[..., : alone.shape[-1]].flatten(last.ndim - 1)], -1)


@pytest.mark.parametrize("name", CASES)
def test_the_masks_are_those_that_the_loader_gives(registry, tmp_path, name):
    recipe = masked_recipes.load(tmp_path, registry, CASES[name](tmp_path))
    training, dataset = training_of(recipe, registry)
    student = training.topology.student
    makes = MaskedViews(recipe, registry, dataset, student, build_masking(recipe, registry, student), training.order)
    (modality,) = recipe.modalities
    views, compared, hidden = len(recipe.view_modalities), 0, 0
    for batch in training._batches({}):
        samples = len(batch)
        for place, made in enumerate(makes(batch.rows[:5], batch.epoch)):
            assert [view.view for view in made] == list(range(views))
            for view in made:
                at = view.view if view.is_global else view.view - recipe.global_views
                inputs, masks = (
                    (batch.inputs, batch.masks) if view.is_global else (batch.local_inputs, batch.local_masks)
                )
                assert (view.mask is None) == (modality not in masks)
                if view.mask is None:
                    continue
                theirs, mine = row_of(masks[modality], at * samples + place), view.mask
                for one, other in zip(tensors(mine), tensors(theirs), strict=True):
                    assert (one is None) == (other is None)
                    if one is not None and other is not None:
                        assert torch.equal(one, without_padding(other, theirs.layout, mine.layout))
                if isinstance(view.batch, torch.Tensor):
                    assert torch.equal(view.batch, inputs[modality][at * samples + place][None])
                compared += 1
                hidden += int(mine.hidden_NT.sum())
    assert compared >= 4
    assert hidden > compared


def test_what_is_said_is_what_is_hidden(registry, tmp_path):
    layout = coview.TokenLayout(
        torch.tensor([[True] * 9 + [False]]), torch.tensor([[False] + [True] * 8 + [False]]), (10,)
    )

    def row(*tokens):
        return torch.tensor([[token in tokens for token in range(10)]])

    swap = torch.full((1, 10), -1.0)
    swap[0, 4] = 0.5
    wanted = torch.stack([row(1, 2), row(2, 4, 5)], 1)
    mask = coview.TokenMask(layout, row(1, 2, 4, 5), row(1, 2), wanted, "replace", swap)
    seen, gone, kept, other, none = State.SEEN, State.HIDDEN, State.KEPT, State.SWAPPED, State.PADDING
    assert states_of(mask).tolist() == [seen, gone, gone, seen, other, kept, seen, seen, seen, none]
    assert said_of(mask) == (
        "4 of 8 tokens are hidden (50%), of which the encoder sees 1 as they are and 1 swapped; "
        "predicted are 2 groups of 2, 3 tokens, each by itself"
    )
    dropped = coview.TokenMask(layout, row(1, 2, 4, 5), row(1), row(4)[:, None], "drop")
    assert (states_of(dropped) == State.HIDDEN).nonzero()[0].tolist() == [1, 2, 4, 5]
    assert said_of(dropped) == "4 of 8 tokens are hidden (50%); predicted are 1 of them"
