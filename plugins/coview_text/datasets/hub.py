"""``use = "text/hub:NAME"``: texts of a Hugging Face data set, or pairs of them that people have judged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

import coview
from coview_text.datasets.rows import JOINED, text_of

_LOOKED_AT = 8


class HubTexts(coview.HubDataset):
    """Texts of a Hugging Face data set: of the hub, or a local folder that the library reads.

    With ``pair`` every row is two texts, whose similarity people have judged: the samples are the texts of both
    columns, each once, and the judgements are what the evaluator ``similarity`` looks at.

    Where the data set has no split to test on, a seeded one is made, with no group on both sides, or stratified by
    class. A sample's id is the split and row, with the column for pairs. A row without a text, or without the score
    where a column is named for it, is skipped, named and counted; a pair without a score is left out. A text may be a
    list of tokens, which are joined by spaces.

    Args:
        text: The column of the texts; absent: "text", or the only one of strings.
        pair: The column of a second text, which is compared with the first. Absent: none.
        label: The column of the class; absent: the only one of that type, or "label". "" for none; pairs have none.
        score: The column of numbers that people have given, to a text or to a pair. Absent: none.
    """

    modalities: tuple[str, ...] = ("text",)

    def __init__(
        self,
        *,
        text: str | None = None,
        pair: str | None = None,
        label: str | None = None,
        score: str | None = None,
        **rows: Any,
    ) -> None:
        if pair is not None and (text is None or score is None):
            raise ValueError("pair needs text, the column of the first text, and score, the column of the judgements")
        if pair is not None and label:
            raise ValueError("a pair has no label: its two texts are samples of their own")
        # a column of scores is often called "label", and is not a class
        no_label = pair is not None or (label is None and score == "label")
        super().__init__(label="" if no_label else label, **rows)
        self._text = self._only_text() if text is None else self.rows.check(text)
        self._score = None if score is None else self.rows.check(score)
        if any(isinstance(self.rows[row][self._text], list) for row in coview.evenly(len(self.rows), _LOOKED_AT)):
            self.notes = (*self.notes, JOINED)
        self.pairs: coview.Pairs | None = None
        self._places: list[tuple[int, str]] | None = None
        if pair is not None and self._score is not None:
            self._places, self.pairs = self._paired(self.rows.check(pair), self._score)

    def __len__(self) -> int:
        return len(self.rows) if self._places is None else len(self._places)

    def __getitem__(self, index: int, /) -> coview.Sample:
        number, column = (index, self._text) if self._places is None else self._places[index]
        row, name = self.rows[number], self.rows.id(number)
        if self._places is not None:
            name = f"{name}/{column}"
        try:
            text = text_of(row[column])
        except ValueError as error:
            fault = "has no text" if row[column] is None else str(error)
            raise coview.SampleError(f"{self.path} {name}", f'"{column}" {fault}') from error
        score = None
        if self._score is not None and self.pairs is None:
            score = _number(row[self._score])
            if score is None:
                raise coview.SampleError(
                    f"{self.path} {name}", f'"{self._score}" is not a number: {row[self._score]!r}'
                )
        return coview.Sample(
            {"text": text}, id=name, label=self.rows.label_of(row), score=score, group=self.rows.group_of(row)
        )

    def _only_text(self) -> str:
        return "text" if "text" in self.rows.columns else self.rows.only("string", "texts", "text")

    def _paired(self, pair: str, score: str) -> tuple[list[tuple[int, str]], coview.Pairs]:
        """The row and column of each text, equal ones once, and the pairs of these."""
        places: list[tuple[int, str]] = []
        known: dict[str, int] = {}
        judged: list[tuple[int, int, float]] = []
        for number in range(len(self.rows)):
            row: Mapping[str, Any] = self.rows[number]
            ends = []
            for column in (self._text, pair):
                text = _text(row[column])
                place = len(places) if text is None else known.setdefault(text, len(places))
                if place == len(places):
                    places.append((number, column))
                ends.append(place)
            value = _number(row[score])
            if value is not None:
                judged.append((ends[0], ends[1], value))
        if not judged:
            raise coview.CoviewError(f'"{self.path}": no row of the split has a number in "{score}"')
        first_P, second_P, score_P = (np.array(column) for column in zip(*judged, strict=True))
        return places, coview.Pairs(first_P, second_P, score_P)


def hub_texts(name: str) -> type[HubTexts]:
    """The factory of ``text/hub:NAME``.

    Args:
        name: A hub id, such as ``princeton-nlp/datasets-for-simcse``, or a folder.
    """
    return HubTexts.of(name)


def _text(value: Any) -> str | None:
    try:
        return text_of(value)
    except ValueError:
        return None


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
