"""What lasts longer than the run: refused where it could never be over, told where the run is only tried."""

from __future__ import annotations

import pytest

GROUP = '\n[[optimizer.group]]\nmatch = "projector.*"\nfreeze = {}\n'


@pytest.mark.parametrize(("freeze", "steps"), [("7", "7"), ('"1 epoch"', "44")])
def test_a_part_that_is_frozen_for_longer_than_the_run_is_refused(
    write_recipe, small_recipe, call, tmp_path, freeze, steps
):
    text = small_recipe.replace("lr = 0.05\n", "lr = 0.05\n" + GROUP.format(freeze))
    line = 1 + text[: text.index("freeze")].count("\n")
    for command in (["run"], ["recipe", "check", "--build"]):
        done = call(*command, write_recipe(text))
        assert done.status == 2
        expected = f"recipe.toml:{line}: optimizer.group.0.freeze: {steps} steps are more than the 6 of the run: "
        assert expected + "what projector.* matches would never be trained" in done.err
    assert not (tmp_path / "runs").exists()


def test_as_long_as_the_run_is_not_longer(write_recipe, small_recipe, call):
    text = small_recipe.replace("lr = 0.05\n", "lr = 0.05\n" + GROUP.format("6"))
    assert call("recipe", "check", "--build", write_recipe(text)).status == 0


def test_a_warm_up_that_is_longer_than_the_run_is_said(write_recipe, small_recipe, call):
    text = small_recipe.replace("steps = 6", "steps = 2")
    text = text.replace(
        "lr = 0.05\n", 'lr = 0.05\n[[optimizer.group]]\nmatch = "projector.*"\nschedule = { warmup = 4 }\n'
    )
    done = call("run", write_recipe(text.split("[[evaluate]]")[0] + "[schedule]\nwarmup = 8\n"))
    assert done.status == 0, done.err
    said = "schedule.warmup: a warm-up of 8 steps is longer than the run of 2: the learning rate only rises, to 25% of"
    assert said in done.err
    assert "optimizer.group.0.schedule.warmup: a warm-up of 4 steps is longer than the run of 2" in done.err
