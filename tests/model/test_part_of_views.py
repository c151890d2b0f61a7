"""What a term sees of a batch's views: those of its modalities."""

import pytest
import torch

import coview
from coview.model.loss_terms import LossTerms, Term
from coview.model.part_of_views import of_modalities

V, N, D, Q = 4, 5, 3, 9
OF_VIEW = ("image", "image", "text", "audio")


def views(*, teacher: bool = False, queue: bool = False, local: int = 0) -> coview.Views:
    generator = torch.Generator().manual_seed(0)

    def rows(*shape):
        return torch.randn(*shape, D, generator=generator, dtype=torch.float64)

    return coview.Views.of(
        rows(V, N).requires_grad_(),
        teacher=rows(V - local, N) if teacher else None,
        global_views=V - local,
        modalities=OF_VIEW,
        roles=("a", "b", "c", "d"),
        representations=rows(V, N),
        queue=rows(Q) if queue else None,
        queue_ids=torch.arange(Q) if queue else None,
        queue_labels=10 + torch.arange(Q) if queue else None,
        queue_views=torch.arange(Q) % (V - local) if queue else None,
    )


def test_the_views_of_some_modalities_in_their_order():
    whole = views(teacher=True)
    part = of_modalities(whole, ("audio", "image"))
    assert part.modalities == ("image", "image", "audio")
    assert part.roles == ("a", "b", "d")
    for name in ("student", "teacher", "representations"):
        assert torch.equal(getattr(part, name), getattr(whole, name)[[0, 1, 3]])
    assert part.ids is whole.ids
    assert part.has_teacher


def test_the_students_own_rows_stay_the_same_object_as_the_target():
    part = of_modalities(views(), ("text", "audio"))
    assert part.teacher is part.student


def test_the_queue_has_the_rows_of_those_views_numbered_anew():
    whole = views(teacher=True, queue=True)
    part = of_modalities(whole, ("text", "audio"))
    kept = [2, 3, 6, 7]  # rows 0 to 8 are of the views 0, 1, 2, 3, 0, …
    assert torch.equal(part.queue, whole.queue[kept])
    assert part.queue_ids.tolist() == kept
    assert part.queue_labels.tolist() == [12, 13, 16, 17]
    assert part.queue_views.tolist() == [0, 1, 0, 1]


def test_local_views_are_no_views_of_the_target():
    part = of_modalities(views(teacher=True, local=1), ("image", "audio"))
    assert part.modalities == ("image", "image", "audio")
    assert len(part.student) == 3
    assert len(part.teacher) == 2


@pytest.mark.parametrize("between", [("image", "text"), ("text", "audio"), ("image",)])
def test_terms_add_up_to_the_losses_of_their_own_views(registry, between):
    whole = views()
    chosen = [view for view, name in enumerate(OF_VIEW) if name in between]
    info, xent = registry.build("loss", "info_nce"), registry.build("loss", "nt_xent")
    terms = LossTerms([Term("part", 0.5, info, between=between), Term("all", 2.0, xent)])
    outputs = terms(whole)
    alone = coview.Views.of(whole.student[chosen])
    expected = 0.5 * info(alone) + 2 * xent(coview.Views.of(whole.student))
    torch.testing.assert_close(outputs["loss"], expected, atol=1e-12, rtol=0)
    assert float(outputs["loss/part"]) == pytest.approx(info(alone).item(), abs=1e-12)
    (gradient,) = torch.autograd.grad(outputs["loss"], whole.student)
    (by_hand,) = torch.autograd.grad(expected, whole.student)
    torch.testing.assert_close(gradient, by_hand, atol=1e-12, rtol=0)
