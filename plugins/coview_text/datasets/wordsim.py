"""Words whose relatedness people have judged."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

import coview
from coview_text.datasets.rows import Row, TextRows
from coview_text.resources.gensim import SOURCE


class WordSim353(TextRows):
    """437 words, and the mean of people's judgements on 353 pairs of them, 0 to 10. For testing only.

    Args:
        split: "test".
    """

    splits: ClassVar[tuple[str, ...]] = ("test",)
    labelled = False
    licence = "CC-BY-4.0"
    version = SOURCE
    citation = "Finkelstein et al., Placing search in context: the concept revisited, TOIS 2002"

    def __init__(self, *, split: str = "test") -> None:
        coview.check_split(split, self.splits)
        lines = (coview.resource_folder("wordsim353") / "wordsim353.tsv").read_text(encoding="utf-8").splitlines()
        judged = [line.split("\t") for line in lines if line and not line.startswith("#")]
        rows: dict[str, int] = {}
        pairs = [
            (rows.setdefault(first, len(rows)), rows.setdefault(second, len(rows)), float(score))
            for first, second, score in judged
        ]
        super().__init__([Row(word, f"test/{word}") for word in rows])
        first_P, second_P, score_P = (np.array(column) for column in zip(*pairs, strict=True))
        self.pairs = coview.Pairs(first_P, second_P, score_P)
