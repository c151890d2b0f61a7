"""What authors have set, and where a recipe departs from it."""

from __future__ import annotations

import re

import pytest

import coview
from coview.recipe.published import departures, needlessly_declared, published_of, read_published
from coview.recipe.shipped import RECORDS, recipe_files, shipped_folder
from coview.recipe.snapshot import flatten

FOLDER = shipped_folder()
assert FOLDER is not None
RECORDED = sorted((FOLDER / RECORDS).glob("*.toml"))
RECIPES = [path for path in recipe_files(FOLDER) if RECORDS not in path.parts and "compare" not in path.parts]


@pytest.fixture(scope="module")
def registry():
    return coview.load_plugins()


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: "/".join(path.relative_to(FOLDER).with_suffix("").parts))
def test_a_recipe_is_as_published_or_says_why_not(path, registry):
    recipe = coview.load_recipe(path, registry=registry)
    published = published_of(recipe)
    if published is None:
        return
    assert [str(found) for found in departures(recipe, published) if not found.reason] == []
    assert needlessly_declared(recipe, published) == []
    weights = {
        key: value for key, value in flatten(recipe.tables).items() if re.fullmatch(r"loss\.(\d+\.)?weight", key)
    }
    inherited = [key for key, value in weights.items() if value != 1 and key not in published.settings]
    assert inherited == [] or not recipe.trains, (
        "a weight comes along with a recipe that is extended, and multiplies the rate of SGD"
    )


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_record_says_what_was_read_and_is_what_a_recipe_is_held_against(path):
    published = read_published(path)
    assert published.paper.startswith("arXiv:")
    assert published.revision
    assert any(f'record = "{RECORDS}/{path.stem}"' in recipe.read_text() for recipe in RECIPES)


RECORD = """
title = "A method"
paper = "arXiv:0000.00000"
code = "somebody/something"
revision = "1234567"
files = ["main.py"]

[settings]
"loss.temperature" = 0.1
"train.epochs" = 800
"augment.0.use" = "random_resized_crop"
"""


@pytest.fixture
def check(tmp_path, small_recipe, registry):
    """A recipe that extends one with a [paper], and what coview recipe diff --paper then has."""

    def check(paper, child=""):
        (tmp_path / "record.toml").write_text(RECORD)
        (tmp_path / "parent.toml").write_text(small_recipe + paper)
        (tmp_path / "child.toml").write_text(f'schema = 1\nextends = "parent.toml"\nname = "child"\n{child}')
        recipe = coview.load_recipe(tmp_path / "child.toml", registry=registry)
        published = published_of(recipe)
        return recipe, None if published is None else [str(found) for found in departures(recipe, published)]

    return check


def test_a_child_is_held_against_what_its_parent_names(check):
    _, found = check(
        '\n[paper]\nrecord = "record.toml"\n[paper.differs]\n"train.epochs" = "steps are enough"\n',
        '[loss]\ntemperature = 0.3\n[[augment]]\nuse = "random_flip"\n',
    )
    assert found == [
        "loss.temperature: 0.1 → 0.3  (not declared)",
        "train.epochs: 800 → (absent)  (steps are enough)",
        'augment.0.use: "random_resized_crop" → "random_flip"  (not declared)',
    ]


def test_what_is_declared_and_is_as_published_is_told(check):
    recipe, _ = check(
        '\n[paper]\nrecord = "record.toml"\n[paper.differs]\n"loss.temperature" = "why"\n',
        "[loss]\ntemperature = 0.1\n",
    )
    assert needlessly_declared(recipe, published_of(recipe)) == ["loss.temperature"]


def test_an_empty_reason_takes_a_parents_back(check):
    recipe, found = check(
        '\n[paper]\nrecord = "record.toml"\n[paper.differs]\n"loss.temperature" = "why"\n"train.epochs" = "y"\n',
        '[loss]\ntemperature = 0.1\n[paper.differs]\n"loss.temperature" = ""\n"train.epochs" = ""\n',
    )
    assert needlessly_declared(recipe, published_of(recipe)) == []
    assert "train.epochs: 800 → (absent)  (not declared)" in found


def test_another_record_takes_nothing_of_the_parents(check, tmp_path):
    (tmp_path / "other.toml").write_text(RECORD.replace("0.1", "0.7"))
    recipe, found = check(
        '\n[paper]\nrecord = "record.toml"\nbesides = ["x"]\n[paper.differs]\n"train.epochs" = "y"\n',
        '[paper]\nrecord = "other.toml"\n',
    )
    assert (recipe.paper.besides, recipe.paper.differs) == ([], {})
    assert any(line.startswith("loss.temperature: 0.7 → ") for line in found)
    recipe, found = check('\n[paper]\nrecord = "record.toml"\n', '[paper]\nrecord = ""\n')
    assert found is None


def test_a_paper_is_no_part_of_what_is_computed(check):
    with_paper, _ = check('\n[paper]\nrecord = "record.toml"\n')
    without, _ = check("")
    assert with_paper.hash == without.hash
    assert with_paper.tables == without.tables


@pytest.mark.parametrize(
    ("paper", "message"),
    [
        ('record = "nowhere.toml"', r'parent.toml:\d+: paper.record: there is no file ".*nowhere.toml"'),
        ('record = "child.toml"', r"paper.record: .*child.toml is not a record of a paper: title: Field required"),
        (
            'record = "record.toml"\n[paper.differs]\n"agument.*" = "w"',
            r'differs.*a recipe has no such table, did you mean "augment"\?',
        ),
        (
            'record = "record.toml"\n[paper.differs]\n"loss.temprature" = "w"',
            r'differs.*did you mean "loss.temperature"',
        ),
        ('[paper.differs]\n"x" = "y"', "paper.differs: needs a record, and none is named"),
        ('record = "record.toml"\nwhy = 1', r"paper.why: unknown key"),
    ],
)
def test_what_is_wrong_with_it_is_one_line_with_the_place(check, paper, message):
    with pytest.raises(coview.RecipeError, match=message):
        check(f"\n[paper]\n{paper}\n")


def test_the_command_says_what_differs_and_from_what(call, tmp_path):
    done = call("recipe", "diff", "--paper", "base/mae")
    assert done.status == 0
    assert done.out.splitlines()[0].startswith("MAE, ViT-B/16")
    assert "facebookresearch/mae at efb2a80" in done.out
    assert "settings that are recorded are as published" in done.out
    (tmp_path / "mine.toml").write_text('schema = 1\nextends = "base/mae"\nname = "mine"\n[mask]\nratio = 0.5\n')
    assert "mask.ratio: 0.75 → 0.5  (not declared)" in call("recipe", "diff", "--paper", "mine.toml").out
    for words, says in (
        (["quickstart", "--paper"], "it names no published method"),
        (["quickstart"], "give two recipes, or one and --paper"),
        (["quickstart", "base/mae", "--paper"], "give two recipes, or one and --paper"),
    ):
        done = call("recipe", "diff", *words)
        assert done.status == 2
        assert says in done.err


def test_a_pattern_is_of_all_keys_that_match_it_but_those_of_which_more_is_said(check):
    recipe, found = check(
        '\n[paper]\nrecord = "record.toml"\n[paper.differs]\n"train.*" = "short"\n"loss.*" = "any"\n"loss.temp*" = "less"\n'
        '"train.epochs" = "shorter"\n"decoder.*" = "none here"\n',
        "[loss]\ntemperature = 0.2\n",
    )
    assert found == ["loss.temperature: 0.1 → 0.2  (less)", "train.epochs: 800 → (absent)  (shorter)"]
    assert needlessly_declared(recipe, published_of(recipe)) == []


def test_a_record_takes_what_it_does_not_say_from_the_one_that_it_extends(tmp_path):
    (tmp_path / "long.toml").write_text(RECORD)
    (tmp_path / "short.toml").write_text(
        'extends = "long.toml"\ntitle = "Shorter"\nwithout = ["augment.*"]\n[settings]\n"train.epochs" = 100\n'
    )
    published = read_published(tmp_path / "short.toml")
    assert (published.title, published.paper, published.revision) == ("Shorter", "arXiv:0000.00000", "1234567")
    assert published.settings == {"loss.temperature": 0.1, "train.epochs": 100}
    (tmp_path / "wrong.toml").write_text('extends = "long.toml"\nwithout = [1]\n')
    with pytest.raises(coview.CoviewError, match=r"wrong\.toml is not a record of a paper: without"):
        read_published(tmp_path / "wrong.toml")
    (tmp_path / "long.toml").write_text('extends = "short.toml"\n')
    with pytest.raises(coview.CoviewError, match=r"short\.toml extends itself, by way of .*long\.toml"):
        read_published(tmp_path / "short.toml")
