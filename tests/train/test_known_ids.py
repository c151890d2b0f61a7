"""Whether a batch is known, without a look at the device, to have no id twice."""

import pytest

import coview
from coview.train.loading import knows_that_ids_differ


class Rows:
    splits = ("train",)
    modalities = ("image",)
    classes = None
    version = "1"
    citation = licence = ""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return coview.Sample(index, {"image": None})


class KnownRows(Rows):
    def __init__(self, ids):
        self.ids = ids


@pytest.mark.parametrize(
    ("dataset", "ranks", "known"),
    [(Rows(), 1, True), (Rows(), 2, False), (KnownRows([0, 1, 2, 3]), 2, True), (KnownRows(None), 2, False)],
)
def test_ids_of_other_ranks_are_known_where_all_were_compared(dataset, ranks, known):
    differ = knows_that_ids_differ(dataset, ranks)
    assert differ([3, 1, 2]) is known
    assert not differ([3, 1, 3])
