"""Snippets with the valence that people have given them."""

from __future__ import annotations

from typing import Literal

import coview
from coview_text.datasets.rows import Row, TextRows, own_split


class VaderSnippets(TextRows):
    """Tweets, film reviews, product reviews or editorials, with the mean of twenty people's valence, −4 to 4, as score.

    A fifth is held out. Snippets of one review or editorial, and equal ones, are on one side.

    Args:
        split: "train" or "test".
        kind: 4,200 "tweets", 10,605 snippets of "movies", 3,708 of "products" or 5,190 of "news".
    """

    labelled = False
    licence = "MIT"
    version = "vaderSentiment 3.3.2"
    citation = "Hutto and Gilbert, VADER: a parsimonious rule-based model for sentiment analysis, ICWSM 2014"

    def __init__(
        self, *, split: str = "train", kind: Literal["tweets", "movies", "products", "news"] = "tweets"
    ) -> None:
        coview.check_split(split, self.splits)
        text = (coview.resource_folder("vader_snippets") / f"{kind}.tsv").read_text(encoding="utf-8")
        rows = [_row(kind, *line.split("\t", 2)) for line in text.splitlines() if line.count("\t") >= 2]
        super().__init__(own_split(rows, fraction=0.2, seed=0)[0][split])


def _row(kind: str, identity: str, valence: str, text: str) -> Row:
    source, cut, _ = identity.partition("_")
    fault = "" if text.strip() else "the text is empty"
    return Row(text.strip(), f"{kind}/{identity}", score=float(valence), group=source if cut else None, fault=fault)
