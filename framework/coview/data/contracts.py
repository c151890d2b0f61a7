"""The contracts of data sets, modalities and augmentations, which plugins implement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from coview.data.batch_rng import BatchRng
from coview.data.rng import Rng
from coview.data.sample import Sample

if TYPE_CHECKING:
    import numpy as np


@runtime_checkable
class Dataset(Protocol):
    """A map-style data set.

    The registered target is called as ``target(split="train", **parameters)`` where ``split`` is one of its
    ``splits``; the remaining keyword parameters are the recipe's ``[data]`` table. ``dataset[i]`` raises
    :class:`coview.SampleError` for a sample that cannot be read: the loader skips, names and counts it.

    A class attribute ``labelled = False`` says that no split ever has class labels: a loss that needs them is then
    refused when the recipe is checked. An attribute ``pairs`` holds judged pairs of the split's rows, as
    :class:`coview.Pairs`, or None. An attribute ``labels`` holds the class index of every row (-1 where it has none),
    or None: with it a recipe that asks for more labels than a class has is refused before training. So that those of a
    validation split that is carved out do not count, ``groups`` holds the group of every row, or None.
    """

    splits: ClassVar[tuple[str, ...]]
    modalities: tuple[str, ...]
    classes: tuple[str, ...] | None
    citation: str
    licence: str
    version: str

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Sample: ...


@runtime_checkable
class Augmentation(Protocol):
    """Makes a new value of the same modality. All its randomness comes from ``rng``.

    One that also has a form for whole batches has a method ``batched() -> BatchAugmentation``, which gives it: that is
    used where a recipe says ``on = "device"``.

    One that leaves values as they are, since its views differ by what the encoder does in training, has a class
    attribute ``in_encoder = True``: ``coview augment`` then names it, where there is nothing to show.

    One whose work is too slow for training has a method ``prepare``: see :class:`PreparedAhead`.
    """

    def __call__(self, value: Any, rng: Rng, /) -> Any:
        """The new value; ``value`` is left as it was."""
        ...


@runtime_checkable
class PreparedAhead(Protocol):
    """An augmentation that reads what was made ahead of training, by ``coview data augment RECIPE``."""

    def prepare(self, values: Iterable[Any], /) -> Iterator[int]:
        """Makes and keeps what is not there yet, and yields after each part for how many values it is done.

        Whatever was yielded is kept: a second call goes on.
        """
        ...


class Collates(Protocol):
    """Makes a batch of values: a modality, or an encoder that needs batches of its own."""

    def collate(self, values: Sequence[Any], /) -> Any:
        """As :meth:`Modality.collate`."""
        ...


@runtime_checkable
class BatchAugmentation(Protocol):
    """Augments a whole batch on the device that trains, after it has been collated.

    Its class has ``batch = True``. A step with state is a ``torch.nn.Module`` that keeps it in its buffers: they are
    in every checkpoint, and several ranks give such a step the whole batch, so that the state is the same on all.

    One without state may have ``replayable = True``: of batches of one shape it does the same with each and draws as
    many numbers; it asks for no value of a tensor (``if``, ``int``, ``nonzero``, indexing by a mask) and brings none to
    the device (``torch.tensor``), but for what its first call keeps for good. Where all steps are so, a GPU records
    them once and replays them, which takes a small part of the time.
    """

    batch: ClassVar[bool]

    def __call__(self, batch: Any, rng: BatchRng, /) -> Any:
        """The new batch, of as many rows; ``batch`` is left as it was. Rows that are views of a sample lie apart."""
        ...


@runtime_checkable
class Modality(Protocol):
    """What a value of one kind is, and how values become a batch and are shown to a person.

    A modality whose batches are normalised may also have ``collate_raw(values)``, which gives a batch that is not, and
    ``finish(batch)``, which makes of that what ``collate`` would have: a run then finishes batches on the device, after
    the steps that augment them there. One whose shorter values are padded may have ``length(value)``, on any scale:
    values of like length are then embedded together.
    """

    def collate(self, values: Sequence[Any], /) -> Any:
        """A batch: a tensor, or a mapping of tensors, whose first dimension is ``len(values)``.

        Raises :class:`coview.CoviewError` if the values cannot form one batch (pictures of different sizes).
        """
        ...

    def describe(self, value: Any, /) -> str:
        """The value in a few words, such as ``28×28 RGB, uint8``."""
        ...

    def fit_raw(self, values: Iterable[Any], /) -> Callable[[Sequence[Any]], np.ndarray]:
        """The raw-feature control (pixels, TF-IDF, mean log-mel), fitted on training values where it needs to be.

        Returns a function from values to float32 features ``(N, F)``.
        """
        ...

    def preview(self, writer: Any, tag: str, rows: Sequence[Sequence[Any]], step: int, /) -> None:
        """Shows the views in TensorBoard: a row for each sample, in it a value for each view.

        ``writer`` is a ``torch.utils.tensorboard.SummaryWriter``.
        """
        ...

    def to_html(self, value: Any, /) -> str:
        """The value as self-contained HTML markup: a picture, a text, a playable sound.

        The report keeps elements of text, tables, ``img`` and ``audio`` with ``data:`` addresses, and plain styles; of
        everything else only the text.
        """
        ...
