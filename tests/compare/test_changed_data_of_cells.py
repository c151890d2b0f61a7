"""A run of other data than are there now does not count as a cell that has been run."""

import itertools
import json
import shutil

import pytest
from fabricated_runs import result, write_run
from PIL import Image

from coview.compare.run_missing import run_missing
from coview.experiment.splits import Splits
from coview.launch.job import Done
from coview.recipe.comparison import load_comparison
from coview.recipe.load import load_recipe

SWEEP = '\n[compare]\nmetric = "knn/accuracy"\n\n[sweep.grid]\n"loss.temperature" = [0.1, 0.5]\nseed = [0, 1]\n'


@pytest.fixture
def pictures(tmp_path):
    for split, name in itertools.product(("train", "test"), ("a", "b")):
        (tmp_path / "pictures" / split / name).mkdir(parents=True)
        for number in range(20):
            Image.new("RGB", (8, 8), (9 * number, 9, 9)).save(tmp_path / "pictures" / split / name / f"{number}.png")
    return tmp_path / "pictures"


class ByHand:
    """Writes finished runs of the data as they are, and counts them."""

    def __init__(self, registry, local_processes=1):
        self.registry, self.local_processes, self.jobs = registry, local_processes, 0

    def launch(self, jobs, /):
        for job in jobs:
            self.jobs += 1
            recipe = load_recipe(job.recipe, self.registry)
            version = Splits(recipe, self.registry).training.version
            run = write_run(
                job.out / recipe.name / f"202601{self.jobs:02}-000000-{recipe.hash[:6]}", [result("pretrained", 0.5)]
            )
            shutil.copy(job.recipe, run.recipe)
            run.results.write_text(json.dumps({**json.loads(run.results.read_text()), "recipe_hash": recipe.hash}))
            data = {"use": "image_folder", "version": version}
            run.environment.write_text(json.dumps({"finished": "2026-01-01", "coview": "0.1.0", "data": data}))
            yield Done(job, "done", "", 60.0)


def test_cells_are_run_again_where_a_file_was_replaced(pictures, write_recipe, small_recipe, registry, tmp_path):
    small = small_recipe.replace('use = "digits"', f'use = "image_folder"\nroot = "{pictures}"')
    compared = load_comparison(write_recipe(small + SWEEP), registry=registry)

    def go(launcher):
        said = []
        cells = run_missing(compared, tmp_path / "runs", registry, launcher, say=said.append)
        assert all(cell.run is not None for cell in cells)
        return launcher.jobs, "\n".join(said)

    assert go(ByHand(registry))[0] == 4
    assert go(ByHand(registry))[0] == 0
    Image.new("RGB", (8, 8), (1, 2, 3)).save(pictures / "train" / "a" / "0.png")
    assert go(ByHand(registry, local_processes=0))[0] == 0, "another machine's data are not looked at"
    launcher = ByHand(registry)
    launcher.jobs = 10  # later stamps
    jobs, said = go(launcher)
    assert jobs - 10 == 4
    assert said.count("is run again: the data have changed since ") == 4
    assert go(ByHand(registry))[0] == 0


def test_what_cannot_be_loaded_here_is_taken_as_it_was(pictures, write_recipe, small_recipe, registry, tmp_path):
    small = small_recipe.replace('use = "digits"', f'use = "image_folder"\nroot = "{pictures}"')
    compared = load_comparison(write_recipe(small + SWEEP), registry=registry)
    run_missing(compared, tmp_path / "runs", registry, ByHand(registry), say=lambda text: None)
    shutil.rmtree(pictures)
    launcher = ByHand(registry)
    cells = run_missing(compared, tmp_path / "runs", registry, launcher, say=lambda text: None)
    assert launcher.jobs == 0
    assert all(cell.run is not None for cell in cells)
