import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import coview
from coview import Views
from coview.model.queue import Queue, build_queue


def put(queue, first, samples, views=1):
    """Sample i has the projection (i, view)."""
    ids = torch.arange(first, first + samples)
    z = torch.stack([torch.stack([ids.float(), torch.full((samples,), float(v))], 1) for v in range(views)])
    queue.put(Views.of(z, ids=ids))


def test_it_begins_empty_and_grows():
    queue = Queue(5, 2)
    rows, ids = queue.content()
    assert rows.shape == (0, 2)
    put(queue, 0, 2)
    put(queue, 2, 2)
    rows, ids = queue.content()
    assert sorted(ids.tolist()) == [0, 1, 2, 3]
    assert torch.equal(rows[:, 0].long(), ids)


@given(size=st.integers(1, 12), batches=st.lists(st.integers(1, 7), max_size=8), views=st.integers(1, 3))
def test_it_holds_the_latest_rows(size, batches, views):
    queue, expected = Queue(size, 2), []
    first = 0
    for samples in batches:
        put(queue, first, samples, views)
        expected += [(i, v) for v in range(views) for i in range(first, first + samples)]
        first += samples
    rows, ids = queue.content()
    assert sorted(map(tuple, rows.long().tolist())) == sorted(expected[-size:])
    assert torch.equal(rows[:, 0].long(), ids)


def test_what_was_taken_out_is_not_changed_by_what_comes_in():
    queue = Queue(2, 2)
    put(queue, 0, 2)
    rows, _ = queue.content()
    put(queue, 8, 2)
    assert rows[:, 0].tolist() == [0, 1]


def test_it_is_carried_in_the_state():
    queue, again = Queue(4, 2), Queue(4, 2)
    put(queue, 0, 3)
    again.load_state_dict(queue.state_dict())
    put(queue, 3, 2)
    put(again, 3, 2)
    assert torch.equal(queue.content()[1], again.content()[1])


@given(size=st.integers(1, 12), batches=st.lists(st.integers(1, 7), max_size=8), views=st.integers(1, 3))
def test_labels_stay_with_their_rows(size, batches, views):
    """Of samples whose label is their number modulo five, but for every second batch, which has none."""
    queue, first = Queue(size, 2, labelled=True), 0
    for number, samples in enumerate(batches):
        ids = torch.arange(first, first + samples)
        z = torch.stack([ids.float(), torch.full((samples,), number % 2.0)], 1).repeat(views, 1, 1)
        queue.put(Views.of(z, ids=ids, labels=None if number % 2 else ids % 5))
        first += samples
    rows, ids = queue.content()
    assert torch.equal(queue.labels(), torch.where(rows[:, 1] == 1, -1, ids % 5))
    assert Queue(size, 2).labels() is None
    assert "labels_Q" not in Queue(size, 2).state_dict(), "of a loss without labels nothing changes"


@given(size=st.integers(1, 12), batches=st.lists(st.integers(1, 5), max_size=8), taken=st.sampled_from([(1,), (0, 2)]))
def test_it_takes_the_views_that_it_is_told_to_and_says_which_is_which(size, batches, taken):
    queue, expected, first = Queue(size, 2, views=taken), [], 0
    for samples in batches:
        put(queue, first, samples, views=3)
        expected += [(i, v) for v in taken for i in range(first, first + samples)]
        first += samples
    rows, ids = queue.content()
    assert sorted(map(tuple, rows.long().tolist())) == sorted(expected[-size:])
    assert torch.equal(rows[:, 0].long(), ids)
    assert torch.equal(rows[:, 1].long(), queue.views())


def test_one_view_of_mocos_makes_65536_rows_of_256_batches_of_256():
    queue = Queue(1024, 2, views=(1,))
    for batch in range(5):
        put(queue, 256 * batch, 256, views=2)
    assert sorted(queue.content()[1].tolist()) == list(range(256, 1280)), "the last four batches, not two"


def test_a_recipe_says_which_views_by_number_or_by_name(small_recipe, write_recipe):
    text = small_recipe.replace("[encoder]", "[queue]\nsize = 8\nviews = {}\n\n[encoder]", 1)
    named = text.replace("[data]", '[data]\nviews = ["query", "key"]', 1)
    for each, written in ((text, "[1]"), (named, '["key"]')):
        recipe = coview.load_recipe(write_recipe(each.format(written)))
        assert recipe.queue.numbers == (1,)
        assert recipe.tables["queue"]["views"] == [1]
        queue = build_queue(recipe, 2)
        put(queue, 0, 3, views=2)
        assert queue.views().tolist() == [1, 1, 1]
    assert coview.load_recipe(write_recipe(text.format('"all"'))).queue.numbers is None


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("[2]", r"queue.views: there is no view 2: they are 0 to 1"),
        ('["key"]', r'queue.views: no view is called "key": none has a name'),
        ("[1, 1]", "queue.views: names a view twice"),
        ("[]", "queue.views"),
        ('"some"', "queue.views"),
    ],
)
def test_views_that_are_not_there_are_a_message(small_recipe, write_recipe, written, says):
    path = write_recipe(small_recipe + f"\n[queue]\nsize = 8\nviews = {written}\n")
    with pytest.raises(coview.CoviewError, match=says):
        coview.load_recipe(path)


@pytest.mark.parametrize("size", [2**40, 2**63 - 1])
def test_one_that_no_machine_can_hold_is_a_message(small_recipe, write_recipe, size):
    path = write_recipe(small_recipe + f"\n[queue]\nsize = {size}\n")
    with pytest.raises(coview.CoviewError, match=rf"recipe.toml:\d+: queue.size: {size:,} rows of 8 numbers take"):
        build_queue(coview.load_recipe(path), 8)


def test_that_of_a_recipe(small_recipe, write_recipe):
    queue = build_queue(coview.load_recipe(write_recipe(small_recipe + "\n[queue]\nsize = 6\n")), 3)
    assert queue.rows_QD.shape == (6, 3)
    assert build_queue(coview.load_recipe(write_recipe()), 3) is None
