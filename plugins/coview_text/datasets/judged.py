"""Pairs of texts whose similarity people have judged, as rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

import coview
from coview_text.datasets.rows import Row


def judged_split(rows: Sequence[Row], *, fraction: float, seed: int, what: str) -> dict[str, list[Row]]:
    """A seeded split of pairs with no text on both sides.

    Raises:
        CoviewError: If all texts hang together, pair by pair, so that there are no two sides.
    """
    good = [row for row in rows if not row.fault]
    place: dict[str, int] = {}
    ends = np.array(
        [[place.setdefault(text, len(place)) for text in (row.text, row.second)] for row in good], dtype=np.int64
    ).reshape(-1, 2)
    links = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(place), len(place)))
    count, component = connected_components(links, directed=False)
    if count < 2:
        raise coview.CoviewError(
            f"{what}: every text is linked to every other by pairs, so that no part can be held out",
            hint="give a file of its own for the test split by test_path, or a column of splits by split_column",
        )
    train, test = coview.seeded_split(len(good), fraction=fraction, seed=seed, groups=component[ends[:, 0]])
    faulty = [row for row in rows if row.fault]
    return {"train": [*(good[at] for at in train), *faulty], "test": [good[at] for at in test]}


def judged_texts(rows: Sequence[Row], columns: tuple[str, str], what: str) -> tuple[list[Row], coview.Pairs]:
    """The texts of some pairs, equal ones once, and what the pairs of them were judged.

    Args:
        rows: The pairs.
        columns: The names of the two columns of texts, for the ids.
        what: What messages call the rows.

    Raises:
        CoviewError: If no pair can be used.
    """
    texts: list[Row] = []
    known: dict[str, int] = {}
    judged: list[tuple[int, int, float]] = []
    for row in rows:
        if row.fault or row.score is None:
            texts.append(row)
            continue
        ends = []
        for text, column in zip((row.text, row.second), columns, strict=True):
            if text not in known:
                known[text] = len(texts)
                texts.append(replace(row, text=text, id=f"{row.id}/{column}", score=None, second=""))
            ends.append(known[text])
        judged.append((ends[0], ends[1], row.score))
    if not judged:
        raise coview.CoviewError(f"{what}: no pair can be used")
    first_P, second_P, score_P = (np.array(column) for column in zip(*judged, strict=True))
    return texts, coview.Pairs(first_P, second_P, score_P)
