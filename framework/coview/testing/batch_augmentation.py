"""What every augmentation of batches promises, one check each, and all at once. A check yields what is wrong."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from coview.data.augmentation import is_replayable
from coview.data.batch import leaves, map_tensors, select_samples
from coview.data.batch_rng import BatchRng
from coview.data.same import all_same, same
from coview.model.batch_augment import has_state
from coview.recipe.abilities import is_deterministic, works_on_batches
from coview.testing.augmentation import DRAWS
from coview.testing.conformance import Check, Problems, run_checks
from coview.testing.global_generators import outcomes_by_global_seed
from coview.testing.other_interpreter import Failed, call_elsewhere, travelling

TOLERANCE = 1e-5
"""Relative: what the size of a batch may change, as sums are taken in another order."""


@dataclass(frozen=True)
class BatchAugmentationUnderTest:
    """An augmentation of batches, by what builds it, and a batch to try it on.

    Attributes:
        factory, parameters: A fresh instance is ``factory(**parameters)``, or its form for batches.
        batch: Tensors of ``views · samples`` rows, view by view.
        views: How many.
    """

    factory: Callable[..., Any]
    parameters: Mapping[str, Any]
    batch: Any
    views: int

    @property
    def samples(self) -> int:
        """Of the batch."""
        return len(_tensors(self.batch)[0]) // self.views

    def fresh(self) -> Any:
        """A new instance."""
        made = self.factory(**copy.deepcopy(dict(self.parameters)))
        return made if works_on_batches(made) else made.batched()

    def outcome(self, augmentation: Any, **key: Any) -> Any:
        """What becomes of the batch."""
        return augmentation(_copied(self.batch), self.rng(**key))

    def rng(
        self,
        seed: int = 1,
        epoch: int = 0,
        first_sample: int = 5,
        first_view: int = 0,
        position: int = 2,
        device: str = "cpu",
    ) -> BatchRng:
        """The numbers of the batch's rows."""
        ids_N = torch.arange(first_sample, first_sample + self.samples, device=device)
        return BatchRng(seed, epoch, ids_N, range(first_view, first_view + self.views), position)


def keeps_its_rows(tested: BatchAugmentationUnderTest) -> Problems:
    """As many rows come out as go in."""
    rows = tested.views * tested.samples
    for tensor in _tensors(tested.outcome(tested.fresh())):
        if tensor.ndim == 0 or len(tensor) != rows:
            yield f"of {rows} rows it makes a tensor of shape {tuple(tensor.shape)}"


def depends_on_its_keys_alone(tested: BatchAugmentationUnderTest) -> Problems:
    """The same keys give the same batch, and each row the same whatever other rows there are, in whatever order.

    One with state, which mixes rows, has to give the same from the same state alone.
    """
    expected = tested.outcome(tested.fresh())
    if not same(expected, tested.outcome(tested.fresh())):
        yield "by a new instance the batch comes out differently at the same keys"
    if has_state(tested.fresh()):
        return
    augmentation = tested.fresh()
    tested.outcome(augmentation, epoch=3, first_sample=80)
    if not same(expected, tested.outcome(augmentation)):
        yield (
            "after another batch it comes out differently at the same keys: what it remembers belongs in the buffers "
            "of a torch.nn.Module"
        )
    order = torch.arange(tested.samples).flip(0)[: max(1, tested.samples // 2)]
    part = select_samples(tested.batch, tested.samples, order)
    rng = BatchRng(1, 0, order + 5, range(tested.views), 2)
    found, wanted = tested.fresh()(_copied(part), rng), select_samples(expected, tested.samples, order)
    if not _is_close(found, wanted):
        yield (
            "a row comes out differently beside other rows: it has to depend on its own values, and on the row of "
            "rng.uniform(k) and the like that is its own"
        )


def draws_anew_for_each_key(tested: BatchAugmentationUnderTest) -> Problems:
    """Another seed, epoch, sample, view or position draws something else; nothing else where it says that it draws
    nothing, by ``deterministic = True``.

    Another augmentation that never draws anything has nothing to pass here: except it, with the reason.
    """
    says_none = is_deterministic(tested.fresh())
    for part in ("seed", "epoch", "first_sample", "first_view", "position"):
        one_batch = all_same(_drawn(tested, part))
        if says_none and not one_batch:
            yield f"it is deterministic, as it says, and {DRAWS} values of {part.removeprefix('first_')} differ"
        if one_batch and not says_none:
            yield f"{DRAWS} values of {part.removeprefix('first_')} give one and the same batch"


def _drawn(tested: BatchAugmentationUnderTest, part: str) -> Iterator[Any]:
    """What becomes of the batch at keys that differ in one part, each made when it is asked for."""
    for number in range(DRAWS):
        augmentation = tested.fresh()
        tested.outcome(augmentation)  # what mixes in earlier batches has none before
        yield tested.outcome(augmentation, **{part: number})


def uses_no_other_randomness(tested: BatchAugmentationUnderTest) -> Problems:
    """The global generators of Python, NumPy and PyTorch neither change the batch nor are changed."""
    return outcomes_by_global_seed(lambda: tested.outcome(tested.fresh()), "the batch")


def leaves_its_batch_alone(tested: BatchAugmentationUnderTest) -> Problems:
    """The batch given stays as it was."""
    given = _copied(tested.batch)
    tested.fresh()(given, tested.rng())
    if not same(given, tested.batch):
        yield "it writes into the batch it is given"


def keeps_its_state_in_buffers(tested: BatchAugmentationUnderTest) -> Problems:
    """A new instance with the state of another goes on as that one does: so does a run that was stopped."""
    one = tested.fresh()
    if not isinstance(one, nn.Module):
        return
    tested.outcome(one)
    other = tested.fresh()
    other.load_state_dict(copy.deepcopy(one.state_dict()))
    for epoch in (1, 2):
        if not same(tested.outcome(one, epoch=epoch), tested.outcome(other, epoch=epoch)):
            yield "a new instance with its state_dict does not go on as it does: what it keeps has to be in buffers"
            return


def is_as_replayable_as_it_says(tested: BatchAugmentationUnderTest) -> Problems:
    """One with ``replayable = True`` has no state, always draws as much, and asks for no value of a tensor."""
    augmentation = tested.fresh()
    if not is_replayable(augmentation):
        return
    if has_state(augmentation):
        yield "it is replayable, and has state, which a recording does not know"
    blocks = []
    for first_sample in range(5, 5 + DRAWS * tested.samples, tested.samples):
        rng = tested.rng(first_sample=first_sample)
        augmentation(_copied(tested.batch), rng)
        blocks.append((rng.blocks, rng.view_blocks))
    if len(set(blocks)) > 1:
        yield "it is replayable, and draws more numbers for some batches than for others of the same shape"
    try:  # where there are no values, and every device but the CPU does as a GPU
        augmentation(map_tensors(lambda tensor: tensor.to("meta"), tested.batch), tested.rng(device="meta"))
    except (RuntimeError, NotImplementedError) as error:
        yield f"it is replayable, and asks for the value of a tensor: {str(error).splitlines()[0]}"


def is_the_same_in_another_interpreter(tested: BatchAugmentationUnderTest) -> Problems:
    """In interpreters of another PYTHONHASHSEED the batch is the same: a resumed run is in another one.

    It is built there by its factory where that can be pickled, and else travels itself. What is defined in
    ``__main__``, or cannot be pickled at all, is not there, and is passed over.
    """
    augmentation = tested.fresh()
    travels = travelling(tested, augmentation, [tested.batch])
    if travels is None:
        return
    expected = tested.outcome(augmentation)
    for found in call_elsewhere(_outcome, travels):
        if isinstance(found, Failed):
            yield f"in another interpreter it fails ({found.reason}), as it would in one that goes on with a run"
            return
        if not same(expected, found):
            yield (
                "in an interpreter of another PYTHONHASHSEED the batch comes out differently at the same keys, so that "
                "a run that is resumed would see other views: look for the order of a set, or hash() of a text"
            )
            return


def _outcome(tested: BatchAugmentationUnderTest) -> Any:
    return tested.outcome(tested.fresh())


BATCH_AUGMENTATION_CHECKS: Mapping[str, Check[BatchAugmentationUnderTest]] = {
    check.__name__: check
    for check in (
        keeps_its_rows,
        uses_no_other_randomness,
        depends_on_its_keys_alone,
        draws_anew_for_each_key,
        leaves_its_batch_alone,
        keeps_its_state_in_buffers,
        is_as_replayable_as_it_says,
        is_the_same_in_another_interpreter,
    )
}
"""Name to check."""

_AFTER = {
    **dict.fromkeys([*BATCH_AUGMENTATION_CHECKS][1:], ("keeps_its_rows",)),
    "depends_on_its_keys_alone": ("keeps_its_rows", "uses_no_other_randomness"),
    "keeps_its_state_in_buffers": ("keeps_its_rows", "uses_no_other_randomness"),
    "is_as_replayable_as_it_says": ("keeps_its_rows", "depends_on_its_keys_alone"),
    "is_the_same_in_another_interpreter": ("keeps_its_rows", "uses_no_other_randomness", "depends_on_its_keys_alone"),
}
"""What differs at the same keys by itself cannot be compared."""


def _tensors(value: Any) -> list[Tensor]:
    return [leaf for leaf in leaves(value) if isinstance(leaf, Tensor)]


def _copied(value: Any) -> Any:
    return map_tensors(torch.clone, value)


def _is_close(found: Any, wanted: Any) -> bool:
    pairs = list(zip(_tensors(found), _tensors(wanted), strict=True))
    return all(
        one.shape == other.shape
        and torch.allclose(one.double(), other.double(), rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
        for one, other in pairs
    )


def check_batch_augmentation(
    factory: Callable[..., Any],
    batch: Any,
    *,
    views: int = 2,
    parameters: Mapping[str, Any] | None = None,
    only: Collection[str] = tuple(BATCH_AUGMENTATION_CHECKS),
    except_for: Mapping[str, str] | None = None,
) -> None:
    """Checks that what an augmentation makes of a batch is a function of each row's key alone.

    Args:
        factory: The augmentation's class, or what else a recipe would build it by; one of single samples that has
            ``batched()`` is checked in that form.
        batch: Collated values, ``views · samples`` rows, view by view, on which it does something.
        views: How many of the rows are of one sample.
        parameters: What every instance is built with; the defaults otherwise.
        only: Names of the checks to run, of ``BATCH_AUGMENTATION_CHECKS``.
        except_for: Checks that this augmentation is meant to fail, each with the reason, such as
            ``{"draws_anew_for_each_key": "it changes nothing"}``. One that it passes is an error.

    Raises:
        ConformanceError: With all that is wrong.
        ValueError: If there is no check of a name, or the batch has fewer than two samples.
    """
    tested = BatchAugmentationUnderTest(factory, parameters or {}, batch, views)
    if tested.samples < 2:
        raise ValueError(f"give a batch of at least two samples, got {tested.samples}")
    run_checks(BATCH_AUGMENTATION_CHECKS, tested, factory, only, except_for, after=_AFTER)
