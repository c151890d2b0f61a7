"""A part of the model that makes something of another width than it says is named before anything is trained."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import coview
from coview.experiment.trial import try_out
from coview.model.widths import encode, project, width_of


class Encoder(nn.Module):
    """Of pictures, 12 wide, with a mistake of a kind."""

    def __init__(self, *, wrong: str = "") -> None:
        super().__init__()
        self.width = {"narrow": 16, "text": "12", "negative": -1}.get(wrong, 12)
        self.wrong = wrong
        self.layer = nn.Linear(3, 12)

    def forward(self, batch):
        x_ND = self.layer(batch.mean((2, 3)))
        return x_ND if self.wrong == "bare" else coview.Encoding(x_ND[:, None] if self.wrong == "tokens" else x_ND)


class Head(nn.Module):
    """A projector or predictor."""

    def __init__(self, *, in_width: int, width: int = 8, wrong: str = "") -> None:
        super().__init__()
        self.width = width
        self.layer = nn.Linear(in_width, width + (wrong == "wide"))
        self.wrong = wrong

    def forward(self, x_ND):
        z_ND = self.layer(x_ND)
        return z_ND[:-1] if self.wrong == "rows" else (z_ND, z_ND) if self.wrong == "pair" else z_ND


def not_a_module(*, in_width: int) -> object:
    return torch.relu


RECIPE = """\
schema = 1
name = "small"
seed = 3

[data]
use = "digits"
workers = 0

[encoder]
use = "mine"

[projector]
use = "mine"
width = 8

[predictor]
use = "mine"

[loss]
use = "nt_xent"

[optimizer]
use = "sgd"
lr = 0.05

[train]
steps = 1
batch_size = 4
precision = "fp32"
device = "cpu"
"""


@pytest.fixture
def with_mine(registry):
    added, home = coview.Registrar("test"), f"{__name__}:"
    added.encoder("mine", home + "Encoder", modality="image", summary="an encoder")
    added.projector("mine", home + "Head", summary="a head")
    added.projector("function", home + "not_a_module", summary="a function")
    added.predictor("mine", home + "Head", summary="a head")
    return registry.plus(added)


@pytest.mark.parametrize(
    ("sets", "says"),
    [
        (["encoder.wrong=narrow"], r"the encoder Encoder says that its width is 16, and its pooled_ND is \(8, 12\)"),
        (["encoder.wrong=tokens"], r"the encoder Encoder says that its width is 12, and its pooled_ND is \(8, 1, 12\)"),
        (["encoder.wrong=bare"], "the encoder Encoder has to return a coview.Encoding, and returns a Tensor"),
        (["encoder.wrong=text"], r"recipe.toml:10: encoder.use: the encoder Encoder: its width .* got '12'"),
        (["encoder.wrong=negative"], "recipe.toml:10: .* got -1"),
        (["projector.wrong=wide"], r"the projector Head has to make \(8, 8\) of \(8, 12\), and makes \(8, 9\)"),
        (["projector.wrong=rows"], r"the projector Head has to make \(8, 8\) of \(8, 12\), and makes \(7, 8\)"),
        (["projector={use='function'}"], "the projector has to be a torch.nn.Module, and is a builtin_function"),
        (["predictor.wrong=wide"], r"the predictor Head has to make \(8, 8\) of \(8, 8\), and makes \(8, 9\)"),
        (["predictor.wrong=pair"], r"the predictor Head has to make \(8, 8\) of \(8, 8\), and makes a tuple"),
    ],
)
def test_it_is_said_by_trying_out_and_by_the_first_step(write_recipe, with_mine, tmp_path, sets, says):
    recipe = coview.load_recipe(write_recipe(RECIPE), sets=sets, registry=with_mine)
    with pytest.raises(coview.CoviewError, match=says):
        try_out(recipe, with_mine)
    with pytest.raises(coview.CoviewError, match=says):
        coview.run(recipe, tmp_path / "runs", registry=with_mine, quiet=True)
    assert not list((tmp_path / "runs").glob("small/*")), "a run that took no step leaves no folder"


def test_what_is_right_is_taken(write_recipe, with_mine):
    assert "projections 2 × 4 × 8" in try_out(coview.load_recipe(write_recipe(RECIPE), registry=with_mine), with_mine)
    assert width_of(Encoder(), "the encoder") == 12
    assert encode(Encoder(), torch.zeros(2, 3, 4, 4)).pooled_ND.shape == (2, 12)
    assert project(Head(in_width=12), torch.zeros(2, 12), 8, "projector").shape == (2, 8)
