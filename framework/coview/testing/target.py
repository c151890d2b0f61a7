"""What every target promises, one check each, and all of them at once. A check yields what is wrong, in words."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

import torch
from torch import Tensor, nn

from coview.data.generators import seeded
from coview.data.same import same
from coview.model.target import Sees, TargetInput
from coview.plugins.parameters import Parameters
from coview.testing.conformance import Check, Problems, run_checks

_ROWS, _TOKENS, _WIDTH, _VALUES, _CLASSES = 5, 9, 8, 6, 30
_TOLERANCE = 1e-9
"""In fp64."""


@dataclass(frozen=True)
class TargetUnderTest:
    """A target, by what builds it.

    Attributes:
        factory, parameters: A fresh instance is ``factory(**parameters)``.
        classes: Whether the encoder's tokens are classes, and not numbers.
    """

    factory: Callable[..., Any]
    parameters: Mapping[str, Any]
    classes: bool = False

    def fresh(self, seed: int = 0) -> Any:
        """A new instance, in double precision."""
        made_of = {"values": 0, "classes": _CLASSES} if self.classes else {"values": _VALUES, "classes": 0}
        supplied = Parameters.of(self.factory, "target").taken({"in_width": _WIDTH, **made_of})
        with seeded(seed):
            built = self.factory(**supplied, **copy.deepcopy(dict(self.parameters)))
        return built.double() if isinstance(built, nn.Module) else built

    def input(self, changed_NT: Tensor | None = None) -> TargetInput:
        """What it says that it sees, with other numbers for some tokens."""
        built, generator = self.fresh(), torch.Generator().manual_seed(0)
        real_NT = torch.arange(_TOKENS) < (torch.arange(_ROWS) + 4)[:, None]

        def numbers(width: int) -> Tensor:
            x_NTD = torch.randn(_ROWS, _TOKENS, width, generator=generator, dtype=torch.float64)
            return x_NTD if changed_NT is None else torch.where(changed_NT[..., None], x_NTD.flip(-1) * 3 + 1, x_NTD)

        given = TargetInput(real_NT)
        if built.sees == "teacher":
            return replace(given, layers_LNTD=tuple(numbers(_WIDTH) for _ in range(built.layers)))
        if built.sees == "teacher_decoder":
            return replace(given, decoded_KP=numbers(_WIDTH)[real_NT])
        if self.classes:
            ids_NT = torch.randint(_CLASSES, (_ROWS, _TOKENS), generator=generator)
            return replace(given, values_NTP=ids_NT if changed_NT is None else torch.where(changed_NT, 1, ids_NT))
        return replace(given, values_NTP=numbers(_VALUES))


def says_what_it_makes(tested: TargetUnderTest) -> Problems:
    """``sees``, ``layers``, ``width`` and ``is_class`` are what it then needs and makes."""
    built = tested.fresh()
    if built.sees not in get_args(Sees):
        yield f"sees is {built.sees!r}; it has to be one of {', '.join(get_args(Sees))}"
        return
    if (built.layers > 0) != (built.sees == "teacher"):
        yield f'layers is {built.layers}, and sees is "{built.sees}": only of the teacher it sees layers, at least one'
        return
    given = tested.input()
    made = built(given)
    shape = tuple(made.shape) if isinstance(made, Tensor) else type(made).__name__
    rows = (int(given.real_NT.sum()),) if built.sees == "teacher_decoder" else (_ROWS, _TOKENS)
    if built.is_class:
        if shape != rows or made.dtype != torch.int64:
            yield f"it makes {shape}, and classes have to be int64 of shape {rows}"
        elif int(made.min()) < 0 or int(made.max()) >= built.width:
            yield f"it makes classes from {int(made.min())} to {int(made.max())}, and its width is {built.width}"
    elif shape[:-1] != rows or (built.width and shape[-1] != built.width):
        yield f"it makes {shape}, and its width is {built.width}"


def is_the_same_each_time(tested: TargetUnderTest) -> Problems:
    """For the same input, and the same seed of its weights."""
    given, built = tested.input(), tested.fresh()
    if not torch.equal(built(given), built(given)):
        yield "it makes something else of the same input when it is asked again"
    elif not torch.equal(built(given), tested.fresh()(given)):
        yield "another instance of the same seed makes something else: draw its weights from PyTorch's generator"


def padding_changes_nothing(tested: TargetUnderTest) -> Problems:
    """What is no token changes none that is."""
    if tested.fresh().sees == "teacher_decoder":  # which it is not given
        return
    real_NT = tested.input().real_NT
    one, other = (tested.fresh()(tested.input(changed)) for changed in (None, ~real_NT))
    if not torch.allclose(one[real_NT].double(), other[real_NT].double(), rtol=0, atol=_TOLERANCE):
        yield "what lies at the places of padding changes what tokens have to be"


def rows_are_apart(tested: TargetUnderTest) -> Problems:
    """What a row's tokens have to be does not depend on other rows: they may be on other processes."""
    if tested.fresh().sees == "teacher_decoder":
        return
    changed_NT = torch.zeros(_ROWS, _TOKENS, dtype=torch.bool)
    changed_NT[1:] = True
    one, other = (tested.fresh()(tested.input(changed))[0] for changed in (None, changed_NT))
    if not torch.allclose(one.double(), other.double(), rtol=0, atol=_TOLERANCE):
        yield "other rows change what the first row's tokens have to be"


def leaves_its_input_alone(tested: TargetUnderTest) -> Problems:
    """It writes into none of the tensors that it is given: the encoder is given the same input."""
    given, before = tested.input(), tested.input()
    tested.fresh()(given)
    if not same(given, before):
        yield "it writes into its input"


def weights_are_saved_and_not_trained(tested: TargetUnderTest) -> Problems:
    """An instance of another seed that loads its state makes the same; and nothing of it asks for a gradient."""
    built = tested.fresh()
    if not isinstance(built, nn.Module):
        return
    other = tested.fresh(seed=1)
    other.load_state_dict(built.state_dict())
    if not torch.equal(built(tested.input()), other(tested.input())):
        yield "another instance that loads its state makes something else: register what it keeps as buffers"
    trained = [name for name, parameter in built.named_parameters() if parameter.requires_grad]
    if trained:
        yield f"{trained[0]} is a parameter that is trained by nothing: register it as a buffer"


TARGET_CHECKS: Mapping[str, Check[TargetUnderTest]] = {
    check.__name__: check
    for check in (
        says_what_it_makes,
        leaves_its_input_alone,
        is_the_same_each_time,
        padding_changes_nothing,
        rows_are_apart,
        weights_are_saved_and_not_trained,
    )
}
"""By name, in the order in which they run."""

_AFTER = {
    "leaves_its_input_alone": ("says_what_it_makes",),
    "is_the_same_each_time": ("says_what_it_makes", "leaves_its_input_alone"),
    **dict.fromkeys([*TARGET_CHECKS][3:], ("says_what_it_makes", "leaves_its_input_alone", "is_the_same_each_time")),
}


def check_target(
    factory: Callable[..., Any],
    *,
    parameters: Mapping[str, Any] | None = None,
    classes: bool = False,
    only: Collection[str] = tuple(TARGET_CHECKS),
    except_for: Mapping[str, str] | None = None,
) -> None:
    """Tries everything that a target promises.

    Args:
        factory: Builds it, as ``factory(**parameters)``, with what it takes of ``in_width``, ``values``, ``classes``.
        parameters: What it is built with; the defaults otherwise.
        classes: Whether the tokens that it is tried on are classes, as those of texts, and not numbers.
        only: Names of the checks to run, of ``TARGET_CHECKS``.
        except_for: Checks that this target is meant to fail, each with the reason. One that it passes is an error.

    Raises:
        ConformanceError: With all that is wrong.
        ValueError: If there is no check of a name.
    """
    run_checks(
        TARGET_CHECKS, TargetUnderTest(factory, parameters or {}, classes), factory, only, except_for, after=_AFTER
    )
