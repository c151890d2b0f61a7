"""Rows that share something, in one step or in several: what has to be on one side of a split."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np


def joined_rows(rows: int, shared: Iterable[tuple[int, Hashable]]) -> np.ndarray:
    """``(N,)`` int64: a number for each row, from 0 in the order of the rows, that rows have in common which share a
    key, or each share one with a third.

    Args:
        rows: N.
        shared: Rows with what they have, ``(4, "a cat")``; a row without any is alone.
    """
    from scipy.sparse import coo_array  # it costs start-up time
    from scipy.sparse.csgraph import connected_components  # likewise

    places: dict[Hashable, int] = {}
    links = np.asarray([(row, places.setdefault(key, len(places))) for row, key in shared], dtype=np.int64)
    row_L, key_L = links.reshape(-1, 2).T
    nodes = rows + len(places)
    graph = coo_array((np.ones(len(row_L), dtype=np.int8), (row_L, rows + key_L)), shape=(nodes, nodes))
    component_N = connected_components(graph, directed=False)[1][:rows]
    _, first_N, numbers_N = np.unique(component_N, return_index=True, return_inverse=True)
    found: np.ndarray = first_N.argsort().argsort()[numbers_N]
    return found
