"""Measuring while a run trains: the points are what somebody else finds, and the training does not notice."""

from __future__ import annotations

import json
import random
import re

import numpy as np
import pandas
import pytest
import torch
from safetensors.torch import load_file
from sklearn.neighbors import KNeighborsClassifier

import coview
from coview.data.sample import id_as_int64
from coview.evaluate.generators_kept import generators_kept
from coview.track.metrics_file import read_metrics, split_lines

TEXTS = """\
schema = 1
name = "texts"
seed = 1

[data]
use = "text_table"
path = "texts.csv"
label = "kind"
LINES
workers = 0

[[augment]]
use = "random_deletion"

[encoder]
use = "text_transformer"
vocabulary = 300
width = 16
layers = 1
heads = 2
max_length = 16
dropout = 0.3

[projector]
hidden = 16
width = 8

[loss]
use = "nt_xent"

[optimizer]
use = "adamw"
lr = 0.005

[train]
steps = 6
batch_size = 8
precision = "fp32"
device = "cpu"
log_every = 2
checkpoint_every = 2
keep = 9

[[evaluate]]
use = "knn"
k = 3
"""

TEACHER = """
[predictor]
hidden = 16

[teacher]
momentum = 0.9
evaluate = true

[queue]
size = 100
"""


class NeedsMuch:
    """Chooses on validation, tests, and draws from what belongs to everybody."""

    splits = ("train", "validation", "test")
    labels = None
    seen: list[dict[str, set[int]]] = []  # noqa: RUF012

    def __init__(self, *, fails_from: int = 10**9, better: str = "higher") -> None:
        self.fails_from, self.better = fails_from, better

    def __call__(self, features, rng):
        self.seen.append({split: set(features[split].ids_N.tolist()) for split in self.splits})
        torch.manual_seed(5)
        np.random.seed(5)
        random.seed(5)
        number = len(self.seen)
        if number > self.fails_from:
            raise coview.CoviewError("it is tired")
        return [coview.Result("calls", float(number), number, number, 1, "test", better=self.better)]


@pytest.fixture
def with_more(registry):
    NeedsMuch.seen = []
    added = coview.Registrar("test")
    added.evaluator("much", f"{__name__}:NeedsMuch", summary="needs all splits")
    return registry.plus(added)


def run_of(path, out, registry, **overrides):
    recipe = coview.load_recipe(
        path, registry=registry, overrides={k.replace("__", "."): v for k, v in overrides.items()}
    )
    return coview.run(recipe, out, registry=registry, quiet=True)


def points(run):
    return split_lines(read_metrics(run.folder.metrics))[1]


def curve(run, name):
    return [(row["step"], row[name]) for row in points(run) if name in row]


def training_lines(run):
    drop = {"time", "samples_per_s"}
    lines = split_lines(read_metrics(run.folder.metrics))[0]
    return [{key: value for key, value in row.items() if key not in drop} for row in lines]


# ---- training does not notice ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["dropout", "batch norm, teacher and queue"])
def test_a_run_with_curves_ends_bit_for_bit_as_one_without(
    kind, with_more, write_recipe, small_recipe, two_topics, tmp_path
):
    if kind == "dropout":
        text = TEXTS.replace("LINES\n", "")
    else:
        text = small_recipe.replace('use = "nt_xent"', 'use = "info_nce"') + TEACHER
    plain = write_recipe(text)
    measured = write_recipe(
        text.replace('use = "knn"', 'use = "knn"\nevery = 1') + '\n[[evaluate]]\nuse = "much"\nevery = 2\n',
        "curves.toml",
    )
    before = random.getstate()
    without = run_of(plain, tmp_path / "without", with_more)
    random.setstate(before)
    with_curves = run_of(measured, tmp_path / "with", with_more)
    assert [row["step"] for row in points(with_curves)] == [0, 1, 2, 3, 4, 5, 6]
    assert points(without) == []
    steps = sorted(path.name for path in without.folder.checkpoints.glob("step-*"))
    assert len(steps) >= 2
    for step in steps:
        a, b = (load_file(run.folder.checkpoints / step / "weights.safetensors") for run in (without, with_curves))
        assert a.keys() == b.keys()
        assert all(torch.equal(a[name], b[name]) for name in a), step
        state, other = (
            torch.load(run.folder.checkpoints / step / "state.pt", weights_only=True) for run in (without, with_curves)
        )
        assert str(state["optimizer"]) == str(other["optimizer"])
    assert training_lines(without) == training_lines(with_curves)


def test_generators_go_on_from_where_they_were():
    def draws():
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    with generators_kept():
        expected = draws()
    with generators_kept():
        random.seed(3)
        np.random.seed(3)
        torch.manual_seed(3)
        other = draws()
    assert draws() == expected != other


# ---- the points --------------------------------------------------------------------------------------------------------


def weighted_knn(train_ND, labels_N, held_ND, k, temperature=0.07):
    """scikit-learn's, with the weights of coview's."""
    knn = KNeighborsClassifier(k, metric="cosine", weights=lambda distances: np.exp((1 - distances) / temperature))
    return knn.fit(train_ND, labels_N).predict(held_ND)


def test_the_points_are_of_a_part_of_train_that_is_not_fitted_on(registry, write_recipe, small_recipe, tmp_path):
    recipe = write_recipe(small_recipe.replace('use = "knn"', 'use = "knn"\nevery = 3').replace("k = 5", "k = 1"))
    run = run_of(recipe, tmp_path / "runs", registry)
    train = registry.build("dataset", "digits", supplied={"split": "train"})
    rest, held = coview.seeded_split(len(train), fraction=0.1, seed=0, labels=train.labels)
    labels = np.asarray(train.labels)
    assert [step for step, _ in curve(run, "knn/accuracy")] == [0, 3, 6]
    for step, value in curve(run, "knn/accuracy")[1:]:
        x_ND = coview.embed(coview.load_run(run.path, step=step, registry=registry), split="train").numpy()
        predicted = weighted_knn(x_ND[rest], labels[rest], x_ND[held], 1)
        assert value == pytest.approx((predicted == labels[held]).mean(), abs=1e-12)
    (final,) = (result for result in run.results if result.kind == "pretrained")
    assert (final.split, final.n) == ("test", 360)  # the numbers of the run stay those of test


def own_validation(tmp_path):
    rows = [{"text": f"word{i % 9} word{i % 4} word{i % 25}", "kind": "ab"[i % 2]} for i in range(60)]
    for i, row in enumerate(rows):
        row["part"] = "test" if i % 5 == 0 else "val" if i % 5 == 1 else "train"
    pandas.DataFrame(rows).to_csv(tmp_path / "texts.csv", index=False)
    return TEXTS.replace("LINES", 'split_column = "part"').replace('use = "knn"', 'use = "knn"\nevery = "1 epoch"')


def test_data_with_a_validation_split_are_measured_on_it(registry, write_recipe, tmp_path):
    run = run_of(write_recipe(own_validation(tmp_path)), tmp_path / "runs", registry)
    steps = [step for step, _ in curve(run, "knn/accuracy")]
    assert steps == [0, 4, 6]  # 36 samples to train on are four batches of 8
    kept = coview.load_run(run.path, step=4, registry=registry)
    x, labels = {}, {}
    for split in ("train", "validation"):
        data = registry.build("dataset", "text_table", supplied={"split": split}, **run.recipe.data.parameters)
        x[split] = coview.embed(kept, split=split).numpy()
        labels[split] = np.array([data[row].label for row in range(len(data))])
    predicted = weighted_knn(x["train"], labels["train"], x["validation"], 3)
    assert dict(curve(run, "knn/accuracy"))[4] == pytest.approx((predicted == labels["validation"]).mean())


@pytest.mark.parametrize("own", [True, False])
def test_nothing_is_chosen_on_what_is_measured_and_test_is_not_seen(own, with_more, write_recipe, tmp_path):
    text = own_validation(tmp_path).replace('use = "knn"\nevery = "1 epoch"\nk = 3', 'use = "much"\nevery = 3')
    if not own:
        text = text.replace('split_column = "part"', "test_fraction = 0.2")
    run = run_of(write_recipe(text), tmp_path / "runs", with_more)

    def ids(split):
        data = with_more.build("dataset", "text_table", supplied={"split": split}, **run.recipe.data.parameters)
        return {id_as_int64(data[row].id) for row in range(len(data))}

    *while_training, at_the_end = NeedsMuch.seen[:4]
    assert at_the_end["test"] == ids("test")
    for seen in while_training:
        assert not any(seen[split] & ids("test") for split in seen)
        assert not seen["train"] & seen["validation"]
        assert not seen["test"] & (seen["train"] | seen["validation"])
        if own:
            assert seen["test"] == ids("validation")
            assert seen["train"] | seen["validation"] == ids("train")
        else:
            assert set.union(*seen.values()) == ids("train")


class Speakers:
    """Twenty people, each with eight samples, of whom nothing is known ahead."""

    splits = ("train", "test")
    modalities = ("text",)
    citation, licence, version = "nobody", "none", "1"
    classes: tuple[str, ...] | None = ("a", "b")

    def __init__(self, split: str = "train") -> None:
        self.first = 0 if split == "train" else 1000

    def __len__(self):
        return 160

    def __getitem__(self, index, /):
        if index == 3:
            raise coview.SampleError("row 3", "it is torn")
        number = self.first + index
        return coview.Sample(
            {"text": f"word{index} word{index % 7}"}, id=number, label=index % 2, group=f"speaker {number // 8}"
        )


def test_no_group_is_on_both_sides(with_more, write_recipe, tmp_path):
    added = coview.Registrar("people")
    added.dataset("speakers", f"{__name__}:Speakers", summary="people")
    text = TEXTS.replace('use = "text_table"\npath = "texts.csv"\nlabel = "kind"\nLINES', 'use = "speakers"')
    text = text.replace('use = "knn"\nk = 3', 'use = "much"\nevery = 3')
    run_of(write_recipe(text), tmp_path / "runs", with_more.plus(added))
    seen = NeedsMuch.seen[0]
    speakers = {split: {number // 8 for number in ids} for split, ids in seen.items()}
    assert set.union(*seen.values()) == set(range(160)) - {3}
    assert not speakers["test"] & (speakers["train"] | speakers["validation"])
    assert seen["test"]


def test_evaluators_of_two_modalities_have_curves_too(registry, write_recipe, tmp_path):
    from test_cross_modal_run import EVALUATE, RECIPE, CaptionedDigits

    added = coview.Registrar("captions")
    added.dataset("captioned_digits", f"{CaptionedDigits.__module__}:CaptionedDigits", summary="captions")
    text = RECIPE + EVALUATE.replace("k = [1, 5]", "k = [1, 5]\nevery = 2").replace(
        'by = "text"', 'by = "text"\nevery = 4'
    )
    run = run_of(write_recipe(text), tmp_path / "runs", registry.plus(added))
    assert [step for step, _ in curve(run, "retrieval/text-to-image/recall@5")] == [0, 2, 4]
    assert [step for step, _ in curve(run, "zero_shot/image/accuracy")] == [0, 4]


# ---- what is told ------------------------------------------------------------------------------------------------------

HOOK = """
import json
from pathlib import Path

import coview
from coview.data.sample import id_as_int64

@coview.hookimpl
def coview_curve_point(context):
    with Path("points.jsonl").open("a") as file:
        file.write(json.dumps([context.step, context.epoch, dict(context.metrics)]) + "\\n")
"""


def test_a_point_is_printed_recorded_shown_and_told_to_hooks(fork_command, write_recipe, small_recipe, tmp_path):
    site = tmp_path / "site"
    (site / "hooked-1.0.dist-info").mkdir(parents=True)
    (site / "hooked-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: hooked\nVersion: 1.0\n")
    (site / "hooked-1.0.dist-info" / "entry_points.txt").write_text("[coview]\nhooked = hooked_plugin\n")
    (site / "hooked_plugin.py").write_text(HOOK)
    recipe = write_recipe(small_recipe.replace('use = "knn"', 'use = "knn"\nevery = 4'))
    done = fork_command("run", recipe, PYTHONPATH=str(site))
    assert done.status == 0, done.err
    (folder,) = (tmp_path / "runs" / "small").iterdir()
    run = coview.load_run(folder)
    told = [json.loads(line) for line in (tmp_path / "points.jsonl").read_text().splitlines()]
    assert [(step, metrics["knn/accuracy"]) for step, _, metrics in told] == curve(run, "knn/accuracy")
    assert [step for step, _, _ in told] == [0, 4, 6]
    assert [row["epoch"] for row in points(run)] == [epoch for _, epoch, _ in told]
    assert {row["split"] for row in points(run)} == {"validation"}
    printed = re.findall(r"^step (\d+), validation: knn/accuracy ([\d.]+) \(\d+s\)$", done.err, re.MULTILINE)
    assert [(int(step), float(value)) for step, value in printed] == [
        (step, pytest.approx(value, abs=1e-4)) for step, value in curve(run, "knn/accuracy")
    ]
    assert "curves are measured on 144 samples held out of its train split" in done.err
    page = run.folder.report.read_text()
    assert "On validation, while training" in page
    assert 'id="curve-knn-accuracy"' in page or "knn/accuracy" in page.split("On validation, while training")[1]
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(run.folder.tensorboard)).Reload()
    shown = [(event.step, event.value) for event in board.Scalars("validation/knn/accuracy")]
    assert shown == [(step, pytest.approx(value)) for step, value in curve(run, "knn/accuracy")]
    (at_the_end,) = board.Scalars("knn/accuracy")  # of test
    (final,) = (result for result in run.results if result.kind == "pretrained")
    assert at_the_end.value == pytest.approx(final.value)


def test_an_evaluator_that_fails_later_costs_its_points_and_not_the_training(
    with_more, write_recipe, small_recipe, tmp_path, capsys
):
    text = small_recipe.replace('use = "knn"', 'use = "knn"\nevery = 2')
    text += '\n[[evaluate]]\nuse = "much"\nevery = 2\nfails_from = 2\n'
    recipe = coview.load_recipe(write_recipe(text), registry=with_more)
    run = coview.run(recipe, tmp_path / "runs", registry=with_more)
    said = capsys.readouterr().err
    assert said.count("warning: much could not measure after step 4, and its curve lacks points: it is tired") == 1
    assert [step for step, _ in curve(run, "much/calls")] == [0, 2]
    assert [step for step, _ in curve(run, "knn/accuracy")] == [0, 2, 4, 6]


def test_one_that_fails_before_the_first_step_leaves_no_folder(with_more, write_recipe, small_recipe, tmp_path):
    text = small_recipe + '\n[[evaluate]]\nuse = "much"\nevery = 2\nfails_from = 0\n'
    with pytest.raises(
        coview.CoviewError, match=r"recipe\.toml:43: evaluate\.1\.every: much cannot measure .*it is tired"
    ):
        run_of(write_recipe(text), tmp_path / "runs", with_more)
    assert not (tmp_path / "runs" / "small").exists()
