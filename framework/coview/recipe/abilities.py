"""What a component may say of itself ahead of a run, as far as the check of a recipe asks for it.

The contracts themselves are in ``data/``, ``model/`` and ``evaluate/``, which import from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol, runtime_checkable


@runtime_checkable
class SaysModalities(Protocol):
    """What builds a data set and says which modalities its samples have, as every one has to."""

    modalities: tuple[str, ...]


@runtime_checkable
class FindsModalities(Protocol):
    """What builds a data set whose modalities depend on its parameters, such as on the columns that a table has."""

    def find_modalities(self, **parameters: Any) -> tuple[str, ...]:
        """A class method: the modalities of the data set with these parameters, which nobody has checked yet; none
        where they are a mistake."""
        ...


@runtime_checkable
class SaysSplits(Protocol):
    """What builds a data set and says which splits there are; else there is ``train`` only."""

    splits: tuple[str, ...]


@runtime_checkable
class FindsSplits(Protocol):
    """What builds a data set whose splits depend on its parameters, such as on the folders that a folder has."""

    def find_splits(self, **parameters: Any) -> tuple[str, ...]:
        """A class method: the splits of the data set with these parameters, which nobody has checked yet."""
        ...


@runtime_checkable
class SaysWhetherLabelled(Protocol):
    """What builds a data set and says, by ``labelled = False``, that no split ever has class labels.

    A loss that needs labels is then refused when the recipe is checked.
    """

    labelled: bool


@runtime_checkable
class SaysWhetherStreamed(Protocol):
    """What builds a data set and says, by ``streamed = True``, that it is a :class:`coview.StreamsShards`.

    What needs its samples in any order is then refused when the recipe is checked.
    """

    streamed: bool


@runtime_checkable
class SaysWhetherTrained(Protocol):
    """What builds an encoder that has no parameter ``pretrained``, and says whether it always starts from trained
    weights: ``starts_trained = True``, or ``False`` for random ones.

    Where a run takes no step its numbers are called pretrained or untrained by it, and else "given".
    """

    starts_trained: bool


@runtime_checkable
class WorksOnBatches(Protocol):
    """An augmentation that says whether it takes batches, by ``batch = True``."""

    batch: bool


@runtime_checkable
class WorksOnContext(Protocol):
    """An augmentation that says whether it changes what samples share, by ``of_context = True``."""

    of_context: bool


@runtime_checkable
class HasBatchForm(Protocol):
    """An augmentation of single values that has a form for batches too, used where a recipe has it on the device."""

    def batched(self) -> Any:
        """A :class:`coview.BatchAugmentation` of the same distribution of views.

        Raises:
            ValueError: If there is none with these parameters.
        """
        ...


@runtime_checkable
class WorksInEncoder(Protocol):
    """An augmentation that leaves values as they are, since its views differ by what the encoder does in training.

    Its class has ``in_encoder = True``: ``coview augment`` then names it, where there is nothing to show.
    """

    in_encoder: bool


@runtime_checkable
class SaysWhetherDeterministic(Protocol):
    """An augmentation that says whether it makes the same of a value each time, and draws nothing:
    ``deterministic = True``.

    Where all augmentations of a frozen encoder's views say so, its encodings are made once and kept.
    """

    deterministic: bool


@runtime_checkable
class ComparesModalities(Protocol):
    """An evaluator that compares what several modalities are projected to.

    Attributes:
        modalities: Those that it compares. A recipe without an encoder of each is refused. None at all, where its
            parameters make it an evaluator of one modality.
        of_data: Those of them that it needs samples of.
    """

    modalities: tuple[str, ...]
    of_data: tuple[str, ...]


@runtime_checkable
class TakesEncoder(Protocol):
    """An evaluator that gets the encoder itself, and not its representations alone."""

    def evaluate_encoder(self, subject: Any, rng: Any, /) -> Any:
        """Trains it further, changes its input, or measures what it costs."""
        ...


@runtime_checkable
class ReadsEachStep(Protocol):
    """A loss or a mask that reads some of its parameters anew whenever it is called, from attributes of the same names:
    ``read_each_step = ("temperature",)``. A recipe can schedule these, where they are single numbers.
    """

    read_each_step: tuple[str, ...]


def read_each_step(factory: object) -> tuple[str, ...]:
    """The parameters that what a factory builds reads anew in each step."""
    return tuple(factory.read_each_step) if isinstance(factory, ReadsEachStep) else ()


def says_modalities(factory: object) -> tuple[bool, tuple[str, ...]]:
    """Whether a data set's modalities depend on its parameters, and else which they are; none where it does not say."""
    if isinstance(factory, FindsModalities):
        return True, ()
    named = factory.modalities if isinstance(factory, SaysModalities) else ()
    return False, named if isinstance(named, tuple) else ()


def never_labelled(factory: object) -> bool:
    """Whether a data set says that no split of it has class labels."""
    return isinstance(factory, SaysWhetherLabelled) and not factory.labelled


def is_streamed(factory: object) -> bool:
    """Whether a data set says that its samples are reached shard by shard."""
    return isinstance(factory, SaysWhetherStreamed) and factory.streamed


def modalities_of(factory: Any, parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """The modalities that a data set with some parameters says its samples have; none where it does not say."""
    if isinstance(factory, FindsModalities):
        return factory.find_modalities(**parameters)
    return says_modalities(factory)[1]


def splits_of(factory: Any, parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """The splits that a data set has with some parameters."""
    if isinstance(factory, FindsSplits):
        return factory.find_splits(**parameters)
    return tuple(factory.splits) if isinstance(factory, SaysSplits) else ("train",)


def starts_trained(factory: Any) -> bool | None:
    """Whether an encoder says that it always, or never, starts from trained weights; None where it does not say."""
    while isinstance(factory, partial):  # as a family makes of a class and a name
        factory = factory.func
    return factory.starts_trained if isinstance(factory, SaysWhetherTrained) else None


class WhereItWorks(NamedTuple):
    """What an augmentation says of that.

    Attributes:
        batches: Whether it takes batches, and not single values.
        context: Whether it changes what samples share, and no values.
        encoder: Whether it leaves values as they are, and works in the encoder.
    """

    batches: bool
    context: bool
    encoder: bool


def where_it_works(augmentation: Any) -> tuple[bool, bool, bool]:
    """A :class:`WhereItWorks` as plain values."""
    return works_on_batches(augmentation), works_on_context(augmentation), works_in_encoder(augmentation)


def why_no_batch_form(augmentation: object) -> str | None:
    """Why an augmentation of single values has no form for batches with its parameters, empty where it has none with
    any; None where it has one."""
    if not isinstance(augmentation, HasBatchForm):
        return ""
    try:
        augmentation.batched()
    except ValueError as error:
        return str(error)
    return None


class Compared(NamedTuple):
    """What an evaluator says of the modalities that it compares, and of what it is given.

    Attributes:
        modalities: Those that it compares; none if it is of one modality.
        of_data: Those of them that it needs samples of.
        takes_encoder: Whether it gets the encoder itself.
    """

    modalities: tuple[str, ...]
    of_data: tuple[str, ...]
    takes_encoder: bool


def what_it_compares(evaluator: object) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """A :class:`Compared` as plain values."""
    modalities = tuple(evaluator.modalities) if isinstance(evaluator, ComparesModalities) else ()
    of_data = tuple(evaluator.of_data) if isinstance(evaluator, ComparesModalities) else ()
    return modalities, of_data, isinstance(evaluator, TakesEncoder)


def works_on_batches(augmentation: Any) -> bool:
    """Whether an augmentation takes batches, and not single values."""
    return isinstance(augmentation, WorksOnBatches) and augmentation.batch


def works_on_context(augmentation: Any) -> bool:
    """Whether an augmentation changes what samples share, and no values."""
    return isinstance(augmentation, WorksOnContext) and augmentation.of_context


def works_in_encoder(augmentation: object) -> bool:
    """Whether an augmentation leaves values as they are, and works in the encoder."""
    return isinstance(augmentation, WorksInEncoder) and augmentation.in_encoder


def is_deterministic(augmentation: object) -> bool:
    """Whether an augmentation says that it makes the same of a value each time."""
    return isinstance(augmentation, SaysWhetherDeterministic) and augmentation.deterministic
