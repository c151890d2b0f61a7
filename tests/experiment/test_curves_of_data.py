"""Data that a curve is measured on, and data without what it needs: what is said before training."""

from __future__ import annotations

import re
from functools import partial

import numpy as np
import pytest
from PIL import Image
from test_curves import TEXTS, Speakers, curve

import coview
from coview.experiment.trial import try_out


def test_other_data_have_their_own_validation(registry, write_recipe, small_recipe, tmp_path, capsys):
    generator = np.random.default_rng(0)
    for name, half in (("upper", np.s_[:4]), ("left", np.s_[:, :4])):
        (tmp_path / "squares" / name).mkdir(parents=True)
        for index in range(40):
            pixels = generator.integers(0, 60, (8, 8), dtype=np.uint8)
            pixels[half] += 150
            Image.fromarray(pixels).convert("RGB").save(tmp_path / "squares" / name / f"{index}.png")
    table = f'\n[[evaluate]]\nuse = "knn"\nevery = 3\ndata = {{ use = "image_folder", root = "{tmp_path}/squares" }}\n'
    recipe = coview.load_recipe(write_recipe(small_recipe + table), registry=registry)
    run = coview.run(recipe, tmp_path / "runs", registry=registry)
    assert [step for step, _ in curve(run, "knn/accuracy")] == [0, 3, 6]
    said = capsys.readouterr().err
    held = re.search(r'"image_folder" has no validation split: curves are measured on (\d+) samples', said)
    assert held is not None
    n = int(held[1])
    assert n in (6, 7)  # a tenth of four fifths of 80
    for _, value in curve(run, "knn/accuracy"):
        assert value * n == pytest.approx(round(value * n))


def test_every_that_is_longer_than_the_run_is_said_before_training(call, write_recipe, small_recipe):
    recipe = write_recipe(small_recipe.replace('use = "knn"', 'use = "knn"\nevery = "5 epochs"'))
    done = call("run", recipe, "--out", "runs")
    assert done.status == 0
    said = re.search(
        r"recipe\.toml:39: evaluate\.0\.every: 5 epochs are longer than the run of 6 steps: knn .*\n", done.err
    )
    assert said is not None
    assert said.start() < done.err.index("step 1/6")


class KnownSpeakers(Speakers):
    """The same, with what is known ahead."""

    def __init__(self, split: str = "train") -> None:
        super().__init__(split)
        self.labels = [row % 2 for row in range(160)]
        self.groups = [f"speaker {(self.first + row) // 8}" for row in range(160)]


class OnlyTest(Speakers):
    """What nothing can be held out of."""

    splits = ("test",)


@pytest.mark.parametrize(
    ("data", "evaluator", "says"),
    [
        ('use = "text_lines"\npath = "lines.txt"', 'use = "knn"\nevery = 2', "the data has no class labels"),
        (
            'use = "speakers"',
            'use = "clustering"\nevery = 2\ndata = { use = "only_test" }',
            '"only_test" has neither a validation split nor a train split',
        ),
        ('use = "speakers"', 'use = "similarity"\nevery = 2', "judged pairs are not held out of train"),
        (
            'use = "known_speakers"',
            'use = "knn"\nevery = 2\nlabels_per_class = [76]',
            "what is called test is a part of train here",
        ),
    ],
)
@pytest.mark.parametrize("dry", [False, True])
def test_data_without_what_a_curve_needs_are_refused_with_file_and_line(
    data, evaluator, says, dry, registry, write_recipe, tmp_path
):
    added = coview.Registrar("people")
    added.dataset("speakers", f"{__name__}:Speakers", summary="people")
    added.dataset("known_speakers", f"{__name__}:KnownSpeakers", summary="people")
    added.dataset("only_test", f"{__name__}:OnlyTest", summary="people")
    (tmp_path / "lines.txt").write_text("".join(f"word{i} word{i % 7}\n" for i in range(80)))
    text = TEXTS.replace('use = "text_table"\npath = "texts.csv"\nlabel = "kind"\nLINES', data)
    recipe = coview.load_recipe(
        write_recipe(text.replace('use = "knn"\nk = 3', evaluator)), registry=registry.plus(added)
    )
    begin = try_out if dry else partial(coview.run, out=tmp_path / "runs", quiet=True)
    with pytest.raises(coview.CoviewError, match=r"recipe\.toml:\d+: evaluate\.0\.every: \w+ cannot measure") as found:
        begin(recipe, registry=registry.plus(added))
    assert says in str(found.value)
    assert not (tmp_path / "runs").exists()
