"""Tux Paint's pictures of things with their names, from a Debian package: pictures and texts for anybody."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Gt, Lt

import coview
from coview_image.datasets.captioned import Captioned, CaptionedPictures


class TuxpaintStamps(CaptionedPictures):
    """About 760 drawings and photographs of things, each with a line that names it in any of some thirty languages.

    The class is the category (animals, food, symbols, …), which the names do not say. What has the same name is on one
    side of the split. Few for a model of pictures and texts: enough to see that it learns, and no evidence of
    how well it could.

    Args:
        split: "train" or "test".
        language: Of the captions: "en", or a code as in the stamps' own files, such as "fr" or "pt_BR". What has no
            caption in it is left out.
        smallest_class: Categories of fewer pictures are left out.
        root: Folder ``stamps`` of Tux Paint. By default what ``coview data fetch tuxpaint_stamps`` has fetched, else
            the system's own.
        test_fraction: Share held out.
        split_seed: Seed of the split, on purpose not the run's.
    """

    citation = "Tux Paint stamps, https://tuxpaint.org/stamps/"
    licence = "GPL-2.0-or-later"

    def __init__(
        self,
        *,
        split: str = "train",
        language: str = "en",
        smallest_class: Annotated[int, Ge(2)] = 10,
        root: Path | None = None,
        test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
        split_seed: int = 0,
    ) -> None:
        folder = coview.resource_folder("tuxpaint_stamps") if root is None else coview.expanded(root)
        rows = _rows(folder, language)
        sizes = Counter(row.label for row in rows)
        kept = [row for row in rows if sizes[row.label] >= smallest_class]
        if not kept:
            raise coview.CoviewError(
                f"{folder} has no category of {smallest_class} pictures with a caption in {language!r}",
                hint=f"languages there: {', '.join(_languages(folder))}",
            )
        super().__init__(folder, kept, split=split, test_fraction=test_fraction, split_seed=split_seed)


def _rows(root: Path, language: str) -> list[Captioned]:
    """Every picture with a caption in the language, grouped by its English one."""
    rows = []
    for picture in root.rglob("*.png"):
        captions = _captions(picture.with_suffix(".txt"))
        if captions.get(language):
            path = picture.relative_to(root)
            rows.append(Captioned(path.as_posix(), captions[language], path.parts[0], captions["en"].casefold()))
    return rows


def _captions(file: Path) -> dict[str, str]:
    """By language: the first line is English, the others are ``fr.utf8=Un koala.``"""
    if not file.is_file():
        return {}
    first, *others = file.read_text(encoding="utf-8").splitlines() or [""]
    captions = {"en": first.strip()} if first.strip() else {}
    for line in others:
        code, mark, caption = line.partition(".utf8=")
        if mark and captions:
            captions[code] = caption.strip()
    return captions


def _languages(root: Path) -> list[str]:
    return sorted({code for picture in root.rglob("*.png") for code in _captions(picture.with_suffix(".txt"))})
