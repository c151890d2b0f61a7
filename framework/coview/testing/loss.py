"""What every loss promises, one check each, and all of them at once. A check yields what is wrong, in words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from coview.model.views import Views
from coview.plugins.parameters import Parameters
from coview.recipe.abilities import read_each_step
from coview.testing.conformance import Check, Problems, run_checks
from coview.testing.examples import example_cases, example_views, with_student
from coview.testing.loss_processes import own_rows_alone, shares_of_processes
from coview.testing.loss_under_test import ONE_PAIR, TOLERANCE, LossUnderTest, situations
from coview.testing.outcome import Outcome, outcome_of, scalar_of
from coview.testing.processes import shares_of


def returns_a_scalar(tested: LossUnderTest) -> Problems:
    """A finite scalar of the rows' type, or a mapping with one as "loss", from which the student has a gradient."""
    for case, views, build in situations(tested):
        output = build()(views)
        outputs = output if isinstance(output, Mapping) else {"loss": output}
        if "loss" not in outputs:
            yield f'{case}: it returns a mapping without "loss"'
            continue
        for name, value in outputs.items():
            if not isinstance(value, Tensor) or value.ndim != 0:
                yield f'{case}: "{name}" is not a scalar tensor: {_short(value)}'
        value = scalar_of(output)
        if not isinstance(value, Tensor) or value.ndim != 0:
            continue
        if value.dtype != views.student.dtype:
            yield f"{case}: of rows in {views.student.dtype} it makes {value.dtype}"
        outcome = outcome_of(build(), views)
        if not outcome.is_finite():
            yield f"{case}: the value or a gradient is not finite: {float(value)}"
        elif float(outcome.gradients["student"].abs().max()) == 0:
            yield f"{case}: the student gets no gradient"


def leaves_its_input_alone(tested: LossUnderTest) -> Problems:
    """It changes none of the tensors that it sees: others see them too."""
    for case, views, build in situations(tested):
        before = {name: tensor.detach().clone() for name, tensor in _tensors(views).items()}
        with torch.no_grad():
            build()(views)
        for name, tensor in _tensors(views).items():
            if not torch.equal(tensor, before[name]):
                yield f"{case}: it writes into views.{name}"


def order_of_samples(tested: LossUnderTest) -> Problems:
    """Permuting the samples changes nothing but the order of the gradients."""
    order = torch.tensor([3, 0, 6, 2, 5, 1, 4])
    for case, views, build in situations(tested, ids=ONE_PAIR):
        labels = None if views.labels is None else views.labels[order]
        permuted = with_student(views, views.student.detach()[:, order].requires_grad_(), views.ids[order])
        if views.has_teacher:
            permuted = replace(permuted, teacher=views.teacher[:, order])
        extras = {name: of_sample[order] for name, of_sample in views.extras.items()}
        permuted = replace(permuted, labels=labels, extras=extras)
        found = outcome_of(build(), permuted)
        back = {**found.gradients, "student": found.gradients["student"][:, order.argsort()]}
        where, difference = outcome_of(build(), views).difference(Outcome(found.value, back))
        if difference > TOLERANCE:
            yield f"{case}: the order of the samples matters: the {where} changes by {difference:.1e}"


def samples_of_equal_id(tested: LossUnderTest) -> Problems:
    """They are neither positives nor negatives of each other, nor are the queue's rows of an anchor's id."""
    for case, views, build in situations(tested, ids=ONE_PAIR):
        queue_ids = views.queue_ids
        if queue_ids is not None and len(queue_ids):
            queue_ids = queue_ids.clone()
            queue_ids[0] = views.ids[0]
        teacher = views.teacher.clone().requires_grad_() if views.has_teacher else views.teacher
        queue = None if views.queue is None else views.queue.clone().requires_grad_()
        views = replace(views, teacher=teacher, queue=queue, queue_ids=queue_ids)
        first = _of_first_sample(tested, build, views)
        if float((first.value - outcome_of(build(), views).value).abs()) < TOLERANCE:
            yield from _no_negatives_at_all(build, case, views)
            continue
        for branch in ("student", "teacher"):
            reached = float(first.gradients[branch][:, 3].abs().max()) if branch in first.gradients else 0.0
            if reached > TOLERANCE:
                yield (
                    f"{case}: sample 3 has the id of sample 0, yet acts on its loss (a gradient of {reached:.1e} for "
                    f"the {branch}'s row): samples of equal views.ids are neither positives nor negatives of each other"
                )
        if queue is not None and len(queue) and (reached := float(first.gradients["queue"][0].abs().max())) > TOLERANCE:
            yield (
                f"{case}: the queue's row 0 has the id of sample 0, yet acts on its loss (a gradient of "
                f"{reached:.1e}): rows of equal views.queue_ids are neither positives nor negatives"
            )


def _of_first_sample(tested: LossUnderTest, build: Callable[[], Any], views: Views) -> Outcome:
    """What the process makes that owns sample 0 alone."""
    if tested.needs.rows == "own":
        return shares_of(build, views, (0, 1, len(views.ids))).outcome((1.0, 0.0))
    return outcome_of(build(), replace(views, anchors=slice(0, 1)))


def _no_negatives_at_all(build: Callable[[], Any], case: str, views: Views) -> Problems:
    """For a loss of the whole batch: if all ids are equal, samples do not see each other."""
    views = with_student(views, views.student, torch.full_like(views.ids, 4))
    moved = views.student.detach().clone()
    moved[:, 1:] = moved[:, 1:].flip(-1)
    changed = outcome_of(build(), with_student(views, moved.requires_grad_()))
    before = outcome_of(build(), views).gradients["student"][:, 0]
    difference = float((changed.gradients["student"][:, 0] - before).abs().max())
    if difference > TOLERANCE:
        yield (
            f"{case}: all samples have one id, yet the others act on sample 0 (its gradient changes by "
            f"{difference:.1e}): samples of equal views.ids are neither positives nor negatives of each other"
        )


def ids_that_are_known_to_differ(tested: LossUnderTest) -> Problems:
    """Whether it is known that all ids differ changes what a loss may leave out, and not what it comes to."""
    for case, views, build in situations(tested):
        found, without = (outcome_of(build(), replace(views, ids_differ=known)) for known in (True, False))
        where, difference = without.difference(found)
        if difference > TOLERANCE:
            yield (
                f"{case}: the {where} differs by {difference:.1e} where views.ids_differ says that no two ids are "
                "equal, which is so whether it says it or not"
            )


def views_come_together(tested: LossUnderTest) -> Problems:
    """Descent brings a sample's view 0 to its view 1, and not to the teacher's view of the same picture.

    Of a loss that sees no projections, but hidden tokens or representations, nothing of the kind is expected. Where the
    teacher's rows may be of any width they are no positives, and the student's own views have to come together.
    """
    for varied in (choice for choice in tested.choices() if choice.needs.projections):
        for teacher in (True,) if varied.needs.teacher else (False, True):
            queue: Literal["none", "empty"] = "empty" if varied.needs.queue == "required" else "none"
            number = max(2, varied.needs.views)
            views = example_views(varied.needs, views=number, teacher=teacher, queue=queue, dtype=torch.float32, seed=1)
            loss = varied.fresh(dtype=torch.float32)
            others = views.student if varied.needs.teacher_width == "any" else views.teacher
            before = _agreement(views, others[1])
            optimizer = torch.optim.Adam([views.student], lr=0.05)
            for _ in range(100):
                optimizer.zero_grad()
                scalar_of(loss(views)).backward()
                optimizer.step()
            after, to_the_same = _agreement(views, others[1]), _agreement(views, others[0])
            case = f"with{'' if teacher else 'out'} a teacher{varied.described()}"
            if after < before + 0.2:
                yield (
                    f"{case}: 100 steps of descent take the cosine of a sample's two views from {before:.2f} to "
                    f"{after:.2f}: it does not bring them together. Is the positive the row itself (the diagonal of a "
                    f"view's similarities with itself){', or is views.teacher left aside' if teacher else ''}?"
                )
            elif others is views.teacher and teacher and to_the_same > after:
                yield (
                    f"{case}: descent brings view 0 to the teacher's view 0 (cosine {to_the_same:.2f}), which is the "
                    f"same picture, rather than to its view 1 ({after:.2f})"
                )


def low_precision(tested: LossUnderTest) -> Problems:
    """In fp16 and bf16, under autocast, value and gradients are finite wherever the parameters may be."""
    for varied in tested.extremes():
        for dtype in (torch.float16, torch.bfloat16, torch.float32):
            half = dtype if dtype != torch.float32 else torch.bfloat16
            for case, options in example_cases(varied.needs).items():
                views = example_views(varied.needs, dtype=dtype, **options)
                for name, seen in {"": views, ", equal views": _as_after_training(views)}.items():
                    with torch.autocast("cpu", dtype=half, enabled=dtype != torch.float32):
                        outcome = outcome_of(varied.fresh(dtype=torch.float32), seen)
                    if not outcome.is_finite():
                        yield f"{case}{name}{varied.described()}: {_not_finite(outcome)} in {dtype}"


def _as_after_training(views: Views) -> Views:
    """All views of a sample are equal, where exponentials of similarities are at their largest."""
    first = views.student.detach()[:1]
    alike = with_student(views, first.repeat(len(views.student), 1, 1).requires_grad_())
    return replace(alike, teacher=first.repeat(len(views.teacher), 1, 1)) if views.has_teacher else alike


def odd_batches(tested: LossUnderTest) -> Problems:
    """Rows of zeros, equal rows, the smallest batch and equal ids make nothing infinite."""
    for varied in tested.choices():
        for dtype in (torch.float32, torch.float16):
            for case, options in example_cases(varied.needs).items():
                for name, views in _odd_views(varied, dtype, options).items():
                    outcome = outcome_of(varied.fresh(dtype=torch.float32), views)
                    if not outcome.is_finite():
                        yield f"{case}, {name}{varied.described()}: {_not_finite(outcome)} in {dtype}"


def _odd_views(tested: LossUnderTest, dtype: torch.dtype, options: Mapping[str, Any]) -> dict[str, Views]:
    def changed(name: str, change: Callable[[Tensor], object], **more: Any) -> None:
        views = example_views(tested.needs, dtype=dtype, **{**options, **more})
        with torch.no_grad():
            for tensor in (views.student, views.teacher, views.queue):
                if tensor is not None and tensor.numel() and tensor.is_leaf:
                    change(tensor)
        found[name] = with_student(views, views.student)

    found: dict[str, Views] = {}
    changed("a row of zeros", lambda z: z.select(-2, 0).zero_())
    changed("all rows zero", lambda z: z.zero_())
    changed("all rows equal", lambda z: z.fill_(0.5))
    changed("the smallest batch", lambda z: None, samples=tested.needs.smallest_batch)
    changed("one id for all", lambda z: None, ids=(4,) * 7)
    changed("one id for all, equal rows", lambda z: z.fill_(0.5), ids=(4,) * 7)
    return found


def state_is_saved(tested: LossUnderTest) -> Problems:
    """What a loss has become by training is in its ``state_dict``, and another instance goes on from it."""
    first = tested.fresh()
    if not isinstance(first, nn.Module):
        return
    case, options = next(iter(example_cases(tested.needs).items()))
    for seed in range(3):
        first(example_views(tested.needs, seed=seed, **options))
    with torch.no_grad():
        for parameter in first.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    second = tested.fresh(seed=1)
    second.load_state_dict(first.state_dict())
    views = example_views(tested.needs, seed=9, **options)
    where, difference = outcome_of(first, views).difference(outcome_of(second, views))
    if difference > TOLERANCE:
        yield (
            f"{case}: an instance that loads another's state_dict goes on differently: the {where} differs by "
            f"{difference:.1e}. Register what it keeps as parameters or buffers"
        )


def parameters_learn(tested: LossUnderTest) -> Problems:
    """Each of its parameters gets a gradient."""
    largest: dict[str, float] = {}
    for _, views, build in situations(tested):
        for name, gradient in outcome_of(build(), views).gradients.items():
            if name.startswith("parameter "):
                largest[name] = max(largest.get(name, 0.0), float(gradient.abs().max()))
    for name, size in largest.items():
        if size == 0:
            yield f"the {name} gets no gradient: make it a buffer, or use it"


def scheduled_parameters(tested: LossUnderTest) -> Problems:
    """What is in ``read_each_step`` is read anew: a loss whose attribute is set is as one that was built so."""
    takes = {parameter.name for parameter in Parameters.of(tested.factory, "loss").parameters}
    for name in read_each_step(tested.factory):
        if name not in takes:
            yield f"read_each_step has {name}, which is not a parameter"
        for varied in tested.extremes():
            if name not in varied.parameters or name in tested.parameters:
                continue
            for case, options in example_cases(varied.needs).items():
                views, changed = example_views(varied.needs, **options), tested.fresh()
                setattr(changed, name, varied.parameters[name])
                where, difference = outcome_of(changed, views).difference(outcome_of(varied.fresh(), views))
                if difference > TOLERANCE:
                    yield (
                        f"{case}: with {name} set to {varied.parameters[name]:g} the {where} differs by "
                        f"{difference:.1e} from that of a loss that was built with it"
                    )
                    break


LOSS_CHECKS: Mapping[str, Check[LossUnderTest]] = {
    check.__name__: check
    for check in (
        returns_a_scalar,
        leaves_its_input_alone,
        order_of_samples,
        shares_of_processes,
        own_rows_alone,
        samples_of_equal_id,
        ids_that_are_known_to_differ,
        views_come_together,
        low_precision,
        odd_batches,
        state_is_saved,
        parameters_learn,
        scheduled_parameters,
    )
}
"""By name, in the order in which they run."""

_AFTER = {
    "leaves_its_input_alone": ("returns_a_scalar",),
    **dict.fromkeys([*LOSS_CHECKS][2:], ("returns_a_scalar", "leaves_its_input_alone")),
    "own_rows_alone": ("returns_a_scalar", "leaves_its_input_alone", "shares_of_processes"),
}
"""What is not a scalar of the rows' type cannot be compared, nor can what becomes of views that have been written
into."""


def _tensors(views: Views) -> dict[str, Tensor]:
    names = ("student", "teacher", "ids", "queue", "queue_ids", "queue_labels", "queue_views", "labels")
    found = {name: tensor for name in names if (tensor := getattr(views, name)) is not None}
    return found | {f"extras[{name}]": tensor for name, tensor in views.extras.items()}


def _agreement(views: Views, other_ND: Tensor) -> float:
    return float(nn.functional.cosine_similarity(views.student[0].detach(), other_ND.detach(), dim=-1).mean())


def _not_finite(outcome: Outcome) -> str:
    if not outcome.value.isfinite():
        return f"the value is {float(outcome.value)}"
    names = [name for name, gradient in outcome.gradients.items() if not gradient.isfinite().all()]
    return f"the gradient of {' and '.join(names)} is not finite"


def _short(value: Any) -> str:
    return f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


def check_loss(
    factory: Callable[..., Any],
    *,
    parameters: Mapping[str, Any] | None = None,
    only: Collection[str] = tuple(LOSS_CHECKS),
    except_for: Mapping[str, str] | None = None,
) -> None:
    """Checks that a loss keeps the promises of the contract, on small random projections on the CPU.

    Args:
        factory: The loss's class, or what else a recipe would build it by. Its signature says which parameters are
            tried, and its ``needs`` which views it gets.
        parameters: What every instance is built with; the defaults otherwise.
        only: Names of the checks to run, of ``LOSS_CHECKS``.
        except_for: Checks that this loss is meant to fail, each with the reason, such as
            ``{"samples_of_equal_id": "its statistics are of the whole batch"}``. One that it passes is an error.

    Raises:
        ConformanceError: With all that is wrong.
        ValueError: If there is no check of a name.
    """
    run_checks(LOSS_CHECKS, LossUnderTest(factory, parameters or {}), factory, only, except_for, after=_AFTER)
