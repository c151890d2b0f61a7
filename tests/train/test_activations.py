"""Blocks that keep only their inputs: the same weights and statistics for less memory, whatever the encoder draws."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import coview
from coview.train.activations import repeated_blocks

RESNET = '[encoder]\nuse = "resnet18"\nstem = "small"\nwidth = 8\n\n'
VIT = '[encoder]\nuse = "vit"\nimage_size = 8\npatch = 2\nwidth = 8\nlayers = 3\nheads = 2\nchannels = 3\ndrop_path = 0.5\n\n'
TEACHER = "\n[predictor]\nhidden = 16\n\n[teacher]\nmomentum = 0.9\n"


def weights(recipe, registry, out, **overrides):
    loaded = coview.load_recipe(recipe, registry=registry, overrides=overrides)
    run = coview.run(loaded, out, registry=registry, quiet=True)
    return run, load_file(run.folder.checkpoints / "step-6" / "weights.safetensors")


def with_encoder(text, encoder, more=""):
    start, end = text.index("[encoder]"), text.index("[projector]")
    return text[:start] + encoder + text[end:].split("[[evaluate]]")[0] + more


@pytest.mark.parametrize(
    ("encoder", "more", "overrides"),
    [
        (RESNET, "", {}),
        (RESNET, TEACHER, {"train.batch_norm": "per_view"}),
        (RESNET, "", {"train.grad_cache": 16}),
        (VIT, "", {}),
        (VIT, "", {"train.accumulate": 2}),
    ],
    ids=["batch norm", "views apart", "gradient cache", "drop path", "accumulated"],
)
def test_the_weights_and_running_statistics_are_those_without(
    write_recipe, small_recipe, registry, tmp_path, encoder, more, overrides
):
    recipe = write_recipe(with_encoder(small_recipe, encoder, more))
    one, whole = weights(recipe, registry, tmp_path / "whole", **overrides)
    two, again = weights(recipe, registry, tmp_path / "again", **overrides, **{"train.checkpoint_activations": True})
    assert whole.keys() == again.keys()
    for name, expected in whole.items():
        assert torch.equal(again[name], expected), name
    assert one.recipe.hash == two.recipe.hash


def test_the_backward_pass_keeps_less(registry):
    """What autograd keeps of a deep network of equal blocks falls to their inputs."""
    from coview.model.tower import Tower, Towers
    from coview.train.activations import blocks_of, checkpointed

    encoder = registry.build("encoder", "vit", modality="image", image_size=8, patch=2, width=8, layers=12, heads=2)
    student = Towers({"image": Tower(encoder, nn.Identity())}, ("image",), 1)
    kept: list[int] = []

    def note(tensor):
        kept.append(tensor.nbytes)
        return tensor

    def bytes_kept():
        kept.clear()
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            encoder(torch.randn(4, 3, 8, 8)).pooled_ND.sum()
        return sum(kept)

    whole = bytes_kept()
    with checkpointed(blocks_of(student)):
        less = bytes_kept()
    assert less < whole / 5
    assert bytes_kept() == whole  # as before, afterwards


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 3)


def test_blocks_are_the_outermost_that_come_several_times(registry):
    first, second, third = Block(), Block(), Block()
    nested = nn.Sequential(nn.Linear(3, 3), nn.Sequential(first, second), nn.ModuleList([third]), nn.ReLU())
    assert repeated_blocks(nested) == [first, second]
    resnet = registry.build("encoder", "resnet18", modality="image", width=8)
    assert [type(block).__name__ for block in repeated_blocks(resnet)] == ["BasicBlock"] * 8
    assert repeated_blocks(nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))) == []


def test_an_encoder_without_blocks_is_refused_with_the_line(write_recipe, small_recipe, registry, tmp_path):
    text = with_encoder(small_recipe, RESNET).replace("[train]\n", "[train]\ncheckpoint_activations = true\n")
    recipe = write_recipe(text)
    line = text[: text.index("checkpoint_activations")].count("\n") + 1
    with pytest.raises(coview.CoviewError, match=rf":{line}: train.checkpoint_activations: it does not go together"):
        weights(recipe, registry, tmp_path, **{"train.compile": True})
    plain = coview.Registrar("plain")
    plain.encoder("plain", "test_activations:Plain", modality="image", summary="one layer")
    with pytest.raises(coview.CoviewError, match=rf':{line}: .*the image encoder "plain" has no repeated blocks'):
        weights(recipe, registry.plus(plain), tmp_path, encoder={"use": "plain"})
    assert not list(tmp_path.glob("*/*"))


class Plain(nn.Module):
    """One layer."""

    def __init__(self, *, width: int = 4) -> None:
        super().__init__()
        self.width = width
        self.linear = nn.Linear(192, width)

    def forward(self, batch):
        return coview.Encoding(self.linear(batch.flatten(1)))
