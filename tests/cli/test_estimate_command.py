"""``coview estimate`` as it is typed."""

import json

import pytest


@pytest.mark.slow
def test_an_estimate_of_a_shipped_recipe(start):
    done = start("estimate", "quickstart", "--device", "h100", "--count", "8", "--seconds", "0.1", "--json")
    assert done.status == 0, done.err
    found = json.loads(done.out)
    assert (found["recipe"], found["count"], found["precision"]) == ("quickstart", 8, "bf16")
    assert {part["name"]: part["parameters"] for part in found["parameters"]} == {
        "encoder": 700_176,
        "projector": 49_728,
    }
    assert found["memory"]["optimizer"] == 2 * found["memory"]["gradients"] == 2 * 4 * 749_904
    assert found["sent_of_a_step"]["gradients"] == 2 * 7 / 8 * 4 * 749_904
    assert found["hours"]["low"] == pytest.approx(150 * found["seconds_of_a_step"]["whole"]["low"] / 3600)


def test_the_table_says_what_each_figure_is_known_from(call, write_recipe):
    done = call("estimate", write_recipe(), "--device", "v100-16", "--seconds", "0.01", "--memory", "1")
    assert done.status == 0, done.err
    assert "small on 1 × v100-16, fp32:" in done.out
    assert "NVIDIA Tesla V100 data sheet, SXM2; memory as given" in done.out
    for known_from in ("counted", "measured here", "assumed", "of the recipe"):
        assert known_from in done.out
    assert "may not fit in 1 GB" in done.out
    assert "to fit: train.checkpoint_activations = true" in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--device", "h10"), 'there is no card "h10" in the table, did you mean "h100"?'),
        (("--device", "h100", "--count", "0"), "Invalid value for '--count'"),
        (("--device", "h100", "--measured", "nowhere"), "nowhere"),
        (("--device", "h100", "--set", "train.precision=bfloat"), "train.precision"),
        (
            ("--device", "v100-16", "--set", "train.precision=bf16"),
            "v100-16 does not compute in bf16; it has fp16, fp32",
        ),
        (("--device", "h100", "--set", "sweep.grid.seed=[0, 1]"), "describes several runs"),
        (("--device", "h100", "--set", "train.steps=0"), "nothing is trained"),
        (("--device", "h100", "--set", "data.use=image_folder", "--set", "data.root=nowhere"), "nowhere"),
    ],
)
def test_a_mistake_is_said_plainly(call, write_recipe, arguments, said):
    done = call("estimate", write_recipe(), "--seconds", "0.01", *arguments)
    assert done.status == 2
    assert said in done.err
    assert "Traceback" not in done.err
