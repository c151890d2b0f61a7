"""Documents whose similarity people have judged, pair by pair."""

from __future__ import annotations

import numpy as np

import coview
from coview_text.datasets.rows import Row, TextRows
from coview_text.resources.gensim import SOURCE


class Lee(TextRows):
    """50 news documents with the mean of people's judgements on all 1,225 pairs, and 300 others for training.

    Args:
        split: "train" are the 300, "test" the 50 with their ``pairs``, from 0 (unlike) to 1.
    """

    labelled = False
    licence = "LGPL-2.1 with gensim"
    version = SOURCE
    citation = "Lee, Pincombe and Welsh, An empirical evaluation of models of text document similarity, CogSci 2005"

    def __init__(self, *, split: str = "train") -> None:
        coview.check_split(split, self.splits)
        folder = coview.resource_folder("lee")
        name = "lee_background.cor" if split == "train" else "lee.cor"
        texts = (folder / name).read_text(encoding="latin-1").split("\n")
        super().__init__([Row(text.strip(), f"{split}/{i}") for i, text in enumerate(texts) if text.strip()])
        if split == "test":
            judged = np.loadtxt(folder / "similarities0-1.txt")
            first, second = np.triu_indices(len(judged), k=1)
            self.pairs = coview.Pairs(first, second, judged[first, second])
