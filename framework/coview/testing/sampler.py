"""What every sampler promises, one check each, and all of them at once. A check yields what is wrong, in words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from coview.data.rng import Rng
from coview.data.sample import Sample
from coview.data.sampler import Rows, problem_of_batches
from coview.testing.conformance import Check, Problems, UnderTest, run_checks

_EPOCHS = 4


class _Texts:
    """Texts of several lengths, some of them equal, in classes and groups of several sizes."""

    splits = ("train",)
    modalities = ("words",)
    classes = ("a", "b", "c", "d")
    citation = licence = ""
    version = "1"

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Sample:
        text = f"word{index % (self._count - 3)} " * (1 + index % 7)
        label = min(3, index * index % 11 // 2)
        return Sample({"words": text}, id=index, label=label, group=f"speaker {index % 9}")


@dataclass(frozen=True)
class SamplerUnderTest(UnderTest):
    """A sampler, by what builds it.

    Attributes:
        factory, parameters: What builds it.
        rows: What it is tried on.
        batch_size: Of the batches.
    """

    rows: Rows
    batch_size: int

    def epochs(self, sampler: Any, numbers: Sequence[int], seed: int = 0) -> list[Any]:
        """The batches of some epochs, in the order in which they are asked for."""
        return [sampler(self.rows, self.batch_size, Rng(seed, epoch=number)) for number in numbers]


def makes_whole_batches(tested: SamplerUnderTest) -> Problems:
    """Of each epoch as many batches as the rows fill, of rows that are there, none twice in one."""
    for epoch, found in enumerate(tested.epochs(tested.fresh(), range(_EPOCHS))):
        if problem := problem_of_batches(found, len(tested.rows), tested.batch_size):
            yield f"it {problem} in epoch {epoch}"
            return


def is_a_function_of_seed_and_epoch(tested: SamplerUnderTest) -> Problems:
    """The same batches for the same seed and epoch, whatever was asked before, in any process."""
    numbers = list(range(_EPOCHS))
    sampler = tested.fresh()
    forwards = tested.epochs(sampler, numbers)
    backwards = tested.epochs(sampler, numbers[::-1])[::-1]
    for epoch in numbers:
        alone = tested.epochs(tested.fresh(), [epoch])[0]
        if not (np.array_equal(forwards[epoch], backwards[epoch]) and np.array_equal(forwards[epoch], alone)):
            yield f"the batches of epoch {epoch} are different when they are asked for again, or in another order"
            return


def draws_anew_for_each_epoch_and_seed(tested: SamplerUnderTest) -> Problems:
    """Other batches in another epoch, and by another seed."""
    first, second = tested.epochs(tested.fresh(), [0, 1])
    if np.array_equal(first, second):
        yield "the batches of epochs 0 and 1 are the same"
    elif np.array_equal(first, tested.epochs(tested.fresh(), [0], seed=1)[0]):
        yield "the batches of seeds 0 and 1 are the same"


SAMPLER_CHECKS: Mapping[str, Check[SamplerUnderTest]] = {
    check.__name__: check
    for check in (makes_whole_batches, is_a_function_of_seed_and_epoch, draws_anew_for_each_epoch_and_seed)
}


def check_sampler(
    factory: Callable[..., Any],
    *,
    parameters: Mapping[str, Any] | None = None,
    dataset: Any = None,
    batch_size: int = 4,
    only: Collection[str] = tuple(SAMPLER_CHECKS),
    except_for: Mapping[str, str] | None = None,
) -> None:
    """Tries everything that a sampler promises.

    Args:
        factory: Builds it, as ``factory(**parameters)``.
        parameters: What it is built with; the defaults otherwise.
        dataset: What it is tried on; texts with four classes otherwise, of which some are equal.
        batch_size: Of the batches.
        only: Names of the checks to run, of ``SAMPLER_CHECKS``.
        except_for: Checks that this sampler is meant to fail, each with the reason. One that it passes is an error.

    Raises:
        ConformanceError: With all that is wrong.
        ValueError: If there is no check of a name.
    """
    data: Any = _Texts(61) if dataset is None else dataset
    tested = SamplerUnderTest(factory, parameters or {}, Rows(data), batch_size)
    run_checks(SAMPLER_CHECKS, tested, factory, only, except_for)
