"""What every projector and predictor promises, one check each, and all of them at once."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from coview.data.generators import seeded
from coview.errors import few
from coview.model.meta_device import tried_out
from coview.plugins.parameters import Parameters
from coview.testing.conformance import Check, Problems, run_checks, tried_on_the_cpu

_ROWS = 16
_TRIES = 3
"""How often weights are moved, among which one that is used gets a gradient that is not zero."""
_TOLERANCE = 1e-5
"""Of fp32: matrix products of other sizes round otherwise."""


class _WithProjection(nn.Module):
    """Stands for the encoder: all that a projector may use of one is its own projection."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def own_projection(self) -> tuple[nn.Module, int]:
        """Half as wide as the rows."""
        return nn.Linear(self.width, self.width // 2), self.width // 2


@dataclass(frozen=True)
class ProjectorUnderTest:
    """A projector or a predictor, by what builds it.

    Attributes:
        factory, parameters: A fresh instance is ``factory(in_width=…, **parameters)``, of a predictor with ``width``.
        in_width: Of the rows that it gets.
        out_width: That a predictor is told to end in; None: it is a projector, which says its own.
    """

    factory: Callable[..., Any]
    parameters: Mapping[str, Any]
    in_width: int
    out_width: int | None = None

    def fresh(self) -> Any:
        """A new instance, with the weights of one seed."""
        supplied: dict[str, Any] = {"in_width": self.in_width}
        if self.out_width is not None:
            supplied["width"] = self.out_width
        elif "encoder" in Parameters.of(self.factory, "projector").supplied:
            supplied["encoder"] = _WithProjection(self.in_width)
        with seeded(0):
            return self.factory(**supplied, **copy.deepcopy(dict(self.parameters)))

    def rows(self) -> Tensor:
        """``(16, in_width)``, of one seed."""
        return torch.randn(_ROWS, self.in_width, generator=torch.Generator().manual_seed(1))


@runtime_checkable
class _HasWidth(Protocol):
    width: Any


def is_a_module_with_a_width(tested: ProjectorUnderTest) -> Problems:
    """An ``nn.Module`` whose ``width`` is a positive integer, of a predictor the one that it is given."""
    made = tested.fresh()
    if not isinstance(made, nn.Module):
        yield f"it is a {type(made).__name__}, and has to be an nn.Module"
    width = made.width if isinstance(made, _HasWidth) else None
    if tested.out_width is not None:
        if width is not None and width != tested.out_width:
            yield f"it is told to end in {tested.out_width} numbers, and says that its width is {width!r}"
    elif isinstance(width, bool) or not isinstance(width, int) or width < 1:
        yield f"its width has to be a positive integer, and is {width!r}"


def maps_rows_to_its_width(tested: ProjectorUnderTest) -> Problems:
    """``(N, in_width)`` becomes ``(N, width)``, all of it finite."""
    made = tested.fresh()
    z_ND = made(tested.rows())
    expected = (_ROWS, made.width if tested.out_width is None else tested.out_width)
    if not isinstance(z_ND, Tensor) or tuple(z_ND.shape) != expected:
        shape = tuple(z_ND.shape) if isinstance(z_ND, Tensor) else type(z_ND).__name__
        yield f"of rows of shape {(_ROWS, tested.in_width)} it makes {shape}, and not {expected}"
    elif not z_ND.isfinite().all():
        yield "what it makes of normal rows is not finite"


def leaves_its_rows_alone(tested: ProjectorUnderTest) -> Problems:
    """It writes into nothing that it is given: evaluators and the gradient cache use it again."""
    for mode in (True, False):
        given_ND = tested.rows()
        with torch.no_grad():
            tested.fresh().train(mode)(given_ND)
        if not torch.equal(given_ND, tested.rows()):
            yield f"in {'training' if mode else 'evaluation'} mode it writes into the rows that it is given"


def is_still_in_evaluation_mode(tested: ProjectorUnderTest) -> Problems:
    """After ``eval()`` it draws nothing and keeps nothing: twice gives the same."""
    made = tested.fresh().eval()
    before = {name: buffer.clone() for name, buffer in made.named_buffers()}
    with torch.no_grad():
        first, second = made(tested.rows()), made(tested.rows())
    if not torch.equal(first, second):
        yield "in evaluation mode the same rows become something else the second time"
    for name, buffer in made.named_buffers():
        if not torch.equal(buffer, before[name]):
            yield f"in evaluation mode it changes its buffer {name}"


def rows_stand_for_themselves(tested: ProjectorUnderTest) -> Problems:
    """Evaluated, a row alone becomes what it becomes among others: exported weights are used one by one."""
    made = tested.fresh().eval()
    with torch.no_grad():
        together = made(tested.rows())
        alone = torch.cat([made(row[None]) for row in tested.rows()])
    difference = float((together - alone).abs().max())
    if difference > _TOLERANCE * max(1.0, float(together.abs().max())):
        yield f"a row alone is projected differently than among {_ROWS}, by {difference:.2g}"


def every_weight_learns(tested: ProjectorUnderTest) -> Problems:
    """A gradient reaches every parameter that wants one, and the rows, whatever the weights are."""
    made = tested.fresh().train()
    generator = torch.Generator().manual_seed(2)
    largest: dict[str, float] = {}
    for _ in range(_TRIES):
        rows_ND = tested.rows().requires_grad_()
        z_ND = made(rows_ND)
        weights = {"the rows that it is given": rows_ND}
        weights |= {name: weight for name, weight in made.named_parameters() if weight.requires_grad}
        target = (z_ND * torch.randn(z_ND.shape, generator=generator)).sum()
        found: tuple[Tensor | None, ...] = (None,) * len(weights)
        if target.requires_grad:
            found = torch.autograd.grad(target, list(weights.values()), allow_unused=True)
        for name, gradient in zip(weights, found, strict=True):
            size = 0.0 if gradient is None else float(gradient.abs().max())
            largest[name] = max(largest.get(name, 0.0), size)
        with torch.no_grad():  # a gate that begins at zero hides what is behind it
            for weight in made.parameters():
                weight.add_(0.05 * torch.randn(weight.shape, generator=generator))
    if without := [name for name, size in largest.items() if size == 0]:
        yield f"no gradient reaches {few(without)}: freeze or leave out what is not used"


def comes_back_from_its_state(tested: ProjectorUnderTest) -> Problems:
    """A fresh one that loads the ``state_dict`` of a trained one projects as that does: a run can be resumed."""
    made, other = tested.fresh(), tested.fresh()
    with torch.no_grad():
        made.train()(tested.rows())
        for weight in made.parameters():
            weight.add_(0.1)
    try:
        other.load_state_dict(made.state_dict())
    except RuntimeError as error:
        yield f"it does not load its own state: {str(error).splitlines()[0]}"
        return
    with torch.no_grad():
        if not torch.equal(made.eval()(tested.rows()), other.eval()(tested.rows())):
            yield "one that has loaded the state of another projects differently: something is in no buffer"


def can_be_tried_out(tested: ProjectorUnderTest) -> Problems:
    """It is built and called on the meta device: ``coview recipe check --build`` does so.

    One that asks for the numbers of a tensor is tried on the CPU, and this is said.
    """

    def on(device: torch.device) -> tuple[Tensor, int]:
        with device:
            made = tested.fresh()
            return made(tested.rows().to(device)), made.width

    (rows, width), why = tried_out(on)
    if why:
        yield tried_on_the_cpu(why)
    if tuple(rows.shape) != (_ROWS, width):
        yield f"on the {rows.device.type} device it makes rows of shape {tuple(rows.shape)}"


PROJECTOR_CHECKS: Mapping[str, Check[ProjectorUnderTest]] = {
    check.__name__: check
    for check in (
        is_a_module_with_a_width,
        maps_rows_to_its_width,
        leaves_its_rows_alone,
        is_still_in_evaluation_mode,
        rows_stand_for_themselves,
        every_weight_learns,
        comes_back_from_its_state,
        can_be_tried_out,
    )
}
"""Name to check; a predictor has the same."""

_AFTER = {
    "maps_rows_to_its_width": ("is_a_module_with_a_width",),
    **dict.fromkeys([*PROJECTOR_CHECKS][2:], ("is_a_module_with_a_width", "maps_rows_to_its_width")),
    **dict.fromkeys(
        ("rows_stand_for_themselves", "comes_back_from_its_state"),
        ("is_a_module_with_a_width", "maps_rows_to_its_width", "is_still_in_evaluation_mode"),
    ),
}


def check_projector(
    factory: Callable[..., Any],
    *,
    parameters: Mapping[str, Any] | None = None,
    in_width: int = 24,
    only: Collection[str] = tuple(PROJECTOR_CHECKS),
    except_for: Mapping[str, str] | None = None,
) -> list[str]:
    """Tries everything that a projector promises.

    Args:
        factory: Builds it, as ``factory(in_width=…, **parameters)``.
        parameters: What it is built with besides; the defaults otherwise.
        in_width: Of the rows that it is tried on.
        only: Names of the checks to run, of ``PROJECTOR_CHECKS``.
        except_for: Checks that this projector is meant to fail, each with the reason. One that it passes is an error.

    Returns:
        What is not wrong but worth knowing, such as that it is tried out on the CPU.

    Raises:
        ConformanceError: With all that is wrong.
        ValueError: If there is no check of a name.
    """
    tested = ProjectorUnderTest(factory, parameters or {}, in_width)
    return run_checks(PROJECTOR_CHECKS, tested, factory, only, except_for, after=_AFTER)


def check_predictor(
    factory: Callable[..., Any],
    *,
    parameters: Mapping[str, Any] | None = None,
    in_width: int = 24,
    only: Collection[str] = tuple(PROJECTOR_CHECKS),
    except_for: Mapping[str, str] | None = None,
) -> list[str]:
    """Tries everything that a predictor promises.

    Args:
        factory: Builds it, as ``factory(in_width=…, width=…, **parameters)``; both widths are ``in_width``, as they are
            in a run.
        parameters: As of :func:`check_projector`.
        in_width: As of :func:`check_projector`.
        only: As of :func:`check_projector`.
        except_for: As of :func:`check_projector`.

    Returns:
        As of :func:`check_projector`.

    Raises:
        ConformanceError: With all that is wrong.
        ValueError: If there is no check of a name.
    """
    tested = ProjectorUnderTest(factory, parameters or {}, in_width, in_width)
    return run_checks(PROJECTOR_CHECKS, tested, factory, only, except_for, after=_AFTER)
