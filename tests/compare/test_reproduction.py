"""Whether runs come to a published number, and the recipes that ask it."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import soundfile
from fabricated_runs import comparison, found
from PIL import Image

import coview
from coview.compare.reproduction import Reproduction, reproduction_of, to_reproduce
from coview.recipe.shipped import recipe_files, shipped_folder
from coview.recipe.tables import ResultTable

FOLDER = shipped_folder()
assert FOLDER is not None
RECIPES = sorted(path for path in recipe_files(FOLDER) if path.parent.name == "reproduce")
OF_SOUNDS = [path for path in RECIPES if "speech-commands" in path.name]
OF_PICTURES = [path for path in RECIPES if "imagenet" in path.name or "cifar" in path.name]


def published(value, tolerance=0.01):
    return ResultTable(metric="knn/accuracy", value=value, source="somebody", tolerance=tolerance)


def of(values, value, *, lower=False, bounds=(0.0, 1.0)):
    by_seed = {str(seed): found for seed, found in enumerate(values)}
    return Reproduction("r", published(value), lower, bounds, by_seed, {})


def test_the_interval_is_students():
    # 0.84, 0.85, 0.86: a mean of 0.85, a deviation of 0.01, and a quantile of 4.303 from the tables
    assert of([0.84, 0.85, 0.86], 0.85).interval == pytest.approx((0.85 - 0.02484, 0.85 + 0.02484), abs=1e-5)
    assert of([0.98, 0.99, 1.0], 0.99).interval == pytest.approx((0.99 - 0.02484, 1.0), abs=1e-5)
    assert of([0.9], 0.9).interval is None


@pytest.mark.parametrize(
    ("values", "lower", "verdict"),
    [
        ([0.850, 0.851, 0.852], False, "reproduced"),  # about 0.8485 to 0.8535
        ([0.842, 0.843, 0.844], False, "reproduced"),  # 0.8405 to 0.8455: worse, within the tolerance
        ([0.839, 0.840, 0.841], False, "undecided"),
        ([0.830, 0.831, 0.832], False, "not reproduced"),
        ([0.9], False, "undecided"),
        ([0.852, 0.853, 0.854], True, "reproduced"),
        ([0.859, 0.860, 0.861], True, "undecided"),
        ([0.870, 0.871, 0.872], True, "not reproduced"),
        ([0.2, 0.201, 0.202], True, "reproduced"),
    ],
)
def test_it_is_not_to_be_worse_by_more_than_the_tolerance(values, lower, verdict):
    assert of(values, 0.85, lower=lower).verdict == verdict


def test_it_is_of_the_runs_that_have_the_number(registry, tmp_path):
    compared = comparison(registry, variants=("nt_xent",), seeds=4)
    cells = found(compared, tmp_path, {("image", "nt_xent"): [0.85, 0.851, "no memory", 0.852]})
    judged = reproduction_of(published(0.85), compared, cells)
    assert judged.values == {"0": 0.85, "1": 0.851, "3": 0.852}
    assert judged.mean == pytest.approx(0.851)
    assert judged.verdict == "reproduced"
    assert any("seed 2 has no number: no memory" in line for line in judged.in_words())
    assert judged.in_words()[-1] == "reproduced"
    nothing = found(compared, tmp_path / "none", {("image", "nt_xent"): ["no memory", None, None, None]})
    with pytest.raises(coview.CoviewError, match=r"\(.*seed 0: no memory; .*seed 1, .*seed 2 and .*seed 3: not run\)"):
        reproduction_of(published(0.85), compared, nothing)


def test_the_runs_are_those_of_the_seeds(registry, write_recipe, small_recipe):
    result = '\n[paper.result]\nmetric = "knn/accuracy"\nvalue = 0.9\ntolerance = 0.02\nsource = "us"\n'
    table, compared = to_reproduce(write_recipe(small_recipe + result), registry)
    assert (table.value, compared.metric) == (0.9, "knn/accuracy")
    assert [cell.recipe.seed for cell in compared.cells] == [3, 4, 5]
    _, more = to_reproduce(write_recipe(small_recipe + result), registry, seeds=5, sets=["train.steps=9"])
    assert [(cell.recipe.seed, cell.recipe.train.steps) for cell in more.cells] == [(n, 9) for n in range(3, 8)]
    with pytest.raises(coview.CoviewError, match="it names no published number"):
        to_reproduce(write_recipe(small_recipe), registry)
    wrong = result.replace("value = 0.9", 'value = "much"').replace("tolerance = 0.02\n", "")
    with pytest.raises(
        coview.RecipeError, match=r"(?s)paper.result.tolerance: is missing.*paper.result.value: has to be a number"
    ):
        to_reproduce(write_recipe(small_recipe + wrong), registry)


@pytest.mark.slow
def test_the_command_runs_what_is_missing_and_says_what_it_came_to(call, tmp_path, small_recipe):
    result = '\n[paper.result]\nmetric = "knn/accuracy"\nvalue = 0.05\ntolerance = 0.05\nseeds = 2\nsource = "us"\n'
    (tmp_path / "r.toml").write_text(small_recipe + result)
    done = call("reproduce", "r.toml")
    assert done.status == 0
    assert "small: knn/accuracy, published 0.05" in done.out
    assert done.out.endswith("\nreproduced\n")
    (tmp_path / "r.toml").write_text(small_recipe + result.replace("0.05", "2.0", 1))
    done = call("reproduce", "r.toml", "--no-run")
    assert done.status == 3
    assert done.out.endswith("\nnot reproduced\n")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_each_recipe_names_a_number_that_its_evaluators_give(path, registry):
    recipe = coview.load_recipe(path, registry=registry)
    assert recipe.paper.result.metric.partition("/")[0] in [table.use for table in recipe.evaluate]


@pytest.mark.slow
@pytest.mark.parametrize("path", OF_PICTURES, ids=lambda path: path.stem)
def test_its_first_steps_are_taken_on_pictures_of_the_same_form(path, registry, tmp_path):
    side = 32 if "cifar" in path.name else 240
    generator = np.random.default_rng(0)
    for split in ("train", "test"):
        for label in ("cat", "dog"):
            folder = tmp_path / "pictures" / split / label
            folder.mkdir(parents=True)
            for number in range(8):
                pixels = generator.integers(0, 256, (side, side + 4 * number, 3), dtype=np.uint8)
                Image.fromarray(pixels).resize((side, side)).save(folder / f"{number}.png")
    data = {"use": "image_folder", "root": str(tmp_path / "pictures"), "workers": 0}
    train = {"steps": 2, "batch_size": 16, "device": "cpu", "precision": "fp32"}
    recipe = coview.load_recipe(
        path,
        overrides={"data": data, "train": train, "schedule.warmup": 0, "schedule.warmup_start": 0.0},
        registry=registry,
    )
    run = coview.run(recipe, tmp_path / "runs", registry=registry, quiet=True)
    (result,) = [result for result in run.results if result.kind == "pretrained"]
    assert result.name == recipe.paper.result.metric
    assert run.folder.metrics.read_text().count("NaN") == 0


@pytest.fixture
def sounds(tmp_path):
    """Clips without classes, and words of six speakers whose splits are in a table."""
    generator = np.random.default_rng(0)
    (tmp_path / "clips").mkdir()
    for number in range(20):
        soundfile.write(tmp_path / "clips" / f"{number}.wav", generator.normal(0, 0.1, 32_000), 16_000)
    rows = [("path", "word", "speaker", "part")]
    for speaker, part in enumerate(["train", "train", "train", "validation", "validation", "test", "test"]):
        for word in ("yes", "no"):
            for number in range(4):
                path = f"{word}/{speaker}_nohash_{number}.wav"
                (tmp_path / "words" / word).mkdir(parents=True, exist_ok=True)
                soundfile.write(tmp_path / "words" / path, generator.normal(0, 0.1, 16_000), 16_000)
                rows.append((path, word, str(speaker), part))
    with (tmp_path / "words" / "words.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    folders = [f"data.root={tmp_path}/clips", f"evaluate.0.data.root={tmp_path}/words"]
    return [*folders, f"evaluate.0.data.labels={tmp_path}/words/words.csv"]


@pytest.mark.slow
@pytest.mark.parametrize("path", OF_SOUNDS, ids=lambda path: path.stem)
def test_its_first_steps_are_taken_on_clips_and_judged_on_words(path, registry, tmp_path, sounds):
    small = ["train.steps=2", "train.batch_size=8", "train.device=cpu", "train.precision=fp32", "data.workers=0"]
    recipe = coview.load_recipe(path, sets=[*sounds, *small], registry=registry)
    run = coview.run(recipe, tmp_path / "runs", registry=registry, quiet=True)
    (result,) = [result for result in run.results if result.kind == "pretrained"]
    assert result.name == recipe.paper.result.metric
    assert (result.n, result.groups, result.protocol["validation"]) == (16, 2, "the data's own")


def test_what_has_to_be_fetched_is_said_where_no_run_has_finished(registry, tmp_path):
    compared = comparison(registry, variants=("nt_xent",), seeds=2)
    nothing = found(compared, tmp_path, {("image", "nt_xent"): ["no folder", "no folder"]})
    needed = ResultTable(metric="knn/accuracy", value=1, source="us", tolerance=0.1, needs="the words in a folder")
    with pytest.raises(coview.CoviewError) as caught:
        reproduction_of(needed, compared, nothing)
    assert caught.value.hint == "a run needs the words in a folder"
