"""What a loss sees: whether there is a teacher is said, and not guessed."""

from __future__ import annotations

import pytest
import torch

from coview.data.batch import Batch
from coview.model.gather import views_of_all_ranks
from coview.model.loss_terms import LossTerms
from coview.model.topology import Taught, Topology
from coview.model.tower import Projected, Tower, Towers
from coview.model.views import Views

Z_VND = torch.randn(3, 4, 5)


def test_without_a_teacher_the_students_own_views_stand_in():
    views = Views.of(Z_VND)
    assert not views.has_teacher
    assert views.teacher is Z_VND


@pytest.mark.parametrize("teacher", [Z_VND, Z_VND.detach(), Z_VND[:2], torch.zeros(2, 4, 5)])
def test_a_teacher_that_is_given_is_one_wherever_its_memory_is(teacher):
    views = Views.of(Z_VND, teacher=teacher)
    assert views.has_teacher
    assert views.teacher is teacher


def test_local_views_without_a_teacher():
    views = Views.of(Z_VND, global_views=2)
    assert not views.has_teacher
    assert torch.equal(views.teacher, Z_VND[:2])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"global_views": 4}, "global_views has to be from 1 to 3, got 4"),
        ({"global_views": 1, "teacher": Z_VND}, "global_views has to be 3, as the teacher has it, got 1"),
    ],
)
def test_numbers_of_views_that_do_not_fit_are_refused(options, says):
    with pytest.raises(ValueError, match=says):
        Views.of(Z_VND, **options)


@pytest.mark.parametrize("teacher", [None, Z_VND[:2]])
def test_what_is_gathered_says_it_too(teacher):
    batch = Batch({}, torch.arange(4), None, None, None)
    views = views_of_all_ranks(Projected(Z_VND, Z_VND), batch, ("a",) * 3, global_views=2, teacher_GND=teacher)
    assert views.has_teacher is (teacher is not None)


def test_what_is_gathered_without_a_teacher_is_the_student_itself():
    """By which a loss tells that it can do half the work."""
    batch = Batch({}, torch.arange(4), None, None, None)
    assert (views := views_of_all_ranks(Projected(Z_VND, Z_VND), batch, ("a",) * 3, global_views=3)).teacher is (
        views.student
    )


@pytest.mark.parametrize("stop_gradient", [False, True])
def test_stop_gradient_is_a_teacher_though_it_shares_the_students_memory(stop_gradient):
    towers = Towers({"a": Tower(torch.nn.Identity(), torch.nn.Identity())}, ("a",) * 3, 2)
    topology = Topology(towers, LossTerms([]), stop_gradient=stop_gradient)
    batch = Batch({}, torch.arange(4), None, None, None)
    views = topology.views(Projected(Z_VND, Z_VND), Taught(None, None), batch, 0.0)
    assert views.has_teacher is stop_gradient
