"""A term of the loss sees what it says that it needs, and returns a scalar."""

from __future__ import annotations

import pytest
import torch

import coview
from coview.model.loss_terms import LossTerms, Term

QUEUE_QD = torch.ones(6, 5)
VIEWS = coview.Views.of(
    torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(1)),
    labels=torch.tensor([0, 1, 0, 1]),
    queue=QUEUE_QD,
    queue_labels=torch.arange(6),
)


class Sees:
    """Notes the views."""

    def __init__(self, needs=None, returns=None):
        if needs is not None:
            self.needs = needs
        self.returns = torch.zeros(()) if returns is None else returns

    def __call__(self, views):
        self.views = views
        return self.returns


@pytest.mark.parametrize(
    ("needs", "labels", "queue"),
    [
        (None, True, True),
        (coview.Needs(), False, False),
        (coview.Needs(labels=True), True, False),
        (coview.Needs(queue="optional"), False, True),
        (coview.Needs(queue="required", labels=True), True, True),
    ],
)
def test_a_term_sees_what_it_names(needs, labels, queue):
    loss, other = Sees(needs), Sees()
    LossTerms([Term("sees", 1.0, loss), Term("other", 1.0, other)])(VIEWS)
    assert (loss.views.labels is not None) is labels
    assert (loss.views.queue is not None, loss.views.queue_ids is not None) == (queue, queue)
    assert (loss.views.queue_labels is not None) is (labels and queue)
    assert loss.views.student is VIEWS.student
    assert other.views.labels is VIEWS.labels, "the other term is not concerned"


@pytest.mark.parametrize(
    ("needs", "sees"), [(None, {"a", "b"}), (coview.Needs(), set()), (coview.Needs(extras=("b",)), {"b"})]
)
def test_a_term_sees_the_extras_that_it_names(needs, sees):
    extras = {"a": torch.arange(4), "b": torch.ones(4, 2)}
    loss = Sees(needs)
    LossTerms([Term("sees", 1.0, loss)])(coview.Views.of(torch.zeros(2, 4, 5), extras=extras))
    assert loss.views.extras.keys() == sees
    assert all(loss.views.extras[name] is extras[name] for name in sees)


@pytest.mark.parametrize(
    ("returns", "says"),
    [
        (torch.zeros(4), '"loss" has to be a scalar tensor, and is a Tensor of shape (4,)'),
        (0.5, '"loss" has to be a scalar tensor, and is a float'),
        ({"value": torch.zeros(())}, 'it returns a mapping without "loss", with value'),
        ({"loss": torch.zeros(()), "pull": torch.zeros(2)}, '"pull" has to be a scalar tensor, and is a Tensor of'),
    ],
)
def test_what_is_no_scalar_is_a_message_that_names_the_loss(returns, says):
    with pytest.raises(coview.CoviewError) as caught:
        LossTerms([Term("mine", 1.0, Sees(returns=returns))])(VIEWS)
    assert f"the loss mine: {says}" in caught.value.message
