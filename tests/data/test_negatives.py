"""A view of hard negatives: what it is made of, and what a batch says of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from coview import CoviewError, Negative, Rng, Sample
from coview.data.batch import NO_NEGATIVE, OF_NO_SAMPLE
from coview.data.dataset_checks import check_rows
from coview.data.loader import view_loader
from coview.data.mixture import Mixture
from coview.data.order import Order, RankBatches
from coview.data.several_values import DrawnValues
from coview.data.some_rows import SomeRows
from coview.data.view_bank import ViewBank
from coview.data.views import PipelineStep, ViewMaker

N = 24


class Texts:
    """Row i says i; its hard negatives say 100 + i, and of every fourth also 200 + i; every third has none."""

    splits, modalities, classes = ("train",), ("text",), None
    citation = licence = version = ""

    def __init__(self):
        rows = np.arange(N)
        self.counts = np.where(rows % 3 == 2, 0, np.where(rows % 4 == 0, 2, 1))
        self.negatives = {"text": self.counts > 0}
        self.value_counts = {"negative": self.counts}
        self.ids = rows.tolist()

    def __len__(self):
        return N

    def __getitem__(self, index):
        return self.with_values(index, {})

    def with_values(self, index, numbers, modalities=None):
        negatives = {}
        if self.counts[index]:
            said = 100 * (1 + numbers.get("negative", 0)) + index
            negatives["text"] = Negative(said, id=index - 1 if index % 2 else None)
        return Sample({"text": index}, id=index, negatives=negatives)


def stacked():
    class Stack:
        def collate(self, values):
            return np.array(values)

    return {"text": Stack()}


class Add:
    def __call__(self, value, rng):
        return value + 1000


MAKER = ViewMaker(3, ("text", "text"), [(), ()], 2, ("", "negative"))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_batch_has_the_hard_negatives_of_its_samples(workers, tmp_path):
    data, order = Texts(), Order(N, 8, 3)
    drawn, rng = DrawnValues(data, 3), Rng()
    tmp_path.joinpath("bank").mkdir()
    banks = [None] if workers else [None, *[ViewBank(tmp_path / "bank" / "stream", 2**20)] * 2]
    for bank in banks:  # the last is read from the bank
        batches = list(view_loader(data, MAKER, stacked(), RankBatches(order, 0, 6), workers=workers, bank=bank))
        seen = set()
        for number, batch in enumerate(batches):
            values, negatives = batch.inputs["text"].reshape(2, -1)
            assert values.tolist() == list(batch.rows)
            for row, negative, of in zip(batch.rows, negatives, batch.negative_ids.tolist(), strict=True):
                which = drawn.numbers(row, number // 3, rng).get("negative", 0)
                seen.add(which)
                if row % 3 == 2:
                    assert (negative, of) == (row, NO_NEGATIVE)
                else:
                    assert negative == 100 * (1 + which) + row
                    assert of == (row - 1 if row % 2 else OF_NO_SAMPLE)
        assert seen == {0, 1}


def test_steps_that_share_their_draws_begin_with_the_hard_negative():
    step = PipelineStep(0, Add(), drawn_as=0)
    maker = replace(MAKER, pipelines=[(step,), (step,)])
    assert maker(Texts()[4], 0, Rng()) == [1004, 1104]
    assert [stage.before for stage in maker.stages(Texts()[4], 0, Rng())] == [4, 104]


def test_some_rows_and_a_mixture_say_which_have_some():
    some = SomeRows(Texts(), [2, 4, 7])
    assert some.negatives == {"text": [False, True, True]}
    assert some.with_values(1, {"negative": 1}).negatives["text"].value == 204
    both = Mixture([Texts(), Texts()])
    assert both.negatives["text"].tolist() == [row % 3 != 2 for row in range(N)] * 2
    assert both[N + 7].negatives["text"] == Negative(107, id="1#6")
    check_rows(both, "the mixture")


class Other(Texts):
    def __getitem__(self, index):
        return replace(super().__getitem__(index), negatives=self.of(index))


class OfNone(Other):
    def of(self, index):
        return {"image": Negative(1)}


class NoNegative(Other):
    def of(self, index):
        return {"text": 1}


class Unsaid(Other):
    def of(self, index):
        return {"text": Negative(1)}


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (OfNone, "row 0: it has a hard negative of image, and the data set has text"),
        (
            NoNegative,
            "row 0: its negatives are the dict {'text': 1}, and have to be a mapping from modality to coview.N",
        ),
        (Unsaid, "row 23 has a hard negative of text, and the data set's negatives says nothing"),
    ],
)
def test_what_is_said_wrongly_is_refused(data, problem):
    with pytest.raises(CoviewError) as caught:
        check_rows(data(), "it")
    assert problem in caught.value.message
