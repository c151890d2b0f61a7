"""A run that starts from trained weights: from a run, a checkpoint or an exported folder."""

from __future__ import annotations

import json
import re
import shutil

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import coview
from conftest import SMALL
from coview.compare.existing_runs import compare_runs

FROM = SMALL.replace('name = "small"', 'name = "second"')
ENCODER = "student.towers.image.encoder."


def step(run, number):
    return load_file(run.path / "checkpoints" / f"step-{number}" / "weights.safetensors")


def encoder_of(run, number):
    weights = step(run, number)
    return {name.removeprefix(ENCODER): t for name, t in weights.items() if name.startswith(ENCODER)}


def second(write_recipe, start, *sets, text=FROM):
    return coview.load_recipe(write_recipe(f"{text}\n[start]\n{start}\n"), sets=list(sets))


def same(tensors, module):
    own = module.state_dict()
    return own.keys() == tensors.keys() and all(torch.equal(own[name], tensors[name]) for name in own)


@pytest.mark.parametrize(
    ("start", "number"),
    [
        ('run = "{run}"', 6),
        ('run = "{runs}"', 6),
        ('run = "{run}"\nstep = 3', 3),
        ('checkpoint = "{run}/checkpoints/step-3"', 3),
        ('checkpoint = "{run}/checkpoints/step-3/weights.safetensors"', 3),
        ('checkpoint = "{run}/checkpoints/last"', 6),
        ('export = "{run}/export/hf"', 6),
    ],
)
def test_an_encoder_that_takes_no_step_is_bit_for_bit_the_one_that_was_named(
    own_run, write_recipe, tmp_path, start, number
):
    if "export" in start:
        coview.export(own_run, to="hf")
    text = start.format(run=own_run.path, runs=own_run.path.parent)
    run = coview.run(second(write_recipe, text, "train.steps=0"), tmp_path / "out", quiet=True)
    assert same(encoder_of(own_run, number), run.encoder)
    kinds = {result.kind for result in run.results}
    assert kinds == {"pretrained", "untrained", "raw"}
    told = json.loads(run.folder.results.read_text())
    assert told["untrained"] == "the same architecture at random weights: without [start]"
    before = coview.embed(run)
    shutil.rmtree(own_run.path)
    assert torch.equal(coview.embed(coview.load_run(run.path)), before), "the run has its own copy"


def test_what_training_starts_from_is_the_control_and_the_teachers_copy(own_run, write_recipe, tmp_path):
    start = f'run = "{own_run.path}"\nparts = ["encoder", "projector"]\n\n[teacher]\nmomentum = 1.0'
    text = FROM.replace('use = "nt_xent"', 'use = "info_nce"').replace("steps = 6", "steps = 1")
    run = coview.run(second(write_recipe, start, text=text), tmp_path / "out", quiet=True)
    before, after = step(own_run, 6), step(run, 1)
    for part in ("encoder", "projector"):
        names = [name for name in before if name.startswith(f"student.towers.image.{part}.")]
        assert names
        for name in names:
            if before[name].is_floating_point():  # a teacher of momentum 1 stays as it was copied
                copied = after[name.replace("student.towers", "teacher.towers.towers")]
                assert torch.equal(copied, before[name]), name
    assert not torch.equal(after[f"{ENCODER}network.conv1.weight"], before[f"{ENCODER}network.conv1.weight"])
    control = load_file(run.folder.features / "untrained" / "test.safetensors")["x_ND"]
    assert torch.equal(control, torch.as_tensor(coview.embed(own_run)))
    told = json.loads(run.folder.results.read_text())
    assert told["untrained"] == "the model as training starts from it: at the weights of [start]"


def test_the_record_says_which_weights_and_is_the_same_from_a_run_and_its_export(own_run, write_recipe, tmp_path):
    coview.export(own_run, to="hf")
    records = []
    for start in (
        f'run = "{own_run.path}"',
        f'export = "{own_run.path}/export/hf"',
        f'run = "{own_run.path}"\nstep = 3',
    ):
        run = coview.run(second(write_recipe, start, "train.steps=1", "evaluate=[]"), tmp_path / "out", quiet=True)
        records.append(json.loads(run.folder.environment.read_text())["start"]["image"])
    assert records[0]["of"] == f"step 6 of {own_run.path}"
    assert records[0]["version"] == records[1]["version"] != records[2]["version"]


def unfinished(run):
    """As a run is that was killed before it had ended."""
    for path in (run.folder.results, run.folder.report):
        path.unlink()
    environment = json.loads(run.folder.environment.read_text())
    run.folder.environment.write_text(json.dumps({**environment, "finished": None}))


@pytest.mark.parametrize("left", [["step-3"], []])
def test_a_run_goes_on_without_what_it_started_from(own_run, write_recipe, tmp_path, left):
    recipe = second(write_recipe, f'run = "{own_run.path}"')
    run = coview.run(recipe, tmp_path / "out", quiet=True)
    ended = step(run, 6)
    told = run.folder.results.read_text()
    unfinished(run)
    for path in run.folder.checkpoints.iterdir():
        if path.name not in left:
            path.unlink() if path.is_symlink() else shutil.rmtree(path)
    shutil.rmtree(run.folder.features)
    shutil.rmtree(own_run.path)
    again = coview.run(recipe, tmp_path / "out", resume=True, quiet=True)
    assert again.path == run.path
    assert {name: torch.equal(tensor, ended[name]) for name, tensor in step(again, 6).items()} == dict.fromkeys(
        ended, True
    )
    values = [[r["value"] for r in json.loads(text)["results"]] for text in (told, again.folder.results.read_text())]
    assert values[0] == values[1]


def replaced(run):
    """The same checkpoint with other weights, its manifest right."""
    from coview.train.checkpoint import save_checkpoint

    tensors = {name: tensor + 1 for name, tensor in step(run, 6).items()}
    topology = run.topology
    topology.load_state_dict(tensors)
    save_checkpoint(run.folder.checkpoints, 6, 0.5, topology, {}, keep=9)


def test_other_weights_at_the_same_place_are_another_run(own_run, write_recipe, tmp_path, registry):
    recipe = second(write_recipe, f'run = "{own_run.path}"', "train.steps=2", "evaluate=[]")
    first = coview.run(recipe, tmp_path / "out", quiet=True)
    replaced(own_run)
    finished = first.folder.environment.read_text()
    first.folder.environment.write_text(json.dumps({**json.loads(finished), "finished": None}))
    with pytest.raises(
        coview.CoviewError, match=r"recipe.toml:42: start.run has different weights than .* started from"
    ):
        coview.run(recipe, tmp_path / "out", resume=True, quiet=True)
    first.folder.environment.write_text(finished)
    other = coview.run(recipe, tmp_path / "out", quiet=True)
    assert not torch.equal(
        step(other, 2)[f"{ENCODER}network.conv1.weight"], step(first, 2)[f"{ENCODER}network.conv1.weight"]
    )
    with pytest.raises(coview.CoviewError, match="would be averaged, but started from different weights"):
        compare_runs([first.path, other.path], registry)


@pytest.mark.usefixtures("forks")
def test_a_comparison_runs_a_cell_again_whose_weights_have_changed(own_run, write_recipe, call, tmp_path):
    sweep = '[sweep]\ngrid = {"optimizer.lr" = [0.01, 0.02]}\n'
    path = write_recipe(f'{FROM}\n[start]\nrun = "{own_run.path}"\n\n{sweep}'.replace("steps = 6", "steps = 1"))
    assert "2 to run" in call("compare", path, "--out", tmp_path / "out").out
    assert "2 there, 0 to run" in call("compare", path, "--out", tmp_path / "out").out
    replaced(own_run)
    done = call("compare", path, "--out", tmp_path / "out", "--dry-run")
    assert "start.run has different weights than" in done.out + done.err


def test_a_tokenizer_comes_along_and_is_not_fitted_again(two_topics, tmp_path, write_recipe):
    text = f"""
schema = 1
name = "words"
[data]
use = "text_table"
path = "{two_topics}"
text = "text"
label = "kind"
workers = 0
[encoder]
use = "text_transformer"
width = 16
layers = 1
heads = 2
vocabulary = 300
[projector]
width = 8
[loss]
use = "nt_xent"
[optimizer]
use = "sgd"
lr = 0.05
[train]
steps = 2
batch_size = 8
precision = "fp32"
device = "cpu"
"""
    first = coview.run(coview.load_recipe(write_recipe(text)), tmp_path / "out", quiet=True)
    other = tmp_path / "other.csv"
    other.write_text("text,kind\n" + "\n".join(f"quartz zebra {n} jumbo,{'ab'[n % 2]}" for n in range(60)))
    start = text.replace(str(two_topics), str(other)) + f'[start]\nrun = "{first.path}"\n'
    recipe = coview.load_recipe(write_recipe(start), sets=["train.steps=1"])
    run = coview.run(recipe, tmp_path / "out", quiet=True)
    assert torch.equal(run.encoder.get_extra_state(), first.encoder.get_extra_state())
    fresh = coview.run(
        coview.load_recipe(write_recipe(text.replace(str(two_topics), str(other)))), tmp_path / "out", quiet=True
    )
    assert not torch.equal(fresh.encoder.get_extra_state(), first.encoder.get_extra_state())


BAD = {
    'run = "nowhere"': "recipe.toml:42: start.run: .*nowhere: there is no such folder",
    'run = "{tmp}"': "recipe.toml:42: start.run: .*there is no run in it",
    'run = "{run}"\nstep = 4': "recipe.toml:43: start.step: .* has no complete checkpoint of step 4: it has 6, 3",
    'checkpoint = "{run}"': "recipe.toml:42: start.checkpoint: .* is not a checkpoint of a run",
    'checkpoint = "{run}/checkpoints/step-9"': "there is no such file or folder",
    'export = "{run}"': "recipe.toml:42: start.export: .* was not written by coview export",
    'export = "nowhere"': "nowhere: there is no such folder",
    'run = "{run}"\nparts = ["encoder", "predictor"]': "has no predictor for image: it was trained without one",
    'export = "{export}"\nparts = ["projector"]': "an exported folder holds the encoder only",
}


@pytest.mark.parametrize("start", BAD)
def test_what_cannot_be_started_from_is_said_with_file_and_line_before_a_folder_is_made(
    own_run, write_recipe, call, tmp_path, start
):
    export = own_run.path / "export" / "hf"
    if "{export}" in start:
        coview.export(own_run, to="hf")
    (tmp_path / "empty").mkdir()
    text = start.format(run=own_run.path, tmp=tmp_path / "empty", export=export)
    path = write_recipe(f"{FROM}\n[start]\n{text}\n")
    assert call("recipe", "check", path).status == 0, "files are looked at when something is built"
    for command in (("recipe", "check", path, "--build"), ("run", path, "--out", tmp_path / "out")):
        done = call(*command)
        assert done.status == 2
        assert re.search(BAD[start], done.err), done.err
        assert "Traceback" not in done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("start", "says"),
    [
        ('run = "a"\ncheckpoint = "b"', "start.checkpoint: run and checkpoint are given: give one of"),
        ("", "start: does not say where the weights are: give one of run, checkpoint, export"),
        ('export = "a"\nstep = 3', "start.step: is of a run"),
        ('run = "a"\nparts = []', "start.parts: has to name each part once"),
        ('run = "a"\nparts = ["head"]', "start.parts"),
        ('folder = "a"', "start.folder: unknown key"),
    ],
)
def test_a_table_that_says_nothing_of_use_is_a_mistake(write_recipe, start, says):
    with pytest.raises(coview.CoviewError, match=says):
        second(write_recipe, start)


def test_another_architecture_is_refused_with_what_differs(own_run, write_recipe, call, tmp_path):
    path = write_recipe(f'{FROM}\n[start]\nrun = "{own_run.path}"\n')
    total = len(own_run.encoder.state_dict())
    differ = sum(t.ndim > 0 for t in own_run.encoder.state_dict().values())
    for command in (("recipe", "check", path, "--build"), ("run", path, "--out", tmp_path / "out")):
        done = call(*command, "--set", "encoder.width=16")
        assert done.status == 2
        assert f"{differ} of {total} parameters and buffers differ" in done.err
        assert "network.conv1.weight is 16×3×3×3 here, and 8×3×3×3 there" in done.err
        assert f"and {differ - 3} more" in done.err
    done = call("recipe", "check", path, "--build", "--set", "encoder={use='resnet34', stem='small', width=8}")
    assert "which is" in done.err
    assert "is not there" in done.err
    assert call("recipe", "check", path, "--build").status == 0
    assert not (tmp_path / "out").exists()


def test_an_exported_folder_that_was_changed_or_is_untrained_is_refused(own_run, write_recipe, tmp_path):
    coview.export(own_run, to="hf")
    folder = own_run.path / "export" / "hf"
    tensors = load_file(folder / "model.safetensors")
    with safe_open(folder / "model.safetensors", framework="pt") as opened:
        metadata = opened.metadata()
    recipe = second(write_recipe, f'export = "{folder}"', "train.steps=0")
    save_file({name: tensor + 1 for name, tensor in tensors.items()}, folder / "model.safetensors", metadata)
    with pytest.raises(coview.CoviewError, match=r"model.safetensors has been changed since it was exported"):
        coview.run(recipe, tmp_path / "out", quiet=True)
    (folder / "coview.json").write_text("{")
    with pytest.raises(coview.CoviewError, match=r"coview.json is damaged"):
        coview.run(recipe, tmp_path / "out", quiet=True)
    untrained = coview.run(
        coview.load_recipe(write_recipe(SMALL), sets=["train.steps=0"]), tmp_path / "out", quiet=True
    )
    coview.export(untrained, to="hf", out=tmp_path / "random")
    recipe = second(write_recipe, f'export = "{tmp_path / "random"}"')
    with pytest.raises(coview.CoviewError, match="an encoder at random weights: nothing was trained"):
        coview.run(recipe, tmp_path / "out", quiet=True)


def test_the_encoder_that_the_run_evaluates_is_the_one_that_is_taken(write_recipe, tmp_path):
    text = SMALL.replace('use = "nt_xent"', 'use = "info_nce"') + "\n[teacher]\nevaluate = true\n"
    first = coview.run(coview.load_recipe(write_recipe(text), sets=["evaluate=[]"]), tmp_path / "out", quiet=True)
    run = coview.run(second(write_recipe, f'run = "{first.path}"', "train.steps=0"), tmp_path / "out", quiet=True)
    assert torch.equal(coview.embed(run), coview.embed(first))
    path = first.path / "checkpoints" / "last"
    run = coview.run(second(write_recipe, f'checkpoint = "{path}"', "train.steps=0"), tmp_path / "out", quiet=True)
    assert same(encoder_of(first, 6), run.encoder), "a checkpoint is the student's"


# ---- parts for hidden tokens, several modalities, and mistakes -----------------------------------------------------------

HIDDEN = """\
schema = 1
name = "hidden"

[data]
use = "digits"
views = 1
workers = 0

[encoder]
use = "vit"
image_size = 8
patch = 2
width = 8
layers = 1
heads = 2
channels = 3

[mask]
use = "random"
ratio = 0.5

[decoder]
use = "mlp"

[loss]
use = "token_mse"

[optimizer]
use = "sgd"
lr = 0.05

[train]
steps = 2
batch_size = 32
precision = "fp32"
device = "cpu"
"""


def test_a_decoder_and_what_stands_for_a_hidden_token_can_start_too(write_recipe, tmp_path):
    from coview.experiment.start import start_weights
    from coview.model.topology import build_topology
    from coview.plugins.discovery import load_plugins

    registry = load_plugins()
    run = coview.run(coview.load_recipe(write_recipe(HIDDEN)), tmp_path / "runs", quiet=True)
    before = step(run, 2)
    source = f'run = "{run.path}"\nparts = ["encoder", "decoder", "mask_token"]'
    recipe = second(write_recipe, source, "seed=5", text=HIDDEN)
    student = build_topology(recipe, registry, start=start_weights(recipe, registry)).student.state_dict()
    for part in ("encoder", "decoder", "mask_token"):
        names = [name for name in student if name.startswith(f"towers.image.{part}")]
        assert names
        for name in names:
            assert torch.equal(student[name], before[f"student.{name}"]), name
    again = coview.run(recipe, tmp_path / "second", quiet=True)
    with safe_open(again.folder.start, framework="pt") as opened:
        assert "image/mask_token/mask_token" in opened.keys()  # noqa: SIM118
    for hide, part, said in (
        (
            "drop",
            "mask_token",
            'there is no mask_token that could start from it: the recipe has no [mask] with hide = "r',
        ),
        ("replace", "predictor", "has no predictor for image: it was trained without one"),
    ):
        text = HIDDEN.replace("ratio = 0.5", f'ratio = 0.5\nhide = "{hide}"').replace('"mlp"', '"transformer"')
        wrong = second(write_recipe, f'run = "{run.path}"\nparts = ["{part}"]', text=text)
        with pytest.raises(coview.CoviewError, match=re.escape(said)):
            build_topology(wrong, registry, start=start_weights(wrong, registry))
    wider = second(
        write_recipe, f'run = "{run.path}"\nparts = ["mask_token"]', text=HIDDEN.replace("width = 8", "width = 16")
    )
    with pytest.raises(coview.CoviewError, match="the mask_token is 16 here, and 8 in step 2 of"):
        build_topology(wider, registry, start=start_weights(wider, registry))


def test_a_mistyped_run_is_told_with_the_other_mistakes(write_recipe, tmp_path):
    with pytest.raises(coview.RecipeError) as caught:
        second(write_recipe, 'run = "nowhere"', text=FROM.replace("lr = 0.05", "lr = -1"))
    messages = [str(mistake) for mistake in caught.value.mistakes]
    assert len(messages) == 2
    assert messages[1].endswith("start.run: " + str(tmp_path / "nowhere") + " is not there")
    second(write_recipe, 'run = "nowhere"')  # alone it is told where the weights are read: a run has its own copy
