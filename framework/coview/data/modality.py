"""The contract of modalities, which plugins implement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np


@runtime_checkable
class Collates(Protocol):
    """Makes a batch of values: a modality, or an encoder that needs batches of its own."""

    def collate(self, values: Sequence[Any], /) -> Any:
        """As :meth:`Modality.collate`."""
        ...


@runtime_checkable
class Modality(Protocol):
    """What a value of one kind is, and how values become a batch and are shown to a person.

    What else one can be: :class:`FinishesOnDevice`, :class:`HasLengths`, :class:`ReadsFiles`, :class:`ReadsTyped`,
    :class:`SummarisesValues`, :class:`Uncollates`.
    """

    def collate(self, values: Sequence[Any], /) -> Any:
        """A batch: a tensor, or a mapping of tensors, whose first dimension is ``len(values)``, or a
        :class:`coview.StructuredBatch` of as many rows.

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


@runtime_checkable
class FinishesOnDevice(Protocol):
    """A modality whose batches are normalised, and which can leave that to the device.

    A run then finishes batches on the device, after the steps that augment them there.
    """

    def collate_raw(self, values: Sequence[Any], /) -> Any:
        """A batch that is not normalised."""
        ...

    def finish(self, batch: Any, /) -> Any:
        """Of a raw batch what ``collate`` would have made."""
        ...


@runtime_checkable
class HasLengths(Protocol):
    """A modality whose shorter values are padded: values of like length are then embedded together."""

    def length(self, value: Any, /) -> float:
        """How long a value is, on any scale."""
        ...


@runtime_checkable
class SummarisesValues(Protocol):
    """A modality that says of many values what settings need to know of them, as ``coview data show`` prints."""

    def summary(self, values: Sequence[Any], /) -> str:
        """Such as ``log-mel of 64 bands at 16 kHz: mean -5.49, std 5.04``; ``values`` are at least one."""
        ...


@runtime_checkable
class Uncollates(Protocol):
    """A modality that shows what an encoder was given, or has predicted: of a batch it makes values again."""

    def uncollate(self, batch: Any, /) -> Sequence[Any]:
        """The values of a batch, not normalised, as ``to_html`` takes them: in a form of its own."""
        ...


class FileReader(Protocol):
    """Reads the values of a modality from files."""

    def look_at(self, examples: Sequence[tuple[str, Path | BytesIO]], /) -> Sequence[str]:
        """Settles on how to read all files by a few of them: called once, before the first is read.

        Args:
            examples: Names of files, and these by their paths or opened. What cannot be read says so later.

        Returns:
            What a person should know about them, in sentences.

        Raises:
            CoviewError: If they cannot be read as they are meant, with what could be set.
        """
        ...

    def __call__(self, file: Path | BytesIO, name: str = "", /) -> Any:
        """The value that a file holds.

        Args:
            file: By its path, or opened.
            name: Of it in messages; by default its path.

        Raises:
            SampleError: If it is not there, or is none.
        """
        ...


@runtime_checkable
class ReadsFiles(Protocol):
    """A modality whose values are in files of their own: data sets of several modalities read them, and one of them can
    be what somebody searches by.

    Attributes:
        suffixes: The endings of their names, in small letters: ``(".png", …)``.
    """

    suffixes: tuple[str, ...]

    # its keyword parameters are the modality's own, and so the type of the method
    @property
    def file_reader(self) -> Callable[..., FileReader]:
        """What reads such files: a method, whose keyword parameters are settings of reading that a recipe can give.

        Their types, defaults and documentation are as those of a constructor.
        """
        ...


@runtime_checkable
class ReadsTyped(Protocol):
    """A modality whose values can be typed: texts."""

    def read_typed(self, text: str, /) -> Any:
        """The value that a person has typed, or that a data set of several modalities has as a text."""
        ...
