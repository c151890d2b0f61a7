"""The contract of data sets, which plugins implement."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

from coview.data.judged_pairs import Pairs
from coview.data.sample import Sample
from coview.errors import SampleError


@runtime_checkable
class Dataset(Protocol):
    """A map-style data set.

    The registered target is called as ``target(split="train", **parameters)`` where ``split`` is one of its
    ``splits``; the remaining keyword parameters are the recipe's ``[data]`` table. ``dataset[i]`` raises
    :class:`coview.SampleError` for a sample that cannot be read: the loader skips, names and counts it.

    A run reads a few samples of each split before training, and refuses one that does not keep its promises:
    ``coview.testing.check_dataset`` tries them too. One that knows more of its samples ahead of them says so by an
    attribute: see :class:`KnowsLabels`, :class:`KnowsGroups`, :class:`KnowsIds`, :class:`KnowsPresent`,
    :class:`KnowsUnreadable`, :class:`HasSeveralValues`, :class:`HasNegatives` and :class:`HasJudgedPairs`. One that can
    read some modalities of a sample without the others is :class:`ReadsModalities`. A class attribute ``labelled =
    False`` says that no split ever has class labels: a loss that needs them is then refused when the recipe is checked.
    What it has to say of what it found, such as files that it left out, is :class:`HasNotes`, and what its samples
    share :class:`HasContext`. One that is larger than memory and disk is :class:`StreamsShards`.

    ``version`` stands for the content of all splits, and is another when that changes: numbers and kept features are
    bound to it. :func:`coview.content_version` makes it of files.
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
class KnowsLabels(Protocol):
    """A data set that knows the class index of every row ahead of its samples: -1 where it has none.

    A recipe that asks for more labels than a class has is then refused before training.
    """

    labels: Sequence[int] | None


@runtime_checkable
class KnowsGroups(Protocol):
    """A data set that knows the group of every row ahead of its samples.

    So the labels of a validation split that is carved out of ``train`` are not counted among those to learn from.
    """

    groups: Sequence[int | str] | None


@runtime_checkable
class KnowsPresent(Protocol):
    """A data set of whose samples some lack a modality, and which knows ahead which.

    ``present`` says of each modality that samples may lack whether each row has it: ``{"audio": [True, False, …]}``. A
    modality that it does not name all of them have, and a data set without it has all modalities in every sample. The
    values of a sample are without the key of what it lacks.
    """

    present: Mapping[str, Sequence[bool]] | None


@runtime_checkable
class HasSeveralValues(Protocol):
    """A data set of whose samples some have several values of a modality: captions of a picture, takes of a word.

    Every one of them belongs to the sample as much as another, whatever values of other modalities it is taken with.
    In training one is drawn for each epoch, by the seed, the epoch and the sample's id where that is known ahead (see
    :class:`KnowsIds`), else its row. An evaluation has each of them as a row of the modality, with the sample's id: so
    a picture may be found by any of its captions. ``dataset[i]`` has the first of each.

    Attributes:
        value_counts: Of each modality that samples may have several values of, how many each row has: ``{"text": [5,
            1, 2, …]}``, 0 where it lacks the modality.
    """

    value_counts: Mapping[str, Sequence[int]] | None

    def with_values(
        self, index: int, numbers: Mapping[str, int], modalities: Collection[str] | None = None, /
    ) -> Sample:
        """The sample with other values: ``with_values(7, {"text": 2})`` is ``dataset[7]`` with the third of its texts.

        Raises as ``dataset[index]`` does.

        Args:
            index: The row.
            numbers: Which value of some modalities, from 0. The sample has the first value of all others.
            modalities: Those that are needed. The sample may lack values of others, which need not be read. Absent: all
                are needed.
        """
        ...


@runtime_checkable
class HasNegatives(Protocol):
    """A data set of whose samples some have hard negatives: see :attr:`coview.Sample.negatives`.

    Where some have several, ``value_counts`` of :class:`HasSeveralValues` says how many under the name "negative", and
    ``with_values`` takes a number of that name.

    Attributes:
        negatives: Of each modality that hard negatives are of, whether each row has one: ``{"text": [True, False,
            …]}``.
    """

    negatives: Mapping[str, Sequence[bool]] | None


@runtime_checkable
class KnowsIds(Protocol):
    """A data set that knows the id of every row ahead of its samples.

    Two rows of one id are then refused before training, and not when the second is read.
    """

    ids: Sequence[int | str] | None


@runtime_checkable
class ReadsModalities(Protocol):
    """A data set that reads some modalities of a sample, and opens no file of the others.

    It is asked for them where a run needs no more: where the encodings of a frozen encoder are kept, the values that
    they were made of are not read again.
    """

    def read_modalities(self, index: int, modalities: Collection[str], /) -> Sample:
        """What ``dataset[index]`` is, with the values of those of these modalities alone that the sample has."""
        ...


@runtime_checkable
class KnowsUnreadable(Protocol):
    """A data set that knows ahead which of its rows cannot be read: those whose samples raise these errors.

    More of them than a run skips are then refused before training.
    """

    unreadable: Mapping[int, SampleError]


@runtime_checkable
class StreamsShards(Protocol):
    """A data set whose samples lie in shards, of which a few are at hand at a time: larger than memory and disk.

    Its rows are those of the first shard, then those of the next one. An epoch goes from shard to shard: see
    ``coview.data.shard_order``. A class attribute ``streamed = True`` says it too, for the check of a recipe.

    Attributes:
        shard_sizes: How many rows each shard has.
        shards_at_once: How many shards a batch has rows of, at most.
    """

    shard_sizes: Sequence[int]
    shards_at_once: int

    def fetch_ahead(self, shards: Sequence[int], /) -> None:
        """Says which shards are needed now and next, the most urgent ones first. Returns at once.

        It is called before each batch, in the process that reads it.
        """
        ...


@runtime_checkable
class HasNotes(Protocol):
    """A data set that says, in sentences, what it found and what it left out: shown once, before training.

    Those of all splits are shown, each sentence once.
    """

    notes: Sequence[str]


@runtime_checkable
class HasContext(Protocol):
    """A data set whose samples share something: the graph whose nodes they are, a matrix of who bought what.

    It is a tensor, something that has ``to(device)``, or a mapping of such. It is brought to the device once, and an
    encoder that says so (:class:`coview.TakesContext`) gets it with each batch. ``version`` stands for it too.
    """

    context: Any


@runtime_checkable
class HasJudgedPairs(Protocol):
    """A data set with judged pairs of its split's rows."""

    pairs: Pairs | None
