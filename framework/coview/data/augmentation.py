"""The contracts of augmentations, which plugins implement: of single values, and of batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Protocol, runtime_checkable

from coview.data.batch_rng import BatchRng
from coview.data.rng import Rng


@runtime_checkable
class Augmentation(Protocol):
    """Makes a new value of the same modality. All its randomness comes from ``rng``.

    What else one can be: :class:`coview.WorksInEncoder`, :class:`PreparedAhead`. One that has a form for whole
    batches as well gives it by a method ``batched() -> BatchAugmentation``: it is used where a recipe says
    ``on = "device"``.
    """

    def __call__(self, value: Any, rng: Rng, /) -> Any:
        """The new value; ``value`` is left as it was."""
        ...


@runtime_checkable
class PreparedAhead(Protocol):
    """An augmentation that reads what was made before training, by ``coview data augment RECIPE``."""

    def prepare(self, values: Iterable[Any], /) -> Iterator[int]:
        """Makes and keeps what is not there yet, and yields after each part for how many values it is done.

        Whatever was yielded is kept: a second call goes on.
        """
        ...


@runtime_checkable
class ContextAugmentation(Protocol):
    """Changes the context that samples share (:class:`coview.HasContext`), on the device: once for a batch and view.

    Its class has ``of_context = True``. All its randomness comes from ``rng``, which is a function of (seed, epoch,
    batch, view, position), and the same for all samples and processes.
    """

    of_context: ClassVar[bool]

    def __call__(self, context: Any, rng: Rng, /) -> Any:
        """The context of a view; ``context`` is left as it was."""
        ...


@runtime_checkable
class BatchAugmentation(Protocol):
    """Augments a whole batch on the device that trains, after it has been collated.

    Its class has ``batch = True``. A step with state is a ``torch.nn.Module`` that keeps it in its buffers: they are
    in every checkpoint, and several ranks give such a step the whole batch, so that the state is the same on all.

    One without state may be :class:`Replayable`.
    """

    batch: ClassVar[bool]

    def __call__(self, batch: Any, rng: BatchRng, /) -> Any:
        """The new batch, of as many rows; ``batch`` is left as it was. Rows that are views of a sample lie apart."""
        ...


@runtime_checkable
class Replayable(Protocol):
    """A batch augmentation without state whose class has ``replayable = True``.

    Of batches of one shape it does the same with each and draws as many numbers; it asks for no value of a tensor
    (``if``, ``int``, ``nonzero``, indexing by a mask) and brings none to the device (``torch.tensor``), but for what
    its first call keeps for good. Where all steps are so, a GPU records them once and replays them, which takes a small
    part of the time.
    """

    replayable: bool


def is_replayable(augmentation: object) -> bool:
    """Whether a batch augmentation says that a GPU may record and replay it."""
    return isinstance(augmentation, Replayable) and augmentation.replayable
