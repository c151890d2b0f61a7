"""Which rows have which modality: as a data set says it, of some of its rows, in a mixture, and where it is said wrongly."""

import numpy as np
import pytest
import torch

import coview
from coview.data.dataset_checks import check_rows
from coview.data.mixture import Mixture
from coview.data.present import having, having_any, modalities_of_row, present_of
from coview.data.some_rows import SomeRows
from coview.data.values import readable_values
from coview.model.queue import Queue
from triples import Some, Triples


def test_a_data_set_says_it_row_by_row():
    some = Some()
    for row in range(60):
        there, absent = modalities_of_row(some, row)
        assert set(there) == set(some[row].values)
        assert set(there) | set(absent) == {"picture", "caption", "sound"}
    assert present_of(Triples()) == {}
    assert modalities_of_row(some, 1, ("caption",)) == ((), ("caption",))


@pytest.mark.parametrize("names", [("sound",), ("caption", "sound"), ("picture", "caption", "sound")])
def test_those_that_have_all_and_those_that_have_any(names):
    some = Some()
    expected = [some[row].id for row in range(60) if set(names) <= set(some[row].values)]
    chosen = having(some, names)
    assert [chosen[index].id for index in range(len(chosen))] == expected
    expected = [some[row].id for row in range(60) if set(names) & set(some[row].values)]
    chosen = having_any(some, names)
    assert [chosen[index].id for index in range(len(chosen))] == expected
    assert having(Triples(), names).__class__ is Triples


def test_values_are_those_that_are_there():
    assert len(list(readable_values(Some(), "sound"))) == 15


def test_some_rows_keep_what_is_known_of_them():
    class Knows(Some):
        ids = tuple(range(60))
        pairs = coview.Pairs(np.array([0, 4, 5]), np.array([4, 9, 8]), np.array([0.5, 1.0, 2.0]))

        def __init__(self):
            super().__init__()
            self.unreadable = {9: coview.SampleError("nine", "gone"), 3: coview.SampleError("three", "gone")}

    rows = [4, 9, 0, 2]
    some = SomeRows(Knows(), rows)
    assert some.ids == rows
    assert some.present == {name: Knows().present[name][rows].tolist() for name in ("caption", "sound", "picture")}
    assert list(some.unreadable) == [1]
    assert (some.pairs.first_P.tolist(), some.pairs.second_P.tolist()) == ([2, 0], [0, 1])
    assert some.pairs.score_P.tolist() == [0.5, 1.0]


def test_a_mixture_of_data_of_which_one_lacks_nothing():
    both = Mixture([Some(), Triples()])
    for row in (0, 1, 8, 59, 60, 61, 119):
        assert set(modalities_of_row(both, row)[0]) == set(both[row].values)


class Wrong(Some):
    def __init__(self, present):
        super().__init__()
        self.present = present

    def has(self, index, name):
        return True


@pytest.mark.parametrize(
    ("present", "message"),
    [
        ({"sonud": [True] * 60}, "present names 'sonud', and its modalities are picture, caption, sound"),
        ({"sound": [True] * 59}, "present has 59 entries of sound, and the split 60 rows"),
        ({"sound": [False] * 60}, "row 0: it has a value of sound, and the data set's present says that it has none"),
        ({name: [row > 0 for row in range(60)] for name in ("picture", "caption", "sound")}, "row 0 has none of its"),
    ],
)
def test_what_is_said_wrongly_is_refused(present, message):
    with pytest.raises(coview.CoviewError, match=message):
        check_rows(Wrong(present), "here")


def test_a_sample_that_lacks_what_nobody_says_is_refused():
    class Silent(Triples):
        def has(self, index, name):
            return name != "sound"

    with pytest.raises(coview.CoviewError, match="row 0: it has no value of sound"):
        check_rows(Silent(), "here")


def test_a_queue_takes_the_rows_that_are_there():
    queue = Queue(20, 2, labelled=True)
    z_VND = torch.arange(12.0).reshape(2, 3, 2)
    present_VN = torch.tensor([[True, True, True], [False, True, False]])
    views = coview.Views.of(z_VND, labels=torch.tensor([7, 8, 9]), ids=torch.tensor([3, 4, 5]))
    queue.put(views.__class__(**{**views.__dict__, "present_VN": present_VN}))
    rows, ids = queue.content()
    assert rows.tolist() == [*z_VND[0].tolist(), z_VND[1, 1].tolist()]
    assert ids.tolist() == [3, 4, 5, 4]
    assert queue.labels().tolist() == [7, 8, 9, 8]
    assert queue.views().tolist() == [0, 0, 0, 1]


def test_some_rows_ask_once_for_what_is_known():
    """Groups may be a property that goes through all rows: asked for each row, that takes quadratic time."""

    class Counts(Triples):
        asked = 0

        @property
        def groups(self):
            type(self).asked += 1
            return [*range(len(self))]

    rows = [*range(len(Triples()))]
    assert SomeRows(Counts(), rows).groups == rows
    assert Counts.asked <= 2  # once to see that it is known
