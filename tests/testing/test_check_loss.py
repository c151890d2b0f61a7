"""The kit finds what is wrong with a loss, and says it. Each loss here is right but for one mistake."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
import torch
from annotated_types import Ge, Gt, Le
from failing import failures
from torch import nn

import coview
from coview.testing import LOSS_CHECKS, ConformanceError, check_loss, example_cases, example_views, outcome_of
from coview.testing.loss_under_test import LossUnderTest


class Right(nn.Module):
    """Cross-entropy between views 0 and 1 at a temperature, with what a subclass gets wrong as a method."""

    needs = coview.Needs(views=2, most_views=2, smallest_batch=2)

    def __init__(self, *, temperature: float = 0.2) -> None:
        super().__init__()
        self.temperature = temperature

    def unit(self, z):
        z = z if z.dtype == torch.float64 else z.float()
        norm = z.norm(dim=-1, keepdim=True)
        return z / norm.masked_fill(norm == 0, torch.inf)

    def pair(self, views):
        return views.student[0], views.teacher[1]

    def twins(self, views):
        own = torch.arange(len(views.ids))
        return (views.ids[:, None] == views.ids) & (own[:, None] != own)

    def logits(self, views):
        a, b = map(self.unit, self.pair(views))
        with torch.autocast("cpu", enabled=False):
            return (a @ b.T / self.temperature).masked_fill(self.twins(views), -torch.inf)

    def rows(self, views):
        return views.anchors

    def forward(self, views):
        rows = self.rows(views)
        return nn.functional.cross_entropy(self.logits(views)[rows], torch.arange(len(views.ids))[rows])


class DiagonalPositive(Right):
    def pair(self, views):
        return views.student[0], views.teacher[0]


class IgnoresIds(Right):
    def twins(self, views):
        return torch.zeros(len(views.ids), len(views.ids), dtype=torch.bool)


class AnotherLossWithoutMasks(Right):
    """Takes each sample for a negative of itself as well, where it believes that it needs no mask."""

    def logits(self, views):
        logits = super().logits(views)
        return torch.cat([logits, logits.diag()[:, None]], 1) if views.ids_differ else logits


class DependsOnOrder(Right):
    def forward(self, views):
        weight = torch.arange(1, len(views.ids) + 1, dtype=views.student.dtype)
        loss = nn.functional.cross_entropy(self.logits(views), torch.arange(len(views.ids)), reduction="none")
        return (weight * loss).sum() / weight.sum()


class NaNAtZeroRows(Right):
    def unit(self, z):
        z = z if z.dtype == torch.float64 else z.float()
        return z / z.norm(dim=-1, keepdim=True)


class Overflows(Right):
    """exp(1 / T) of fp32 is inf at T = 0.01."""

    def __init__(self, *, temperature: Annotated[float, Ge(0.01)] = 0.2) -> None:
        super().__init__(temperature=temperature)

    def forward(self, views):
        exp = self.logits(views).exp()
        own = torch.arange(len(views.ids))[views.anchors]
        return -(exp[own, own] / exp[own].sum(-1)).log().mean()


class SumsItsShare(Right):
    def forward(self, views):
        return super().forward(views) * (views.anchors.stop - views.anchors.start)


class OtherRanksDetached(Right):
    """The classic: candidates of other processes without gradient."""

    def pair(self, views):
        a, b = views.student[0], views.teacher[1]
        own = torch.zeros(len(views.ids), 1, dtype=torch.bool)
        own[views.anchors] = True
        return a, torch.where(own, b, b.detach())


class ForgetsItsState(Right):
    def __init__(self, *, temperature: float = 0.2) -> None:
        super().__init__(temperature=temperature)
        self.calls = 0

    def forward(self, views):
        self.calls += 1
        return super().forward(views) * (1 + self.calls)


class DeadParameter(Right):
    def __init__(self, *, temperature: float = 0.2) -> None:
        super().__init__(temperature=temperature)
        self.scale = nn.Parameter(torch.ones(()))


class WritesIntoViews(Right):
    def forward(self, views):
        value = super().forward(views)
        with torch.no_grad():
            views.student.data.mul_(0.5)
        return value


class ReturnsRows(Right):
    def forward(self, views):
        return self.logits(views)[:, 0]


class LosesPrecision(Right):
    def forward(self, views):
        return super().forward(views).float()


class UsesItsOwnQueueRows(Right):
    needs = coview.Needs(views=2, most_views=2, queue="optional")

    def logits(self, views):
        logits = super().logits(views)
        if views.queue is None:
            return logits
        return torch.cat([logits, self.unit(views.student[0]) @ self.unit(views.queue).T / self.temperature], dim=1)


class Bakes(Right):
    read_each_step = ("temperature",)

    def __init__(self, *, temperature: Annotated[float, Ge(0.05), Le(1)] = 0.2) -> None:
        super().__init__(temperature=temperature)
        self.baked = temperature

    def logits(self, views):
        return super().logits(views) * (self.temperature / self.baked)


class ByUser(Right):
    """Samples of one user are no negatives of each other either."""

    needs = coview.Needs(views=2, most_views=2, smallest_batch=2, extras=("user", "price"))

    def user(self, views):
        return views.extras["user"]

    def twins(self, views):
        user, own = self.user(views), torch.arange(len(views.ids))
        return super().twins(views) | ((user[:, None] == user) & (own[:, None] != own))


class TakesExtrasByTheirPlaceInItsShare(ByUser):
    """As if they were this process's own, and not of all rows."""

    def user(self, views):
        own = views.extras["user"][: views.anchors.stop - views.anchors.start]
        return own.repeat(len(views.ids))[: len(views.ids)]


class WritesIntoExtras(ByUser):
    def forward(self, views):
        value = super().forward(views)
        views.extras["price"].add_(1)
        return value


class RightOfOwnRows(nn.Module):
    """Cross-entropy with a target from which the mean over all samples is taken, and a moving average of it."""

    needs = coview.Needs(views=2, most_views=2, teacher=True, smallest_batch=1, rows="own")

    def __init__(self, width):
        super().__init__()
        self.register_buffer("center_D", torch.zeros(width))

    def mean(self, z, views):
        return views.sum(z) / views.count

    def kept(self, z, views):
        return self.mean(z, views)

    def forward(self, views):
        rows = views.student[0], views.teacher[1].detach()
        student, teacher = (z if z.dtype == torch.float64 else z.float() for z in rows)
        with torch.autocast("cpu", enabled=False):
            target = (teacher - self.mean(teacher, views) - self.center_D).softmax(-1)
            loss = -(target * student.log_softmax(-1)).sum(-1).mean()
        self.center_D.lerp_(self.kept(teacher, views).to(self.center_D.dtype), 0.1)
        return loss


class SaysThatItSeesItsOwnRows(Right):
    """And compares samples."""

    needs = coview.Needs(views=2, most_views=2, smallest_batch=2, rows="own")


class MeanOfItsOwnRows(RightOfOwnRows):
    def mean(self, z, views):
        return z.sum(0) / max(len(z), 1)

    def kept(self, z, views):
        return views.sum(z) / views.count


class CentreOfItsOwnRows(RightOfOwnRows):
    def kept(self, z, views):
        return z.sum(0) / max(len(z), 1)


class LeavesWithoutSamples(RightOfOwnRows):
    def forward(self, views):
        return super().forward(views) if len(views.ids) else views.student.sum()


WRONG = {
    SaysThatItSeesItsOwnRows: ("shares_of_processes", 'It says Needs(rows="own"), so it sees one process\'s rows'),
    MeanOfItsOwnRows: ("shares_of_processes", "take what it needs of all rows by views.sum"),
    CentreOfItsOwnRows: ("own_rows_alone", "center_D of a process differs from that of one process"),
    LeavesWithoutSamples: ("own_rows_alone", "one process takes a sum over processes that another does not take"),
    Bakes: ("scheduled_parameters", "with temperature set to 0.05 the"),
    DiagonalPositive: ("views_come_together", "it does not bring them together. Is the positive the row itself"),
    IgnoresIds: ("samples_of_equal_id", "sample 3 has the id of sample 0, yet acts on its loss"),
    AnotherLossWithoutMasks: ("ids_that_are_known_to_differ", "which is so whether it says it or not"),
    DependsOnOrder: ("order_of_samples", "the order of the samples matters"),
    NaNAtZeroRows: ("odd_batches", "a row of zeros: the value is nan in torch.float32"),
    Overflows: (
        "low_precision",
        "without a teacher, equal views (temperature = 0.01): the value is nan in torch.float16",
    ),
    SumsItsShare: ("shares_of_processes", "2 processes do not make what one makes"),
    OtherRanksDetached: ("shares_of_processes", "the gradient of student differs by"),
    ForgetsItsState: ("state_is_saved", "Register what it keeps as parameters or buffers"),
    DeadParameter: ("parameters_learn", "the parameter scale gets no gradient"),
    WritesIntoViews: ("leaves_its_input_alone", "it writes into views.student"),
    TakesExtrasByTheirPlaceInItsShare: ("shares_of_processes", "2 processes do not make what one makes"),
    WritesIntoExtras: ("leaves_its_input_alone", "it writes into views.extras[price]"),
    ReturnsRows: ("returns_a_scalar", '"loss" is not a scalar tensor: shape (7,)'),
    LosesPrecision: ("returns_a_scalar", "of rows in torch.float64 it makes torch.float32"),
    UsesItsOwnQueueRows: ("samples_of_equal_id", "the queue's row 0 has the id of sample 0"),
}


@pytest.mark.parametrize("right", [Right, ByUser, RightOfOwnRows])
def test_a_right_loss_passes(right) -> None:
    check_loss(right)


@pytest.mark.parametrize(
    ("loss", "check", "message"), [(k, *v) for k, v in WRONG.items()], ids=lambda x: getattr(x, "__name__", "")
)
def test_a_wrong_loss_is_found_out(loss, check, message) -> None:
    failed, said = failures(check_loss, loss)
    assert failed == {check}
    assert said.startswith(f"{loss.__name__} does not keep ")
    assert message in said


def test_what_cannot_be_compared_is_not_checked_and_that_is_said() -> None:
    failed, said = failures(check_loss, LosesPrecision)
    lines = [line for line in said.splitlines() if "not checked, since returns_a_scalar fails" in line]
    assert len(lines) == len(LOSS_CHECKS) - len(failed)


def test_every_check_has_a_loss_that_it_finds_out() -> None:
    assert {check for check, _ in WRONG.values()} == set(LOSS_CHECKS)


def test_the_teachers_own_picture_is_no_positive() -> None:
    """With a teacher the diagonal draws together what already is one picture."""

    class OnlyWithATeacher(DiagonalPositive):
        needs = coview.Needs(views=2, most_views=2, teacher=True)

    with pytest.raises(ConformanceError, match="views_come_together: with a teacher"):
        check_loss(OnlyWithATeacher, only=["views_come_together"])


def test_an_exception_has_to_be_needed() -> None:
    check_loss(IgnoresIds, except_for={"samples_of_equal_id": "for the test"})
    with pytest.raises(ConformanceError, match=r"order_of_samples: passes, though it is excepted \(why not\)"):
        check_loss(Right, only=["order_of_samples"], except_for={"order_of_samples": "why not"})


def test_an_unknown_check_is_refused() -> None:
    with pytest.raises(ValueError, match="no such check: order; there are returns_a_scalar"):
        check_loss(Right, only=["order"])


def test_what_a_loss_raises_names_the_check() -> None:
    class Raises(Right):
        def forward(self, views):
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom") as caught:
        check_loss(Raises)
    assert caught.value.__notes__ == ["in the check returns_a_scalar of Raises"]


def test_parameters_are_tried_at_their_bounds() -> None:
    def build(
        *,
        a: Annotated[float, Gt(0), Le(10)] = 1.0,
        b: Annotated[int, Ge(2)] = 3,
        c: Literal["x", "y"] | None = None,
        d: Annotated[float, Ge(0)] | Literal["soft"] = "soft",
        e: bool = False,
        f: str = "",
    ) -> object:
        if c == "y":
            raise ValueError("does not go together")
        return object()

    tried = [dict(varied.parameters) for varied in LossUnderTest(build).extremes()]
    assert tried == [
        {},
        {"c": "x"},
        {"d": "soft"},
        {"e": False},
        {"e": True},
        {"a": 0.01},
        {"a": 10.0},
        {"b": 2},
        {"d": 0.0},
    ]


def test_example_views_fit_the_needs() -> None:
    needs = coview.Needs(views=3, labels=True, teacher=True, queue="required", local_views=True)
    views = example_views(needs, samples=5, width=4, local_views=2, dtype=torch.float16)
    assert views.student.shape == (5, 5, 4)
    assert views.student.requires_grad
    assert views.teacher.shape == (3, 5, 4)
    assert not views.teacher.requires_grad
    assert views.labels is not None
    assert views.labels.shape == (5,)
    assert views.queue is not None
    assert views.queue.dtype is torch.float16
    assert not torch.isin(views.queue_ids, views.ids).any()
    plain = example_views(coview.Needs())
    assert plain.teacher is plain.student
    assert (plain.queue, plain.labels) == (None, None)
    with_local = example_views(coview.Needs(), local_views=1)
    assert with_local.teacher.shape[0] == 2
    torch.testing.assert_close(with_local.teacher, with_local.student[:2])


def test_cases_follow_the_needs() -> None:
    assert set(example_cases(coview.Needs(most_views=2))) == {"without a teacher", "with a teacher"}
    assert set(example_cases(coview.Needs(teacher=True, queue="required", local_views=True))) == {
        "with a teacher",
        "with a queue",
        "with an empty queue",
        "with one view more",
        "with local views",
    }


def test_an_outcome_has_the_gradients() -> None:
    views = example_views(coview.Needs(), width=2)
    loss = nn.Module()
    loss.forward = lambda v: {"loss": (v.student**2).sum(), "other": torch.zeros(())}
    loss.unused = nn.Parameter(torch.ones(3))
    found = outcome_of(loss, views)
    torch.testing.assert_close(found.gradients["student"], 2 * views.student.detach())
    assert found.gradients["parameter unused"].tolist() == [0, 0, 0]
    assert set(found.gradients) == {"student", "parameter unused"}
