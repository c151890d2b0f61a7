"""What every augmentation of a context promises, one check each, and all of them at once."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from coview.data.rng import Rng
from coview.data.same import same
from coview.recipe.abilities import works_on_context
from coview.testing.conformance import Check, Problems, UnderTest, run_checks
from coview.testing.global_generators import outcomes_by_global_seed

_TRIES = 5
"""Keys that are tried: a step that drops little may drop the same twice."""


@dataclass(frozen=True)
class ContextAugmentationUnderTest(UnderTest):
    """A context augmentation, by what builds it.

    Attributes:
        factory, parameters: What builds it.
        context: What it changes.
    """

    context: Any

    def made(self, augmentation: Any, batch: int = 0) -> Any:
        """The context of a view, of a copy of the context."""
        return augmentation(copy.deepcopy(self.context), Rng(seed=1, batch=batch).of_view())


def uses_no_other_randomness(tested: ContextAugmentationUnderTest) -> Problems:
    """It draws from the generator that it is given, and from no other."""
    yield from outcomes_by_global_seed(lambda: tested.made(tested.fresh()), "the context that it makes")


def depends_on_its_key_alone(tested: ContextAugmentationUnderTest) -> Problems:
    """The same key gives the same context: again, after another one, and by a new instance."""
    if not works_on_context(augmentation := tested.fresh()):
        yield "its class does not have of_context = True"
        return
    expected = tested.made(augmentation)
    tested.made(augmentation, batch=1)
    for how, other in {"after another batch": augmentation, "by a new instance": tested.fresh()}.items():
        if not same(expected, tested.made(other)):
            yield f"{how} the context comes out differently at the same key"


def draws_anew_for_each_key(tested: ContextAugmentationUnderTest) -> Problems:
    """Other batches have other contexts."""
    first, *others = (tested.made(tested.fresh(), batch) for batch in range(_TRIES))
    if all(same(first, other) for other in others):
        yield f"{_TRIES} batches have the same context"


def leaves_its_context_alone(tested: ContextAugmentationUnderTest) -> Problems:
    """It writes into nothing of the context, which the other views and the evaluators get too."""
    context = copy.deepcopy(tested.context)
    tested.fresh()(context, Rng(seed=1).of_view())
    if not same(context, tested.context):
        yield "it writes into the context that it is given"


CONTEXT_AUGMENTATION_CHECKS: Mapping[str, Check[ContextAugmentationUnderTest]] = {
    check.__name__: check
    for check in (
        uses_no_other_randomness,
        depends_on_its_key_alone,
        draws_anew_for_each_key,
        leaves_its_context_alone,
    )
}
"""By name, in the order in which they run."""


def check_context_augmentation(
    factory: Callable[..., Any],
    context: Any,
    *,
    parameters: Mapping[str, Any] | None = None,
    only: Collection[str] = tuple(CONTEXT_AUGMENTATION_CHECKS),
    except_for: Mapping[str, str] | None = None,
) -> None:
    """Tries everything that a context augmentation promises.

    Args:
        factory: Builds it, as ``factory(**parameters)``.
        context: What the samples of its data share: tensors, arrays, dataclasses and mappings of these.
        parameters: What it is built with; the defaults otherwise.
        only: Names of the checks to run, of ``CONTEXT_AUGMENTATION_CHECKS``.
        except_for: Checks that it is meant to fail, each with the reason. One that it passes is an error.

    Raises:
        ConformanceError: With all that is wrong.
        ValueError: If there is no check of a name.
    """
    tested = ContextAugmentationUnderTest(factory, parameters or {}, context)
    run_checks(CONTEXT_AUGMENTATION_CHECKS, tested, factory, only, except_for)
