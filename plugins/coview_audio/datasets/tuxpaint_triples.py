"""Tux Paint's pictures of things with what these are called, written and spoken: three modalities, or two of them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Lt
from PIL import Image

import coview
from coview_audio.datasets.resample_cache import read_at
from coview_audio.datasets.tuxpaint import joined

_MODALITIES = ("image", "text", "audio")


class TuxpaintTriples:
    """About 900 things with a picture, a line that names it and a voice that says that line, or with two of these.

    The class is the category (animals, food, symbols, …), which the names do not say. Things of one name, one picture
    or one recording are on one side of the split, so that no picture and no phrase is on both; single words are, as in
    any language. A language has one speaker or a few, so that both sides share voices. Few for a model of three
    modalities: enough to see that it learns, and no evidence of how well it could.

    Args:
        split: "train" or "test".
        language: Of names and voices, as in the stamps' own files: "es", "fr", "ca", "ru", "bg", "ro", "el" and "be"
            have most.
        sample_rate: Samples a second, in Hz, that sounds are resampled to.
        smallest_class: Categories of fewer things are left out.
        root: Folder ``stamps`` of Tux Paint. By default what ``coview data fetch tuxpaint_stamps`` has fetched, else
            the system's own.
        test_fraction: Share held out.
        split_seed: Seed of the split, on purpose not the run's.
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    modalities: tuple[str, ...] = _MODALITIES
    citation = "Tux Paint stamps, https://tuxpaint.org/stamps/, spoken by volunteers"
    licence = "GPL-2.0-or-later"

    def __init__(
        self,
        *,
        split: str = "train",
        language: str = "es",
        sample_rate: Annotated[int, Ge(1000)] = 16000,
        smallest_class: Annotated[int, Ge(2)] = 10,
        root: Path | None = None,
        test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
        split_seed: int = 0,
    ) -> None:
        coview.check_split(split, self.splits)
        self.root = coview.resource_folder("tuxpaint_stamps") if root is None else coview.expanded(root)
        self.sample_rate = sample_rate
        things = _things(self.root, language)
        sizes = Counter(thing.category for thing in things)
        things = [thing for thing in things if sizes[thing.category] >= smallest_class]
        if not things:
            raise coview.CoviewError(
                f"{self.root} has no category of {smallest_class} things with two of picture, name and voice in "
                f"{language!r}",
                hint="coview data show tuxpaint_stamps lists the languages of names",
            )
        self.classes: tuple[str, ...] | None = coview.class_order(thing.category for thing in things)
        labels = np.array([self.classes.index(thing.category) for thing in things])
        concepts = _concepts(self.root, things)
        about: dict[str, Any] = {"fraction": test_fraction, "labels": labels, "groups": concepts}
        train, test = coview.seeded_split(len(things), seed=split_seed, **about)
        self.notes = coview.split_notes(train, test, classes=self.classes, **about)
        chosen = train if split == "train" else test
        self._things = [things[row] for row in chosen]
        self.labels = labels[chosen]
        self.groups = [concepts[row] for row in chosen]
        self.ids = [thing.name for thing in self._things]
        self.present = {
            name: [name in thing.files or (name == "text" and bool(thing.text)) for thing in self._things]
            for name in _MODALITIES
        }
        known = ((thing.name, thing.text, concept) for thing, concept in zip(things, concepts, strict=True))
        files = sorted(path for thing in things for path in thing.files.values())
        self.version = coview.content_version(len(things), "things", known, files=(self.root / path for path in files))

    def __len__(self) -> int:
        return len(self._things)

    def __getitem__(self, index: int, /) -> coview.Sample:
        return self.read_modalities(index, self.modalities)

    def read_modalities(self, index: int, modalities: Collection[str], /) -> coview.Sample:
        """As :class:`coview.ReadsModalities`."""
        thing = self._things[index]
        values: dict[str, Any] = {}
        if "image" in thing.files and "image" in modalities:
            values["image"] = _picture(self.root / thing.files["image"])
        if thing.text and "text" in modalities:
            values["text"] = thing.text
        if "audio" in thing.files and "audio" in modalities:
            values["audio"] = read_at(self.root / thing.files["audio"], self.sample_rate)
        return coview.Sample(values, id=thing.name, label=int(self.labels[index]), group=self.groups[index])


@dataclass(frozen=True)
class _Thing:
    """What there is of a stamp.

    Attributes:
        name: Its path without endings.
        text: What it is called; empty if that is not known.
        files: Of picture and voice, by modality, below the folder.
    """

    name: str
    text: str
    files: Mapping[str, str]

    @property
    def category(self) -> str:
        return self.name.split("/")[0]


def _things(root: Path, language: str) -> list[_Thing]:
    """Every stamp with at least two of picture, name and voice."""
    endings = {"image": ".png", "text": ".txt", "audio": f"_desc_{language}.ogg"}
    found: dict[str, dict[str, str]] = {}
    for path in root.rglob("*"):
        below = path.relative_to(root).as_posix()
        for modality, ending in endings.items():
            if below.endswith(ending):
                found.setdefault(below.removesuffix(ending), {})[modality] = below
    things = []
    for name, files in sorted(found.items()):
        text = _name_in(root / files["text"], language) if "text" in files else ""
        others = {modality: path for modality, path in files.items() if modality != "text"}
        if len(others) + bool(text) >= 2:
            things.append(_Thing(name, text, others))
    return things


def _name_in(file: Path, language: str) -> str:
    """The line of a language: the first is English, the others are ``fr.utf8=Un koala.``"""
    first, *others = file.read_text(encoding="utf-8").splitlines() or [""]
    if language == "en":
        return first.strip()
    return next((line.partition("=")[2].strip() for line in others if line.startswith(f"{language}.utf8=")), "")


def _concepts(root: Path, things: list[_Thing]) -> list[str]:
    """For each thing the first of all that share a name, a picture or a recording with it."""
    shared = [(thing.name, thing.text.casefold()) for thing in things if thing.text]
    files = ((thing.name, path) for thing in things for path in thing.files.values())
    shared += ((name, hashlib.blake2b((root / path).read_bytes(), digest_size=12).hexdigest()) for name, path in files)
    first = joined(shared)
    return [first[thing.name] for thing in things]


def _picture(file: Path) -> np.ndarray:
    """A uint8 array of shape (height, width, 3); what is transparent is laid on white."""
    try:
        with Image.open(file) as opened:
            picture = opened.convert("RGBA")
    except (OSError, SyntaxError, ValueError) as error:
        raise coview.SampleError(str(file), str(error)) from error
    return np.array(Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB"))
