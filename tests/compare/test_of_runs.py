"""Runs that are there already, told apart by what their recipes differ in."""

from __future__ import annotations

import json

import pytest
from fabricated_runs import result, write_run

from coview import load_recipe
from coview.compare.collect import collect
from coview.compare.existing_runs import compare_runs
from coview.errors import CoviewError
from coview.recipe.snapshot import to_toml


def test_runs_can_be_tested_against_one_of_them(made, call):
    paths = [made(f"{t}-{seed}", seed=seed, **{"loss.temperature": t}) for t in (0.1, 0.5) for seed in (0, 1, 2)]
    done = call("compare", *paths, "--baseline", "0.5")
    assert "each is tested against 0.5" in done.out
    done = call("compare", *paths, "--baseline", "0.2")
    assert (done.status, 'no variant is called "0.2"' in done.err) == (2, True)


@pytest.fixture
def made(registry, tmp_path):
    def make(where, /, finished=True, value=0.7, **overrides):
        recipe = load_recipe("quickstart", overrides=overrides, registry=registry)
        folder = write_run(tmp_path / where / f"stamp-{recipe.hash[:6]}", [result("pretrained", value)])
        folder.recipe.write_text(to_toml(recipe.tables))
        environment = json.loads(folder.environment.read_text())
        folder.environment.write_text(json.dumps({**environment, "finished": "2026-01-01" if finished else None}))
        return folder.path

    return make


def levels(cells):
    return [found.cell.levels for found in cells]


def test_the_axes_are_what_the_recipes_differ_in(made, registry):
    paths = [made(f"{t}-{seed}", seed=seed, **{"loss.temperature": t}) for t in (0.1, 0.5) for seed in (0, 1)]
    comparison, cells = compare_runs(paths, registry)
    assert levels(cells) == [
        {"loss.temperature": "0.1", "seed": "0"}, {"loss.temperature": "0.1", "seed": "1"},
        {"loss.temperature": "0.5", "seed": "0"}, {"loss.temperature": "0.5", "seed": "1"},
    ]  # fmt: skip
    assert [found.run.path for found in cells] == paths
    table = collect(comparison, cells)
    assert [(row.variant, row.seed) for row in table.rows] == [("0.1", "0"), ("0.1", "1"), ("0.5", "0"), ("0.5", "1")]


def test_one_seed_is_no_axis_and_a_key_that_one_lacks_is_absent(made, registry):
    paths = [made("one"), made("other", **{"teacher.momentum": 0.9})]
    _, cells = compare_runs(paths, registry, by=["teacher.momentum"])
    assert levels(cells) == [{"teacher.momentum": "(absent)"}, {"teacher.momentum": "0.9"}]


def test_names_stand_for_many_differences_where_they_say_as_much(made, registry):
    one = {"name": "cold", "loss.temperature": 0.1, "optimizer.lr": 0.01}
    other = {"name": "warm", "loss.temperature": 0.5, "optimizer.lr": 0.02}
    _, cells = compare_runs([made("a", **one), made("b", **other)], registry)
    assert levels(cells) == [{"recipe": "cold"}, {"recipe": "warm"}]
    same_name = made("c", **{**other, "name": "cold"})
    _, cells = compare_runs([made("d", **one), same_name], registry)
    assert levels(cells) == [
        {"loss.temperature": "0.1", "optimizer.lr": "0.01"}, {"loss.temperature": "0.5", "optimizer.lr": "0.02"}
    ]  # fmt: skip


def test_runs_of_one_recipe_and_seed_are_numbered(made, registry):
    paths = [made("first", value=0.6), made("second", value=0.8), made("other", **{"loss.temperature": 0.5})]
    _, cells = compare_runs(paths, registry)
    assert levels(cells) == [
        {"loss.temperature": "0.2", "repetition": "1"}, {"loss.temperature": "0.2", "repetition": "2"},
        {"loss.temperature": "0.5"},
    ]  # fmt: skip


def test_the_same_run_given_twice_counts_once(made, registry):
    path = made("one")
    with pytest.raises(CoviewError, match="at least two runs"):
        compare_runs([path, path.parent], registry)


def test_what_by_leaves_out_may_not_differ(made, registry):
    paths = [
        made("a", **{"loss.temperature": 0.1, "optimizer.lr": 0.01}), made("b", **{"loss.temperature": 0.1, "seed": 1}),
        made("c", **{"loss.temperature": 0.5}),
    ]  # fmt: skip
    with pytest.raises(CoviewError, match="differ in more than their seed") as caught:
        compare_runs(paths, registry, by=["loss.temperature"])
    assert "optimizer.lr: 0.01 → 0.002" in caught.value.message
    assert "temperature" not in caught.value.message


def test_an_unknown_key_and_an_unfinished_run_are_refused(made, registry):
    paths = [made("a"), made("b", seed=1)]
    with pytest.raises(CoviewError, match=r"no run has loss\.heat in its recipe"):
        compare_runs(paths, registry, by=["loss.heat"])
    with pytest.raises(CoviewError, match="is not finished") as caught:
        compare_runs([*paths, made("c", finished=False, seed=2)], registry)
    assert caught.value.hint == "coview run RECIPE --resume goes on with it"
