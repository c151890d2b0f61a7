"""The kit finds what is wrong with a resource."""

import time

import pytest
from failing import failures

from coview.testing import check_resource


def right(folder):
    (folder / "words").mkdir()
    (folder / "words" / "list.txt").write_text("one two")


def nothing(folder):
    (folder / "words").mkdir()


def dated(folder):
    (folder / "list.txt").write_text(f"{time.time_ns()}")


def test_one_that_is_right_passes():
    check_resource(right)


@pytest.mark.parametrize(
    ("mutant", "check"), [(nothing, "writes_files_into_the_folder"), (dated, "writes_the_same_again")]
)
def test_a_mutant_fails_its_check_and_no_other(mutant, check):
    assert failures(check_resource, mutant)[0] == {check}
