"""Whatever a user gets wrong: exit status 2, one message on standard error, no traceback, nothing half-written."""

import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

import coview

FOLDER = 'use = "image_folder"\nroot = "pictures"'


def save_pictures(folder, count):
    folder.mkdir(parents=True)
    for index in range(count):
        Image.new("RGB", (16, 16), (index, 0, 0)).save(folder / f"{index}.png")


@pytest.fixture
def refused(call, tmp_path):
    """Calls the command, checks that it is refused as it should be, and returns the message."""

    def contents():
        return {path: path.read_bytes() if path.is_file() else None for path in tmp_path.rglob("*")}

    def refused(*arguments):
        before = contents()
        done = call(*arguments)
        assert done.status == 2, done
        assert done.out == ""
        assert "Traceback" not in done.err
        assert contents() == before, "nothing half-written"
        return done.err

    return refused


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hello", ":1: is not valid TOML: "),
        ("", ":1: schema: is missing"),
        ("seed = [", "is not valid TOML: "),
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
            '--set: loss.temprature: unknown key, did you mean "temperature"? (takes: temperature, weight, prefixes, between)',
        ),
        (["optimizer.lr=fast"], '--set: optimizer.lr: has to be a number, got "fast"'),
        (["optimizer.lr=0"], "--set: optimizer.lr: has to be greater than 0, got 0"),
        (["loss.use=nt_xnt"], '--set: loss.use: unknown loss "nt_xnt", did you mean "nt_xent"?'),
        (["encoder.use=timm:resnet81"], 'timm has no model "resnet81", did you mean "resnet18"'),
        (["data.use=digit"], 'unknown dataset "digit", did you mean "digits"?'),
        (["train.batch_size=1"], "--set: train.batch_size: nt_xent needs at least 2 samples in a batch, got 1"),
        (["data.views=1"], "--set: data.views: nt_xent needs 2 views of each sample, got 1"),
        (["loss"], "--set loss: has to be KEY=VALUE, such as loss.temperature=0.2"),
        (["train.epochs=2", "train.steps=3"], "--set: train.steps: both epochs and steps are given: give one of them"),
        (["optimizer.momentum=1.0"], "--set: optimizer.momentum: has to be less than 1, got 1"),
        (["encoder.width=3"], "--set: encoder.width: has to be a multiple of 2, got 3"),
        (["evaluate.0.labels_per_class=[]"], "--set: evaluate.0.labels_per_class: has to be an integer"),
        (["augment.7.size=3"], "there is no element 7: it has 1"),
        (["train.device=tpu"], "train.device: has to be 'auto', 'cpu', 'cuda' or 'mps', got \"tpu\""),
        (["sweep.grid.seed=[1,2]"], "a recipe with a sweep describes several runs"),
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
        (["evaluate", sys.executable], "it is a file, not the folder of a run"),
        (["recipe", "list", sys.executable], "it is a file, not a folder"),
        (["evaluate", "."], "there is no run in it\n  a run is a folder such as runs/NAME/STAMP-HASH"),
        (["embed", ".", "--out", "x.npy"], "there is no run in it"),
        (["export", ".", "--to", "hf"], "there is no run in it"),
        (["export", ".", "--to", "onnx"], "'onnx' is not one of 'hf', 'sentence-transformers'"),
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


def test_all_mistakes_of_a_recipe_come_at_once_each_on_its_line(refused, write_recipe, small_recipe):
    text = small_recipe.replace("seed = 3", "seed = -3").replace("size = 8", "sise = 8").replace("k = 5", 'k = "5"')
    path = write_recipe(text.replace('"nt_xent"', '"nt_xnt"'))
    lines = text.splitlines()
    said = refused("run", path).removeprefix("error: ").splitlines()
    assert [line.removeprefix(f"{path}:").split(": ")[:2] for line in said] == [
        [str(lines.index("seed = -3") + 1), "seed"],
        [str(lines.index("[[augment]]") + 1), "augment.0.size"],
        [str(lines.index("sise = 8") + 1), "augment.0.sise"],
        [str(lines.index('use = "nt_xent"') + 1), "loss.use"],
        [str(lines.index('k = "5"') + 1), "evaluate.0.k"],
    ]


def test_an_output_folder_that_cannot_be_made(refused, write_recipe, tmp_path):
    (tmp_path / "file").write_text("")
    message = refused("run", write_recipe(), "--out", "file/runs")
    assert message == (
        "error: runs cannot be written to file/runs: Not a directory\n  choose another folder with --out\n"
    )


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs a file system that refuses everybody, root too")
def test_an_output_folder_that_may_not_be_written(refused, write_recipe):
    message = refused("run", write_recipe(), "--out", "/proc/runs")
    assert message.startswith("error: runs cannot be written to /proc/runs: ")
    assert message.endswith("\n  choose another folder with --out\n")


@pytest.mark.parametrize(
    ("make", "says", "hint"),
    [
        (lambda folder: None, "data.root: image folder PICTURES: there is no such folder", "expected are"),
        (lambda folder: folder.write_text(""), "data.root: image folder PICTURES: it is a file", "expected are"),
        (
            lambda folder: folder.mkdir(),
            "data.root: image folder PICTURES has no pictures: it is empty",
            "expected are",
        ),
        (lambda folder: save_pictures(folder / "only", 40), "has exactly one class, 'only'", "pictures/only"),
        (
            lambda folder: [save_pictures(folder / name, 12) for name in ("a", "b")],
            "train.batch_size: a batch of 32 is more than the 19 training samples",
            "--set train.batch_size=4",
        ),
        (
            lambda folder: [save_pictures(folder / name, 4) for name in ("a", "b")],
            "train.batch_size: a batch of 32 is more than the 6 training samples",
            "--set train.batch_size=2",
        ),
        (
            lambda folder: [save_pictures(folder / name, 1) for name in ("a", "b")],
            "data.root: each of the 2 classes has one sample, which cannot be in both splits",
            "add samples to the classes",
        ),
        (
            lambda folder: save_pictures(folder, 2),
            "train.batch_size: a batch of 32 is more than the 1 training samples",
            "nt_xent needs at least 2 samples in a batch: add data",
        ),
    ],
    ids=["not there", "a file", "empty", "one class", "few", "very few", "one of each", "too few"],
)
def test_data_that_cannot_be_trained_on(refused, call, write_recipe, small_recipe, tmp_path, make, says, hint):
    make(tmp_path / "pictures")
    text = small_recipe.replace('use = "digits"', FOLDER)
    path = write_recipe(text)
    message = refused("run", path)
    says = says.replace("PICTURES", str(tmp_path / "pictures"))
    assert says in message
    if says.startswith(("data.", "train.")):
        key = 'root = "pictures"' if says.startswith("data.") else "batch_size = 32"
        assert message.startswith(f"error: {path}:{text.splitlines().index(key) + 1}: {says}")
    first, _, second = message.rstrip("\n").partition("\n  ")
    assert hint in second, "a hint says what to do"
    assert "\n" not in second
    assert refused("run", path, "--dry-run") == message
    checked = refused("recipe", "check", path, "--build")
    assert checked.startswith(f"error: {path}:")
    assert first.removeprefix("error: ") in checked
    if hint.startswith("--set"):
        assert call("run", path, "--dry-run", *hint.split()).status == 0, "what the hint says works"


def test_data_that_is_not_there_says_how_to_get_it(refused, write_recipe, tmp_path):
    message = refused("run", write_recipe(), "--set", "data.use=fashion_mnist", "--set", f"data.root={tmp_path}")
    assert f"{tmp_path} has no train-images-idx3-ubyte.gz" in message
    assert "coview data fetch fashion_mnist --again; or get the four .gz files of https://" in message
    assert message.startswith("error: --set: data.root: Fashion-MNIST: ")


def test_a_package_that_is_missing_is_named_with_the_line_that_brings_it(fork_command, write_recipe):
    block = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "albumentations":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
for name in [name for name in sys.modules if name.split(".")[0] == "albumentations"]:
    del sys.modules[name]
"""
    done = fork_command("recipe", "check", write_recipe(), "--set", "augment.0.use=albumentations:Blur", before=block)
    assert done.status == 2
    assert "image/albumentations needs the package 'albumentations', which is not installed" in done.err
    assert "pip install 'coview[image]'" in done.err
    assert "Traceback" not in done.err


def test_a_model_that_is_nowhere(refused, write_recipe, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    message = refused("run", write_recipe(), "--set", 'encoder={use="hf:nobody/nothing-of-a-test"}')
    assert "is neither a folder here nor in the cache, and http://127.0.0.1:9 cannot be reached" in message
    assert "local folder" in message
    assert "network" in message


# ---- resuming ------------------------------------------------------------------------------------------------------


def test_a_resume_with_a_changed_recipe_shows_the_difference(refused, own_run, write_recipe):
    sets = ["--set", "loss.temperature=0.3", "--set", "optimizer.lr=0.1"]
    message = refused("run", write_recipe(), "--out", "runs", "--resume", *sets)
    first, *lines = message.splitlines()
    assert first.startswith(f"error: runs/small/{own_run.path.name} is a run of another recipe and cannot be resumed")
    assert lines == [
        "    loss.temperature: 0.5 → 0.3",
        "    optimizer.lr: 0.05 → 0.1",
        "  undo the change to go on with that run, or leave out --resume to start a new one",
    ]


def damage(run):
    """Truncates the weights of the latest checkpoint."""
    weights = run.path / "checkpoints" / "step-6" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])


def test_a_truncated_checkpoint_is_named_and_the_one_before_is_taken(fork_command, own_run, call):
    damage(own_run)
    done = fork_command("embed", own_run.path, "--out", "x.npy")
    assert done.status == 0, done.err
    step = own_run.path / "checkpoints" / "step-6"
    size = (own_run.path / "checkpoints" / "step-3" / "weights.safetensors").stat().st_size
    assert done.err == (
        f"warning: a damaged checkpoint is skipped: {step}: weights.safetensors has 1,000 bytes of {size:,}\n"
    )
    shutil.rmtree(step)
    assert call("embed", own_run.path, "--out", "y.npy").status == 0
    assert Path("x.npy").read_bytes() == Path("y.npy").read_bytes()


@pytest.mark.parametrize("command", ["embed", "export", "evaluate"])
def test_without_a_whole_checkpoint_there_is_nothing_to_use(refused, own_run, command):
    damage(own_run)
    shutil.rmtree(own_run.path / "checkpoints" / "step-3")
    more = {"embed": ["--out", "x.npy"], "export": ["--to", "hf"], "evaluate": []}[command]
    with pytest.warns(UserWarning, match="damaged checkpoint"):
        message = refused(command, own_run.path, *more)
    assert message == f"error: {own_run.path} has no checkpoint\n  train it with coview run … --resume\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["embed", "--out", "x.txt"], "x.txt: the file has to end in .npz, .npy or .safetensors"),
        (["embed", "--out", "nowhere/x.npy"], "nowhere/x.npy cannot be written: No such file or directory"),
        (["embed", "dev", "--out", "x.npy"], "split has to be one of train, test, got 'dev'"),
        (
            ["embed", "--out", "x.npy", "--set", "optimizer.lr=1"],
            "embedding can change data, modality and train.device only",
        ),
        (
            ["evaluate", "--set", "optimizer.lr=1.0"],
            "an evaluation can change only [[evaluate]] and train.device, but this changes:\n    optimizer",
        ),
        (["evaluate", "--set", "evaluate.0.k=0"], "--set: evaluate.0.k: has to be greater than or equal to 1, got 0"),
        (["export", "--to", "hf", "--out", "."], "error: . is not empty\n  choose another folder with --out"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_run_that_is_asked_for_what_it_cannot_do(refused, own_run, arguments, says):
    command, *rest = arguments
    assert says in refused(command, own_run.path, *rest)


def test_a_run_whose_recipe_is_broken(refused, own_run):
    with own_run.folder.recipe.open("a") as file:
        file.write("nonsense")
    assert f"{own_run.folder.recipe}:" in refused("evaluate", own_run.path)


def test_a_run_that_another_process_is_writing(refused, own_run):
    from filelock import FileLock

    own_run.folder.lock.touch()
    with FileLock(own_run.folder.lock):
        message = refused("evaluate", own_run.path, "--set", "evaluate.0.k=3")
    assert message == f"error: another process is writing {own_run.path}\n  wait for it to end, or stop it\n"


# ---- bugs, and --debug -------------------------------------------------------------------------------------------------


def test_debug_shows_the_traceback(start, call, write_recipe):
    path = write_recipe("hello")
    done = start("recipe", "check", path, "--debug")
    assert done.status == 2
    assert "Traceback" in done.err
    assert done.err.endswith(call("recipe", "check", path).err)


def test_debug_shows_what_a_component_raised(call, write_recipe, tmp_path, monkeypatch, registry):
    from coview.plugins import discovery

    def with_a_broken_one(**_):
        mine = coview.Registrar("mine")
        mine.loss("broken", "broken_loss_of_a_test:Loss", summary="s")
        return registry.plus(mine)

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
