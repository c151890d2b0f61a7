"""What every augmentation of one sample promises, one check each, and all at once. A check yields what is wrong."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from coview.data.loader import view_loader
from coview.data.order import Order, RankBatches
from coview.data.rng import Rng
from coview.data.same import all_same, same
from coview.data.sample import Sample
from coview.data.views import PipelineStep, ViewMaker
from coview.recipe.abilities import is_deterministic
from coview.testing.augmentation_under_test import AugmentationUnderTest, outcomes_of_new
from coview.testing.conformance import Check, Problems, run_checks
from coview.testing.global_generators import outcomes_by_global_seed
from coview.testing.other_interpreter import Failed, call_elsewhere, travelling

DRAWS = 24
"""Keys among which a random augmentation has to draw more than one thing."""


def depends_on_its_key_alone(tested: AugmentationUnderTest) -> Problems:
    """The same key gives the same view: twice in a row, in any order, from a new instance, and from a copy."""
    augmentation = tested.fresh()
    expected = tested.outcomes(augmentation)
    others = {
        "called again": tested.outcomes(augmentation),
        "by a new instance": tested.outcomes(tested.fresh()),
        "by a copy": tested.outcomes(copy.deepcopy(augmentation)),
    }
    backwards = [
        augmentation(copy.deepcopy(value), Rng(seed=1, sample=row, position=2))
        for row, value in reversed(list(enumerate(tested.values)))
    ]
    others["in another order"] = backwards[::-1]
    try:
        others["after pickling"] = tested.outcomes(pickle.loads(pickle.dumps(augmentation)))
    except Exception as error:  # whatever a class's own pickling raises
        yield f"it cannot be pickled, which a loader process started by spawn needs: {error}"
    for how, outcome in others.items():
        changed = [row for row, pair in enumerate(zip(expected, outcome, strict=True)) if not same(*pair)]
        if changed:
            yield f"{how}, value {changed[0]} of {len(expected)} comes out differently at the same key"


def draws_anew_for_each_key(tested: AugmentationUnderTest) -> Problems:
    """Another seed, epoch, sample, view or position draws something else; nothing else where it says that it draws
    nothing, by ``deterministic = True``.

    Another augmentation that never draws anything has nothing to pass here: except it, with the reason.
    """
    says_none = is_deterministic(tested.fresh())
    for part in ("seed", "epoch", "sample", "view", "position"):
        augmentation = tested.fresh()
        one_view_each = all(all_same(_drawn(augmentation, value, part)) for value in tested.values)
        if says_none and not one_view_each:
            yield f"it is deterministic, as it says, and {DRAWS} values of {part} give several views of a value"
        if one_view_each and not says_none:
            yield f"{DRAWS} values of {part} give one and the same view of every value"


def _drawn(augmentation: Any, value: Any, part: str) -> Iterator[Any]:
    """The views of a value at keys that differ in one part, each made when it is asked for."""
    return (augmentation(copy.deepcopy(value), Rng(**{part: number})) for number in range(DRAWS))


def uses_no_other_randomness(tested: AugmentationUnderTest) -> Problems:
    """The global generators of Python, NumPy and PyTorch neither change the view nor are changed."""
    return outcomes_by_global_seed(lambda: tested.outcomes(tested.fresh()), "the view")


def leaves_its_value_alone(tested: AugmentationUnderTest) -> Problems:
    """The value given stays as it was: the other views are made of it."""
    augmentation = tested.fresh()
    for row, value in enumerate(tested.values):
        given = copy.deepcopy(value)
        augmentation(given, Rng(sample=row))
        if not same(given, value):
            yield f"it writes into value {row}"


def is_the_same_in_loader_processes(tested: AugmentationUnderTest) -> Problems:
    """With 0 and with 2 loader processes the views of two epochs are the same, and differ between the epochs."""
    alone, shared = ([*_loaded(tested, workers)] for workers in (0, 2))
    if len(alone) != len(shared) or not all(map(same, alone, shared)):
        yield "the views with 2 loader processes differ from those with none"


def is_the_same_in_another_interpreter(tested: AugmentationUnderTest) -> Problems:
    """In interpreters of another PYTHONHASHSEED the views are the same: a resumed run is in another one.

    It is built there by its factory where that can be pickled, and else travels itself. What is defined in
    ``__main__``, or cannot be pickled at all, is not there, and is passed over.
    """
    augmentation = tested.fresh()
    travels = travelling(tested, augmentation, tested.values)
    if travels is None:
        return
    expected = tested.outcomes(augmentation)
    for found in call_elsewhere(outcomes_of_new, travels):
        if isinstance(found, Failed):
            yield (
                f"in another interpreter it fails ({found.reason}), as it would in a loader process started by spawn"
            )
            return
        changed = [row for row, pair in enumerate(zip(expected, found, strict=True)) if not same(*pair)]
        if changed:
            yield (
                f"in an interpreter of another PYTHONHASHSEED, value {changed[0]} of {len(expected)} comes out "
                "differently at the same key, so that a run that is resumed would see other views: look for the order "
                "of a set, or hash() of a text"
            )
            return


AUGMENTATION_CHECKS: Mapping[str, Check[AugmentationUnderTest]] = {
    check.__name__: check
    for check in (
        uses_no_other_randomness,
        depends_on_its_key_alone,
        draws_anew_for_each_key,
        leaves_its_value_alone,
        is_the_same_in_loader_processes,
        is_the_same_in_another_interpreter,
    )
}
"""Name to check."""

_AFTER = {
    "depends_on_its_key_alone": ("uses_no_other_randomness",),
    "is_the_same_in_loader_processes": ("depends_on_its_key_alone",),
    "is_the_same_in_another_interpreter": ("depends_on_its_key_alone",),
}
"""What differs at the same key in one process differs everywhere."""


class _Values:
    """The values as a data set."""

    classes = None

    def __init__(self, values: Sequence[Any]) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: int) -> Sample:
        return Sample({"value": copy.deepcopy(self._values[index])}, id=index)


class _Listed:
    """Stands in for a modality: a batch is the list of its values."""

    def collate(self, values: Sequence[Any], /) -> Any:
        return list(values)


def _loaded(tested: AugmentationUnderTest, workers: int) -> Iterator[Any]:
    maker = ViewMaker(3, ("value", "value"), [[PipelineStep(0, tested.fresh())]] * 2, global_views=2)
    dataset: Any = _Values(tested.values)
    order = Order(len(dataset), len(dataset) // 2, seed=3)
    batches = RankBatches(order, 0, 2 * order.batches_per_epoch)
    for batch in view_loader(dataset, maker, {"value": _Listed()}, batches, workers=workers):
        yield batch.inputs["value"]


def check_augmentation(
    factory: Callable[..., Any],
    values: Sequence[Any],
    *,
    parameters: Mapping[str, Any] | None = None,
    only: Collection[str] = tuple(AUGMENTATION_CHECKS),
    except_for: Mapping[str, str] | None = None,
) -> None:
    """Checks that the views an augmentation makes are a function of (seed, epoch, sample, view, position) alone.

    Args:
        factory: The augmentation's class, or what else a recipe would build it by.
        values: At least two values of its modality, on which it does something.
        parameters: What every instance is built with; the defaults otherwise.
        only: Names of the checks to run, of ``AUGMENTATION_CHECKS``.
        except_for: Checks that this augmentation is meant to fail, each with the reason, such as
            ``{"draws_anew_for_each_key": "it changes nothing"}``. One that it passes is an error.

    Raises:
        ConformanceError: With all that is wrong.
        ValueError: If there is no check of a name, or there are too few values.
    """
    if len(values) < 2:
        raise ValueError(f"give at least two values to try it on, got {len(values)}")
    tested = AugmentationUnderTest(factory, parameters or {}, tuple(values))
    run_checks(AUGMENTATION_CHECKS, tested, factory, only, except_for, after=_AFTER)
