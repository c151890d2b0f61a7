import os
from pathlib import Path

import pytest

from coview.errors import RecipeError
from coview.recipe.load import read_layers


@pytest.fixture
def family(write_recipe):
    write_recipe(
        """\
schema = 1
name = "parent"
[data]
use = "one"
views = 4
root = "there"
[loss]
use = "nt_xent"
temperature = 0.5
[train]
log_every = 1
epochs = 3
[[augment]]
use = "crop"
size = 8
[[augment]]
use = "flip"
""",
        "base/parent.toml",
    )
    return lambda text: write_recipe(f'extends = "base/parent.toml"\n{text}', "child.toml")


def test_tables_merge_deeply_and_arrays_replace(family):
    layers = read_layers(family('[train]\nlog_every = 2\n[[augment]]\nuse = "blur"\n'))
    assert layers.table["train"] == {"log_every": 2, "epochs": 3}
    assert layers.table["augment"] == [{"use": "blur"}]
    assert "extends" not in layers.table


def test_a_table_whose_use_changes_is_replaced_whole(family):
    assert read_layers(family('[loss]\nuse = "vicreg"\n')).table["loss"] == {"use": "vicreg"}
    assert read_layers(family('[loss]\nuse = "nt_xent"\n')).table["loss"] == {"use": "nt_xent", "temperature": 0.5}


def test_other_data_keeps_the_settings_that_are_not_the_data_sets(family):
    assert read_layers(family('[data]\nuse = "two"\n')).table["data"] == {"use": "two", "views": 4}
    assert read_layers(family('[data]\naugment_on = "device"\n'), sets=["data.use=two"]).table["data"] == {
        "use": "two",
        "views": 4,
        "augment_on": "device",
    }


def test_every_component_keeps_the_settings_that_are_coviews_own(write_recipe):
    path = write_recipe(
        """\
[[augment]]
use = "crop"
views = "local"
on = "device"
size = 8
[[loss]]
use = "nt_xent"
weight = 0.5
temperature = 0.1
[[loss]]
use = "koleo"
[[evaluate]]
use = "knn"
k = 5
data = { use = "digits", split = 3 }
"""
    )
    sets = ["augment.0.use=flip", "loss.0.use=vicreg", "evaluate.0.use=linear_probe", "evaluate.0.data.use=folder"]
    table = read_layers(path, sets=sets).table
    assert table["augment"] == [{"use": "flip", "views": "local", "on": "device"}]
    assert table["loss"] == [{"use": "vicreg", "weight": 0.5}, {"use": "koleo"}]
    assert table["evaluate"] == [{"use": "linear_probe", "data": {"use": "folder"}}]


@pytest.mark.parametrize(
    ("text", "sets", "length"),
    [
        ("[train]\nsteps = 5\n", [], {"steps": 5}),
        ("", ["train.steps=6"], {"steps": 6}),
        ("[train]\nsteps = 5\n", ["train.epochs=7"], {"epochs": 7}),
        ("[train]\nlog_every = 1\n", ["train.log_every=2"], {"epochs": 3}),
        ("[train]\nsteps = 5\nepochs = 2\n", [], {"steps": 5, "epochs": 2}),
        ("", ["train.steps=5", "train.epochs=2"], {"steps": 5, "epochs": 2}),
    ],
)
def test_the_length_that_is_given_last_replaces_the_other(family, text, sets, length):
    layers = read_layers(family(text), sets=sets)
    assert {key: layers.table["train"][key] for key in ("epochs", "steps") if key in layers.table["train"]} == length
    assert {key[1] for key in layers.origins if key[:1] == ("train",) and key[1:]} == {"log_every", *length}


def test_an_implied_use_counts_as_one(write_recipe):
    write_recipe("[projector]\nhidden = 8\n", "p.toml")
    child = write_recipe('extends = "p.toml"\n[projector]\nuse = "identity"\n', "c.toml")
    assert read_layers(child).table["projector"] == {"use": "identity"}


def test_origins_name_the_file_and_line_of_each_value(family, tmp_path):
    layers = read_layers(family("[train]\nlog_every = 2\n"), sets=["loss.temperature=0.1"])
    assert layers.where(("train", "log_every")) == f"{tmp_path}/child.toml:3"
    assert layers.where(("train", "epochs")) == f"{tmp_path}/base/parent.toml:12"
    assert layers.where(("augment", 1, "use")) == f"{tmp_path}/base/parent.toml:17"
    assert layers.where(("loss", "temperature")) == "--set"
    assert layers.where(("loss", "nothing")) == "--set"


def test_set_reaches_into_arrays(family):
    layers = read_layers(family(""), sets=["augment.0.size=16", "augment.1.p=0.3"])
    assert layers.table["augment"] == [{"use": "crop", "size": 16}, {"use": "flip", "p": 0.3}]


def test_set_beyond_an_array_is_a_mistake(family):
    assert "there is no element 2" in str(read_layers(family(""), sets=["augment.2.size=16"]).mistakes[0])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a.b=1", 1),
        ("a.b=0.5", 0.5),
        ("a.b=true", True),
        ("a.b=[1, 2]", [1, 2]),
        ('a.b="x"', "x"),
        ("a.b=adamw", "adamw"),
        ("a.b=/some/path", "/some/path"),
        ("a.b=x=y", "x=y"),
        ("a.b=", ""),
        ("a.b=1\nc=2", "1\nc=2"),
    ],
)
def test_the_right_side_is_toml_or_a_string(write_recipe, text, value):
    assert read_layers(write_recipe("schema = 1"), sets=[text]).table["a"]["b"] == value


@pytest.mark.parametrize("text", ["a", "=1", "a b=1", "a..b=1"])
def test_a_set_that_is_no_assignment_is_a_message(write_recipe, text):
    with pytest.raises(RecipeError, match="--set"):
        read_layers(write_recipe("schema = 1"), sets=[text])


def test_a_circle_is_named(write_recipe):
    write_recipe('extends = "b.toml"', "a.toml")
    write_recipe('extends = "c.toml"', "b.toml")
    start = write_recipe('extends = "a.toml"', "c.toml")
    with pytest.raises(RecipeError, match="in a circle"):
        read_layers(start)


def test_a_recipe_that_extends_itself_is_a_circle(write_recipe):
    with pytest.raises(RecipeError, match="in a circle"):
        read_layers(write_recipe('extends = "recipe.toml"'))


@pytest.mark.parametrize("parent", ['"none.toml"', "3", '""', '"."', '["a.toml"]', '"\\u0000"'])
def test_a_parent_that_is_none_is_a_message_with_the_line(write_recipe, parent):
    with pytest.raises(RecipeError, match=r"recipe.toml:2: extends"):
        read_layers(write_recipe(f"schema = 1\nextends = {parent}\n"))


def test_a_parent_may_be_a_shipped_recipe_by_its_name(write_recipe, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("base/simclr", "base/simclr.toml", "recipes/base/simclr.toml"):
        layers = read_layers(write_recipe(f'extends = "{name}"\nname = "mine"\n', "elsewhere/mine.toml"))
        assert layers.table["loss"]["use"] == "nt_xent"
        assert layers.table["name"] == "mine"


@pytest.mark.parametrize("file", ["mine.toml", "below/mine.toml"])
def test_a_parent_that_is_misspelt_gets_a_suggestion(write_recipe, file):
    with pytest.raises(RecipeError, match=r'mine.toml:1: extends: .*no such file, did you mean "base/simclr"\?'):
        read_layers(write_recipe('extends = "base/simclar"\n', file))


def test_a_file_beside_comes_before_a_shipped_recipe_of_its_name(write_recipe):
    write_recipe('name = "own"\n', "base/simclr.toml")
    assert read_layers(write_recipe('extends = "base/simclr.toml"\n')).table == {"name": "own"}


def test_what_the_current_folder_holds_is_nobodys_parent(write_recipe, monkeypatch, tmp_path):
    write_recipe('name = "here"\n', "quickstart.toml")
    child = write_recipe('extends = "quickstart.toml"\n', "below/child.toml")
    monkeypatch.chdir(tmp_path)
    assert read_layers(child).table["name"] == "quickstart"


def test_a_chain_that_is_too_long_is_a_message_and_one_of_use_is_none(write_recipe):
    for number in range(70):
        write_recipe(f'extends = "c{number + 1}.toml"\n', f"c{number}.toml")
    last = write_recipe("schema = 1\n", "c70.toml")
    assert read_layers(last.with_name("c8.toml")).table == {"schema": 1}
    with pytest.raises(
        RecipeError, match=r"c63.toml:1: extends: is the parent number 64 in a row, and at most 63 are allowed"
    ):
        read_layers(last.with_name("c0.toml"))


@pytest.mark.parametrize("kind", ["device", "pipe", "large"])
def test_what_is_no_plain_file_of_some_size_is_not_read(write_recipe, tmp_path, kind):
    if kind == "device":
        path = Path("/dev/zero")
    else:
        path = tmp_path / "parent.toml"
        os.mkfifo(path) if kind == "pipe" else path.write_bytes(b"#" * 5_000_000)
    child = write_recipe(f'extends = "{path}"\n')
    says = "has 5,000,000 bytes" if kind == "large" else "is a device or a pipe, not a recipe"
    for start in (child, path):
        with pytest.raises(RecipeError, match=says):
            read_layers(start)
