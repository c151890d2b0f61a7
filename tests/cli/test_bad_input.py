"""Whatever a user gets wrong: exit status 2, one message on standard error, no traceback, nothing half-written."""

import pytest
from PIL import Image

FOLDER = 'use = "image_folder"\nroot = "pictures"'


def save_pictures(folder, count):
    folder.mkdir(parents=True)
    for index in range(count):
        Image.new("RGB", (16, 16), (index, 0, 0)).save(folder / f"{index}.png")


@pytest.fixture
def refused(call, tmp_path):
    """Calls the command, checks that it is refused as it should be, and returns the message."""

    def refused(*arguments):
        before = sorted(tmp_path.rglob("*"))
        done = call(*arguments)
        assert done.status == 2, done
        assert done.out == ""
        assert "Traceback" not in done.err
        assert sorted(tmp_path.rglob("*")) == before
        return done.err

    return refused


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hello", ":1: is no valid TOML: "),
        ("", ":1: schema: is missing"),
        ("seed = [", "is no valid TOML: "),
        ('schema = 1\nextends = "recipe.toml"', ":2: extends: the recipes extend each other in a circle: "),
        ('extends = "other.toml"', ":1: extends: "),
    ],
)
def test_a_file_that_is_no_recipe(refused, write_recipe, text, says):
    for command in ("run", ["recipe", "check"]):
        message = refused(*([command] if isinstance(command, str) else command), write_recipe(text))
        assert message.startswith("error: ")
        assert says in message or says.removeprefix(":1: ") in message


@pytest.mark.parametrize(
    ("sets", "says"),
    [
        (
            ["loss.temprature=1"],
            '--set: loss.temprature: unknown key, did you mean "temperature"? (takes: temperature, weight)',
        ),
        (["train.lr=fast"], '--set: train.lr: has to be a number, got "fast"'),
        (["train.lr=0"], "--set: train.lr: has to be greater than 0, got 0"),
        (["loss.use=nt_xnt"], '--set: loss.use: unknown loss "nt_xnt", did you mean "nt_xent"?'),
        (["encoder.use=timm:resnet81"], 'timm has no model "resnet81", did you mean "resnet18"'),
        (["data.use=digit"], 'unknown dataset "digit", did you mean "digits"?'),
        (["train.batch_size=1"], "--set: train.batch_size: nt_xent needs at least 2 samples in a batch, got 1"),
        (["data.views=1"], "--set: data.views: nt_xent needs 2 views of each sample, got 1"),
        (["loss"], "--set loss: has to be KEY=VALUE, such as loss.temperature=0.2"),
        (["augment.7.size=3"], "there is no element 7: it has 1"),
        (["train.device=tpu"], "train.device: has to be 'auto', 'cpu', 'cuda' or 'mps', got \"tpu\""),
        (["sweep.grid.seed=[1,2]"], "a recipe with a sweep is several runs"),
    ],
)
def test_a_recipe_with_a_mistake(refused, write_recipe, sets, says):
    options = [word for text in sets for word in ("--set", text)]
    assert says in refused("run", write_recipe(), *options)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "quikstart"], 'error: quikstart: no such file, did you mean "quickstart"?'),
        (["run", "."], "is a folder, not a recipe"),
        (["run"], "Missing argument 'RECIPE'"),
        (["rum"], "No such command 'rum'"),
        (["run", "x.toml", "--fast"], "No such option '--fast'"),
        (["run", "x.toml", "--out"], "requires an argument"),
        ([], "Usage: coview"),
        (["evaluate", "nowhere"], "error: nowhere: there is no such folder"),
        (["evaluate", "."], "there is no run in it\n  a run is a folder such as runs/NAME/STAMP-HASH"),
        (["embed", ".", "--out", "x.npy"], "there is no run in it"),
        (["export", ".", "--to", "hf"], "there is no run in it"),
        (["export", ".", "--to", "onnx"], "'onnx' is not 'hf'"),
        (["recipe", "list", "nowhere"], "error: nowhere: there is no such folder"),
        (["recipe", "diff", "quickstart", "nowhere"], "error: nowhere: no such file"),
        (["recipe", "show", "quickstart", "--cell", "0"], "0 is not in the range x>=1"),
        (
            ["recipe", "schema", "--out", "nowhere/x.json"],
            "nowhere/x.json cannot be written: No such file or directory",
        ),
        (
            ["--no-plugin", "imgae", "plugins", "list"],
            "there is no plugin 'imgae' to leave out, did you mean \"image\"?",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_call_that_makes_no_sense(refused, arguments, says):
    assert says in refused(*arguments)


def test_an_output_folder_that_cannot_be_made(refused, write_recipe, tmp_path):
    (tmp_path / "file").write_text("")
    message = refused("run", write_recipe(), "--out", "file/runs")
    assert message == (
        "error: runs cannot be written to file/runs: Not a directory\n  choose another folder with --out\n"
    )


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: None, "image folder pictures: there is no such folder"),
        (lambda folder: folder.mkdir(), "image folder pictures has no pictures: it is empty"),
        (lambda folder: save_pictures(folder / "only", 40), "has exactly one class, 'only'"),
        (
            lambda folder: [save_pictures(folder / name, 4) for name in ("a", "b")],
            "train.batch_size: a batch of 32 is more than the 6 training samples",
        ),
    ],
    ids=["not there", "empty", "one class", "too few"],
)
def test_data_that_cannot_be_trained_on(refused, write_recipe, small_recipe, tmp_path, make, says):
    make(tmp_path / "pictures")
    path = write_recipe(small_recipe.replace('use = "digits"', FOLDER))
    message = refused("run", path)
    assert says in message
    assert message.count("\n  ") == 1, "a hint says what to do"
    assert says in refused("run", path, "--dry-run")


def test_data_that_is_not_there_says_how_to_get_it(refused, write_recipe, tmp_path):
    message = refused("run", write_recipe(), "--set", "data.use=fashion_mnist", "--set", f"data.root={tmp_path}")
    assert f"looked in {tmp_path}" in message
    assert "apt-get install dataset-fashion-mnist, or put the four .gz files of https://" in message


def test_a_package_that_is_missing_is_named_with_the_line_that_brings_it(start, write_recipe):
    block = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "albumentations":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
"""
    done = start("recipe", "check", write_recipe(), "--set", "augment.0.use=albumentations:Blur", before=block)
    assert done.status == 2
    assert "image/albumentations needs the package 'albumentations', which is not installed" in done.err
    assert "pip install 'coview[image]'" in done.err
    assert "Traceback" not in done.err


def test_debug_shows_the_traceback(start, call, write_recipe):
    path = write_recipe("hello")
    done = start("recipe", "check", path, "--debug")
    assert done.status == 2
    assert "Traceback" in done.err
    assert done.err.endswith(call("recipe", "check", path).err)


def test_debug_shows_what_a_component_raised(call, write_recipe, tmp_path, monkeypatch, registry):
    from coview.plugins import discovery

    def with_a_broken_one(**_):
        registry_of_test = discovery.Registry("mine", [*registry.components], registry.plugins)
        registry_of_test.loss("broken", "broken_loss_of_a_test:Loss", summary="s")
        return registry_of_test

    (tmp_path / "broken_loss_of_a_test.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(discovery, "load_plugins", with_a_broken_one)
    arguments = ["recipe", "check", write_recipe(), "--set", "loss.use=broken"]
    assert "loss.use: loss mine/broken cannot be imported: ZeroDivisionError" in call(*arguments).err
    assert "broken_loss_of_a_test.py" in call(*arguments, debug=True).err


def test_a_bug_is_no_mistake_of_the_users(start, write_recipe):
    done = start("recipe", "check", write_recipe(), before="import coview.recipe.load as l\nl.load_recipe = None")
    assert done.status == 1
    assert "Traceback" in done.err
