"""A training recipe with ``--set train.steps=0`` is a run like any other."""

from __future__ import annotations

import json
import re
from functools import partial

import pandas
import pytest
import torch

import coview
from coview.experiment.controls import kind_of_encoder, kinds_of
from coview.plugins.registry import Use


def test_every_command_takes_the_run(call, write_recipe, small_recipe, tmp_path):
    recipe = write_recipe(small_recipe.replace("[train]", "[queue]\nsize = 64\n[train]"))
    made = call("run", recipe, "--set", "train.steps=0", "--out", "runs")
    assert made.status == 0, made.err
    (run,) = (tmp_path / "runs" / "small").iterdir()
    for command in (
        ["evaluate", run],
        ["evaluate", run, "--set", "evaluate.0.k=3"],
        ["export", run, "--to", "hf"],
        ["embed", run, "--out", "x.npy"],
        ["recipe", "check", run / "recipe.toml", "--build"],
        ["recipe", "show", run / "recipe.toml", "--resolved"],
        ["run", recipe, "--set", "train.steps=0", "--out", "runs", "--resume"],
    ):
        done = call(*command)
        assert done.status == 0, (command, done.err)
        assert "Traceback" not in done.err


def test_a_hint_names_what_the_data_can_serve(call, write_recipe, small_recipe):
    recipe = write_recipe(small_recipe)
    done = call("run", recipe, "--set", "train.steps=0", "--set", 'evaluate=[{use="similarity"}]')
    assert done.status == 2
    what, hint = done.err.splitlines()
    assert what.endswith('nothing can be measured on "digits": similarity: the data has no judged pairs')
    named = hint.split(" need, such as ")[0].removeprefix("  this data has what ").split(", ")
    assert "similarity" not in named
    assert {"knn", "linear_probe"} <= set(named)
    example = hint.split("--set ")[1].strip("'")
    assert call("run", recipe, "--set", "train.steps=0", "--set", example).status == 0


def test_what_nothing_has_trained_is_not_called_pretrained(call, write_recipe, small_recipe, small_run, tmp_path):
    made = call("run", write_recipe(small_recipe), "--set", "train.steps=0", "--set", "train.device=cpu")
    assert made.status == 0, made.err
    (run,) = (tmp_path / "runs" / "small").iterdir()
    assert "pretrained" not in made.out
    assert ", measured in fp32: runs/small/" in made.err
    header, *_ = made.out.splitlines()
    assert header.split() == ["evaluator", "untrained", "raw", "n"]
    document = json.loads((run / "results.json").read_text())
    assert {result["kind"] for result in document["results"]} == {"untrained", "raw"}
    page = re.sub(r"<style>.*?</style>|<pre>.*?</pre>", "", (run / "report.html").read_text(), flags=re.DOTALL)
    assert "<th>" in page
    assert "untrained: the encoder that is measured: nothing is trained, and its weights are random" in page
    assert not re.search(r">[^<]*\bpretrained (less|and|\[)", page)
    assert json.loads((run / "environment.json").read_text())["precision"] == "fp32"
    assert call("evaluate", run).status == 0
    compared = call("compare", small_run.path, run, "--out", "compared")
    assert compared.status == 0, compared.err
    cells = pandas.read_csv(next((tmp_path / "compared").rglob("cells.csv")))
    assert sorted(cells["encoder"]) == ["pretrained", "untrained"]
    assert "pretrained or untrained, mean" in next((tmp_path / "compared").rglob("report.html")).read_text()


class Silent(torch.nn.Module):
    """An encoder that says nothing about its weights."""

    width = 4

    def __init__(self, *, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale


class Trained(Silent):
    starts_trained = True


class AtRandom(Silent):
    starts_trained = False


@pytest.mark.parametrize(
    ("encoder", "kind"),
    [(Silent, "given"), (Trained, "pretrained"), (AtRandom, "untrained")],
    ids=lambda part: str(part),
)
@pytest.mark.parametrize("as_family", [False, True])
def test_an_encoder_says_what_its_weights_are(
    registry, write_recipe, small_recipe, monkeypatch, encoder, kind, as_family
):
    recipe = coview.load_recipe(write_recipe(small_recipe), overrides={"train": {"steps": 0}}, registry=registry)
    factory = partial(encoder, scale=2.0) if as_family else encoder
    monkeypatch.setattr(Use, "factory", lambda self: factory)
    assert kind_of_encoder(recipe, registry) == kind
    assert kinds_of(recipe, registry) == (kind, "raw"), (
        "there is no control at random weights that it could be asked for"
    )
