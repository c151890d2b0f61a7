"""An evaluator whose numbers mean nothing is named, and costs no other its numbers."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import coview

EVALUATE = """
[[evaluate]]
use = "wrong"
how = "{how}"
"""


class Wrong:
    """Makes one mistake."""

    splits = ("test",)
    labels = None

    def __init__(self, *, how: str) -> None:
        self.how = how

    def __call__(self, features, rng):
        match self.how:
            case "beyond":
                return [coview.Result("share", 1.5, 1.4, 1.6, 10, "test", bounds=(0.0, 1.0))]
            case "nan":
                return [coview.Result("share", math.nan, 0.0, 1.0, 10, "test")]
            case "text":
                return [coview.Result("share", "0.5", 0.0, 1.0, 10, "test")]
            case "number":
                return 0.5
            case "numbers":
                return [0.5]
            case "only raw" if features["test"].x_ND.shape[1] != 64:
                raise coview.CoviewError("it takes pixels only")
            case _:
                return [coview.Result("share", np.float32(0.5), 0.0, np.float32(1), 10, "test")]


@pytest.fixture
def with_wrong(registry):
    added = coview.Registrar("test")
    added.evaluator("wrong", f"{__name__}:Wrong", summary="wrong numbers")
    return registry.plus(added)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("beyond", "the result 'share': 1.5 is beyond its bounds (0.0, 1.0)"),
        ("nan", "the result 'share': the value has to be finite, got nan"),
        ("text", "the result 'share': value has to be a number, got '0.5'"),
        ("number", "it has to return a list of coview.Result, and returns a float"),
        ("numbers", "it has to return a list of coview.Result, and there is a float in it"),
    ],
)
def test_a_wrong_result_is_the_evaluators_and_the_others_keep_theirs(own_run, with_wrong, how, says):
    run = coview.load_run(own_run.path, registry=with_wrong)
    coview.evaluate_run(run, overrides={"evaluate": [{"use": "wrong", "how": how}, {"use": "knn", "k": 3}]}, quiet=True)
    written = json.loads((run.path / "results.json").read_text())
    assert written["skipped_evaluators"] == [{"evaluator": "wrong", "reason": says}]
    kept = {row["evaluator"] for row in written["results"] if row["protocol"].get("k") == 3}
    assert kept == {"knn"}
    with pytest.raises(coview.CoviewError) as caught:
        coview.evaluate_run(run, overrides={"evaluate": [{"use": "wrong", "how": how}]}, quiet=True)
    assert caught.value.message == f"wrong: {says}"


def test_numbers_of_numpy_are_written(own_run, with_wrong):
    run = coview.load_run(own_run.path, registry=with_wrong)
    coview.evaluate_run(run, overrides={"evaluate": [{"use": "wrong", "how": "not"}]}, quiet=True)
    rows = json.loads((run.path / "results.json").read_text())["results"]
    assert [(row["value"], row["ci_high"]) for row in rows if row["evaluator"] == "wrong"] == [(0.5, 1.0)] * 3


def test_what_cannot_be_measured_on_an_untrained_encoder_is_left_out_though_its_control_can(
    write_recipe, with_wrong, tmp_path
):
    """Of a run without steps too, the first kind of features is what is measured, and the others are its controls."""
    evaluate = [{"use": "wrong", "how": "only raw"}, {"use": "knn", "k": 3}]
    recipe = coview.load_recipe(
        write_recipe(), registry=with_wrong, overrides={"train.steps": 0, "evaluate": evaluate, "encoder.width": 4}
    )
    run = coview.run(recipe, tmp_path / "runs", registry=with_wrong, quiet=True)
    written = json.loads(run.folder.results.read_text())
    assert written["skipped_evaluators"] == [{"evaluator": "wrong", "reason": "it takes pixels only"}]
    assert {row["evaluator"] for row in written["results"]} == {"knn"}
