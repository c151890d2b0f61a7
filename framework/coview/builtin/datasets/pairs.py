"""From rows of pairs to samples: which rows are of one sample, what must not cross a split, and what cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from coview.data.content_version import content_version
from coview.data.joined_rows import joined_rows
from coview.data.split import seeded_split, split_notes
from coview.data.table_listing import class_order
from coview.errors import CoviewError, few

Key = tuple[str, str]
"""What rows or samples may share: the name of a column or a modality, and a value of it."""


@dataclass(frozen=True, slots=True)
class PairRow:
    """A row: some values of some modalities that belong together.

    Attributes:
        where: Names it in messages: file and line.
        values: Of each modality its texts, or what names its files; none where the row lacks it.
        sample: Names its sample; None where that is told by the files.
        label: The name of its class.
        concepts: What must not cross a split, by the columns that say so.
        split: Which split it belongs to; None where that is drawn.
        negatives: Hard negatives of one of the modalities, as values of it are.
        fault: Why it cannot be used; empty if it can.
    """

    where: str
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sample: str | None = None
    label: str | None = None
    concepts: Sequence[Key] = ()
    split: str | None = None
    negatives: Sequence[str] = ()
    fault: str = ""


@dataclass(frozen=True, slots=True)
class PairSample:
    """A sample: one row, or several.

    Attributes:
        id: Unique.
        where: Names its first row in messages.
        row: The number of that row.
        values: Of each modality, each once, in the order of the rows.
        label, split: As of its rows.
        concepts, negatives: Those of all its rows.
        fault: Why it cannot be used; empty if it can.
    """

    id: str
    where: str
    row: int
    values: Mapping[str, Sequence[str]]
    label: str | None = None
    concepts: Sequence[Key] = ()
    split: str | None = None
    negatives: Sequence[str] = ()
    fault: str = ""


def samples_of(rows: Sequence[PairRow], files: Collection[str]) -> list[PairSample]:
    """The samples that rows are of, in the order of their ids.

    Rows of one name are one sample; those without a name are where they have a file in common, in one step or in
    several. A row that cannot be used is a sample by itself.

    Args:
        rows: At least one.
        files: The modalities whose values name files.

    Raises:
        CoviewError: If rows of one sample are of several classes or splits.
    """

    def shared() -> Iterator[tuple[int, Key]]:
        for place, row in enumerate(rows):
            if row.fault:
                continue
            if row.sample is not None:
                yield place, ("", row.sample)
            else:
                yield from ((place, (name, value)) for name in files for value in row.values.get(name, ()))

    members: dict[int, list[int]] = {}
    for place, number in enumerate(joined_rows(len(rows), shared()).tolist()):
        members.setdefault(number, []).append(place)
    found = [_sample(of[0], [rows[place] for place in of], files) for of in members.values()]
    return sorted(found, key=lambda sample: sample.id)


def _sample(place: int, rows: Sequence[PairRow], files: Collection[str]) -> PairSample:
    first = rows[0]
    if first.fault:
        return PairSample(first.where, first.where, place, {}, split=first.split, fault=first.fault)
    values = {
        name: list(dict.fromkeys(value for row in rows for value in row.values.get(name, ())))
        for name in dict.fromkeys(name for row in rows for name in row.values)
    }
    named = sorted(value for name in files for value in values.get(name, ()))
    return PairSample(
        id=first.sample or (named[0] if named else first.where),
        where=first.where,
        row=place,
        values=values,
        label=_one("class", rows, lambda row: row.label),
        concepts=list(dict.fromkeys(key for row in rows for key in row.concepts)),
        split=_one("split", rows, lambda row: row.split),
        negatives=list(dict.fromkeys(value for row in rows for value in row.negatives)),
    )


def _one(what: str, rows: Sequence[PairRow], of: Callable[[PairRow], str | None]) -> str | None:
    """What all rows say that say something."""
    saying = [row for row in rows if of(row) is not None]
    other = next((row for row in saying if of(row) != of(saying[0])), None)
    if other is not None:
        raise CoviewError(
            f"{other.where}: this row and {saying[0].where} belong to one sample, but have the {what} {of(other)!r} "
            f"and {of(saying[0])!r}",
            hint=f"rows of one sample have to have the same {what}",
        )
    return of(saying[0]) if saying else None


@dataclass(frozen=True)
class PairSplits:
    """Samples in splits.

    Attributes:
        samples: Of all splits.
        parts: The samples of each split, by their numbers, ascending.
        classes: The names of the classes; None where no sample has one.
        labels: Of each sample the index of its class, -1 for none; None without classes.
        groups: Of each sample: those of one group are on one side.
        notes: What to say about them.
        negatives_of: The modality of hard negatives; None where there are none.
    """

    samples: Sequence[PairSample]
    parts: Mapping[str, np.ndarray]
    classes: tuple[str, ...] | None
    labels: np.ndarray | None
    groups: list[str]
    notes: tuple[str, ...]
    negatives_of: str | None = None

    def version(self, files: Iterable[Path] = (), digests: Iterable[str] = ()) -> str:
        """The data set's version.

        Args:
            files: All that hold values.
            digests: Of what else holds values.
        """
        known = (
            (name, of.id, of.label, self.groups[at], sorted(of.values.items()), of.negatives, of.fault)
            for name, part in self.parts.items()
            for at, of in ((at, self.samples[at]) for at in part.tolist())
        )
        return content_version(len(self.samples), "samples", chain(known, digests), files=files)

    def names(self, modality: str) -> list[str]:
        """What names the values of a modality, hard negatives included, each once, sorted."""
        own = (value for sample in self.samples for value in sample.values.get(modality, ()))
        more = (value for sample in self.samples if modality == self.negatives_of for value in sample.negatives)
        return sorted({*own, *more})


def split_pairs(
    samples: Sequence[PairSample],
    splits: Sequence[str],
    *,
    modalities: Iterable[str],
    files: Collection[str],
    by_concept: bool,
    fraction: float,
    seed: int,
    what: str,
    classes: tuple[str, ...] | None = None,
    negatives_of: str | None = None,
) -> PairSplits:
    """The splits of some samples: their own, or a seeded one that no concept and no file crosses.

    A split to validate on may be their own, while training and test are a seeded one of the other samples.

    Args:
        samples: In the order of their ids.
        splits: The names of the splits that there are.
        modalities: Those of the samples.
        files: The modalities whose values name files.
        by_concept: Whether columns say what must not cross a split; if not, equal texts do not.
        fraction: Share held out, where samples are of no split of their own.
        seed: Of that split.
        what: What messages call the data.
        classes: The names of the classes, in their order; absent: those of the samples.
        negatives_of: The modality of hard negatives; absent: there are none.

    Raises:
        CoviewError: If there is too little for two parts.
    """
    if classes is None:
        classes = class_order(sample.label for sample in samples if sample.label is not None) or None
    place = {name: at for at, name in enumerate(classes or ())}
    labels = np.array([-1 if sample.label is None else place[sample.label] for sample in samples]) if classes else None
    modalities = tuple(modalities)
    texts = [name for name in modalities if name not in files]
    groups = _groups(samples, files if by_concept else [*files, *texts])
    parts = {name: np.flatnonzero([sample.split == name for sample in samples]) for name in splits}
    if len(parts["train"]) or len(parts["test"]):
        said = split_notes(parts["train"], parts["test"], labels=labels, classes=classes)
        said = (*said, *_crossing(samples, parts, _groups(samples, files)))
    else:
        drawn = np.flatnonzero([sample.split is None for sample in samples])
        good = np.array([at for at in drawn.tolist() if not samples[at].fault], dtype=np.int64)
        about: dict[str, Any] = {
            "fraction": fraction,
            "labels": None if labels is None else labels[good],
            "groups": [groups[at] for at in good],
        }
        train, test = seeded_split(len(good), seed=seed, **about)
        said = split_notes(train, test, classes=classes, **about)
        held = np.sort(good[test])
        # what cannot be used is named once, with the training split
        parts |= {"train": np.setdiff1d(drawn, held), "test": held}
    notes = [*_lacking_notes(samples, modalities, what), *_fault_notes(samples, what), *_repeated_notes(samples, texts)]
    if negatives_of is not None:
        samples, of_negatives = _usable_negatives(samples, parts, negatives_of)
        notes += of_negatives
    return PairSplits(samples, parts, classes, labels, groups, (*notes, *said), negatives_of)


def _groups(samples: Sequence[PairSample], modalities: Collection[str]) -> list[str]:
    """A name for each sample, which samples have in common that share a concept or a value, in one step or in several.

    Args:
        samples: The samples.
        modalities: Those whose values count.
    """
    keys = (
        (at, key)
        for at, sample in enumerate(samples)
        for key in (*sample.concepts, *((name, v) for name in modalities for v in sample.values.get(name, ())))
    )
    number_N = joined_rows(len(samples), keys)
    names: dict[int, set[Key]] = {}
    for sample, number in zip(samples, number_N.tolist(), strict=True):
        names.setdefault(number, set()).update(sample.concepts)
    several = len({column for of in names.values() for column, _ in of}) > 1
    firsts = {number: samples[at].id for at, number in reversed(list(enumerate(number_N.tolist())))}

    def name(number: int) -> str:
        if not names[number]:
            return f"sample {firsts[number]}"
        column, value = min(names[number])
        return f"{column} {value}" if several else value

    return [name(number) for number in number_N.tolist()]


def _crossing(samples: Sequence[PairSample], parts: Mapping[str, np.ndarray], groups: Sequence[str]) -> tuple[str, ...]:
    """Says of a split of the data's own what it has on both sides."""
    train = {groups[at] for at in parts["train"]}
    across = [at for at in parts["test"] if groups[at] in train]
    if not across:
        return ()
    named = few([f"{samples[at].where} ({groups[at]})" for at in across])
    held = f"{len(across):,} of {len(parts['test']):,} test samples share"
    return (f"{held} a file or a concept with the training split, by the data's own splits: {named}",)


def _usable_negatives(
    samples: Sequence[PairSample], parts: Mapping[str, np.ndarray], modality: str
) -> tuple[list[PairSample], tuple[str, ...]]:
    """The samples without hard negatives that are none, and what to say about these.

    A value of the sample's own is none, and what is a value of another split is not to be seen in training.

    Args:
        samples: In the order of their ids.
        parts: The samples of each split, by their numbers.
        modality: Of the hard negatives.
    """
    split_of = {int(at): name for name, part in parts.items() for at in part}
    splits_of: dict[str, set[str]] = {}
    for at, sample in enumerate(samples):
        for value in sample.values.get(modality, ()):
            splits_of.setdefault(value, set()).add(split_of[at])
    own, elsewhere, kept = [], [], []
    for at, sample in enumerate(samples):
        of_own = set(sample.values.get(modality, ()))
        of_other = {value for value in sample.negatives if splits_of.get(value, set()) - {split_of[at]}}
        own += [sample.where for value in sample.negatives if value in of_own]
        elsewhere += [sample.where for value in sample.negatives if value in of_other - of_own]
        kept.append(replace(sample, negatives=[v for v in sample.negatives if v not in of_own | of_other]))
    notes = []
    for where, what in ((own, f"the sample's own {modality}"), (elsewhere, f"a {modality} of another split")):
        if where:
            named = "hard negative is" if len(where) == 1 else "hard negatives are"
            notes.append(f"{len(where):,} {named} {what}, and left out: {few(where)}")
    return kept, tuple(notes)


def _lacking_notes(samples: Sequence[PairSample], modalities: Iterable[str], what: str) -> tuple[str, ...]:
    """How many samples lack which half, and where."""
    good = [sample for sample in _by_row(samples) if not sample.fault]
    notes = []
    for name in modalities:
        lacking = [sample.where for sample in good if not sample.values.get(name)]
        if lacking:
            notes.append(f"{len(lacking):,} of {len(good):,} samples of {what} have no {name}: {few(lacking)}")
    return tuple(notes)


def _fault_notes(samples: Sequence[PairSample], what: str) -> tuple[str, ...]:
    """How many samples cannot be used, where they are, and why."""
    faulty = [f"{sample.where} ({sample.fault})" for sample in _by_row(samples) if sample.fault]
    if not faulty:
        return ()
    return (f"{len(faulty):,} of {len(samples):,} samples of {what} cannot be used: {few(faulty)}",)


def _repeated_notes(samples: Sequence[PairSample], texts: Iterable[str]) -> tuple[str, ...]:
    """How many texts several samples have, which are negatives of each other in a batch.

    Args:
        samples: Of all splits.
        texts: The modalities whose values are texts.
    """
    notes = []
    for name in texts:
        owners: dict[str, list[PairSample]] = {}
        for sample in _by_row(samples):
            for value in sample.values.get(name, ()):
                owners.setdefault(value, []).append(sample)
        repeated = {value: of for value, of in owners.items() if len(of) > 1}
        if not repeated:
            continue
        examples = [f"{of[0].where} and {of[1].where} ({_begins(value)})" for value, of in repeated.items()]
        count = sum(map(len, repeated.values()))
        notes.append(
            f"{count:,} samples have a {name} that another has too, {len(repeated):,} in all: {few(examples)}; the "
            f'sampler no_duplicates with by = "{name}" keeps them out of one batch'
        )
    return tuple(notes)


def _by_row(samples: Sequence[PairSample]) -> list[PairSample]:
    return sorted(samples, key=lambda sample: sample.row)


def _begins(text: str) -> str:
    one_line = " ".join(text.split())
    return f"“{one_line if len(one_line) <= 40 else one_line[:39] + '…'}”"
