"""A relative path goes by where it is written, and the recipe's hash by its text."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any

import pytest
from annotated_types import MinLen

import coview
from coview.plugins.parameters import Parameters
from coview.recipe.comparison import load_comparison
from coview.recipe.load import load_cells
from coview.recipe.snapshot import to_toml

DATA = '[data]\nuse = "image_folder"\nroot = "pix"'


@pytest.fixture
def write(write_recipe, small_recipe):
    """A recipe of pictures in ``pix``, anywhere below the test's folder."""

    def write(name, text=None):
        return write_recipe(text or small_recipe.replace('[data]\nuse = "digits"', DATA), name)

    return write


def root(recipe):
    return recipe.data.parameters["root"]


def test_a_path_in_a_file_goes_by_the_file_and_one_of_set_by_the_current_folder(write, registry, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    path = write("proj/r.toml")
    for given in (path, Path("../proj/r.toml")):
        recipe = coview.load_recipe(given, registry=registry)
        assert root(recipe) == str(tmp_path / "proj/pix")
        assert recipe.tables["data"]["root"] == "pix"
        assert recipe.tables["relative_to"] == {"data.root": str(tmp_path / "proj")}
    typed = coview.load_recipe(path, sets=["data.root=pix"], registry=registry)
    assert (root(typed), typed.hash) == (str(tmp_path / "here/pix"), recipe.hash)
    python = coview.load_recipe(path, overrides={"data.root": Path("pix")}, registry=registry)
    assert root(python) == str(tmp_path / "here/pix")
    up = coview.load_recipe(path, sets=["data.root=../pix"], registry=registry)
    assert root(up) == str(tmp_path / "pix")


def test_a_parents_path_goes_by_the_parent(write, registry, tmp_path):
    write("base/parent.toml")
    child = write("proj/deep/child.toml", 'schema = 1\nextends = "../../base/parent.toml"\n')
    assert root(coview.load_recipe(child, registry=registry)) == str(tmp_path / "base/pix")
    own = write("proj/deep/own.toml", 'schema = 1\nextends = "../../base/parent.toml"\n[data]\nroot = "pix"\n')
    assert root(coview.load_recipe(own, registry=registry)) == str(tmp_path / "proj/deep/pix")


def test_one_hash_in_two_checkouts(write, registry):
    one, two = (coview.load_recipe(write(f"{name}/r.toml"), registry=registry) for name in ("one", "two"))
    assert one.hash == two.hash
    assert root(one) != root(two)


def test_home_and_whole_paths(write, registry, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    path = write("proj/r.toml")
    for given, found in (("~/pix", tmp_path / "home/pix"), (str(tmp_path / "any"), tmp_path / "any")):
        recipe = coview.load_recipe(path, sets=[f"data.root={given}"], registry=registry)
        assert (root(recipe), "relative_to" in recipe.tables) == (str(found), False)


def test_the_resolved_recipe_leads_to_the_same_place_wherever_it_lies(write, registry, tmp_path):
    recipe = coview.load_recipe(write("proj/r.toml"), registry=registry)
    moved = write("elsewhere/deep/resolved.toml", to_toml(recipe.tables))
    again = coview.load_recipe(moved, registry=registry)
    assert (root(again), again.hash, again.tables) == (root(recipe), recipe.hash, recipe.tables)
    other = write("elsewhere/child.toml", 'schema = 1\nextends = "deep/resolved.toml"\n[data]\nroot = "pix"\n')
    assert root(coview.load_recipe(other, registry=registry)) == str(tmp_path / "elsewhere/pix")


def test_every_part_of_a_recipe(write, small_recipe, registry, tmp_path):
    text = small_recipe.replace(
        'use = "resnet18"\nstem = "small"\nwidth = 8', 'use = "timm:resnet18"\ncheckpoint = "w.pth"'
    )
    text += '\n[[evaluate]]\nuse = "knn"\ndata = { use = "image_shards", train = "tars/*.tar" }\n'
    recipe = coview.load_recipe(write("proj/r.toml", text), registry=registry)
    proj = str(tmp_path / "proj")
    assert recipe.tables["relative_to"] == {"encoder.checkpoint": proj, "evaluate.1.data.train": proj}
    assert recipe.encoder["image"].parameters["checkpoint"] == f"{proj}/w.pth"
    assert recipe.evaluate[1].data.parameters["train"] == f"{proj}/tars/*.tar"
    assert recipe.evaluate[1].data.written["train"] == "tars/*.tar"
    again = coview.load_recipe(write("x/y.toml", to_toml(recipe.tables)), registry=registry)
    assert again.encoder["image"].parameters["checkpoint"] == f"{proj}/w.pth"
    assert again.evaluate[1].data.parameters["train"] == f"{proj}/tars/*.tar"
    assert again.tables == recipe.tables


def test_tables_that_are_split_by_a_single_modality(write, small_recipe, registry, tmp_path):
    text = small_recipe.replace("[encoder]", "[encoder.image]").replace(
        'use = "resnet18"\nstem = "small"\nwidth = 8', 'use = "timm:resnet18"\ncheckpoint = "w.pth"'
    )
    recipe = coview.load_recipe(write("proj/r.toml", text), registry=registry)
    again = coview.load_recipe(write("x/y.toml", to_toml(recipe.tables)), registry=registry)
    assert again.encoder["image"].parameters["checkpoint"] == str(tmp_path / "proj/w.pth")


def test_a_local_model_goes_by_the_file_too(write, small_recipe, registry, tmp_path):
    for folder in ("proj/vit", "x"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "proj/vit/config.json").write_text("{}")
    text = small_recipe.replace('use = "resnet18"\nstem = "small"\nwidth = 8', 'use = "hf:./vit"')
    recipe = coview.load_recipe(write("proj/r.toml", text), registry=registry)
    assert recipe.encoder["image"].use == f"hf:{tmp_path / 'proj/vit'}"
    assert recipe.tables["encoder"]["use"] == "hf:./vit"
    again = coview.load_recipe(write("x/y.toml", to_toml(recipe.tables)), registry=registry)
    assert (again.encoder["image"].use, again.hash) == (recipe.encoder["image"].use, recipe.hash)


def test_the_cells_of_a_sweep_and_of_a_comparison(write, small_recipe, registry, tmp_path):
    text = small_recipe.replace('[data]\nuse = "digits"', DATA) + '\n[sweep.grid]\n"data.root" = ["a", "b"]\n'
    recipe = coview.load_recipe(write("proj/r.toml", text), registry=registry)
    cells = [cell for _, cell in load_cells(recipe, registry)]
    assert [root(cell) for cell in cells] == [str(tmp_path / "proj/a"), str(tmp_path / "proj/b")]
    assert root(coview.load_recipe(write("c.toml", to_toml(cells[1].tables)), registry=registry)) == root(cells[1])
    write("one/r.toml")
    write("two/r.toml", small_recipe.replace('name = "small"', 'name = "other"'))
    both = 'schema = 1\nname = "both"\n[compare]\nrecipes = ["../one/r.toml", "../two/r.toml"]\n'
    comparison = load_comparison(write("compare/both.toml", both), registry=registry)
    assert root(comparison.cells[0].recipe) == str(tmp_path / "one/pix")


@pytest.mark.parametrize("given", ["3", '["a"]', '{ "data.root" = 3 }'])
def test_what_relative_to_may_be(write, small_recipe, registry, given):
    path = write("r.toml", small_recipe.replace("seed = 3", f"relative_to = {given}"))
    with pytest.raises(coview.RecipeError, match=r"r.toml:3: relative_to: has to be a table of keys and folders"):
        coview.load_recipe(path, registry=registry)


def test_the_current_folder_is_gone(write, registry, tmp_path, monkeypatch):
    path = write("proj/r.toml")
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    os.rmdir(tmp_path / "gone")
    assert root(coview.load_recipe(path, registry=registry)) == str(tmp_path / "proj/pix")
    with pytest.raises(coview.RecipeError, match="relative to the current folder, which does not exist any more"):
        coview.load_recipe(path, sets=["data.root=pix"], registry=registry)


def test_which_parameters_are_paths():
    def factory(
        *,
        one: Path,
        maybe: Path | None = None,
        several: Annotated[tuple[Path, ...], MinLen(1)] = (),
        by_name: dict[str, Path] | None = None,
        either: str | Path = "",
        text: str = "",
        keys: dict[Path, str] | None = None,
        anything: Any = None,
    ) -> None: ...

    found = Parameters.of(factory, "evaluator")
    assert found.paths == ("one", "maybe", "several", "by_name", "either")
    assert found.paths_or_names == ("either",)


def test_show_resolved_can_be_run_from_another_folder(write, call, tmp_path):
    path = write("proj/r.toml")
    done = call("recipe", "show", path, "--resolved")
    assert tomllib.loads(done.out)["relative_to"] == {"data.root": str(tmp_path / "proj")}
