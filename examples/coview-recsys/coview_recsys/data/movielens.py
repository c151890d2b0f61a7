"""MovieLens-100k's file: who has rated what, and when."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Le, Lt

import coview
from coview_recsys.data.choices import Choices
from coview_recsys.data.held_out import Hold, split_by_time


class MovieLens(Choices):
    """Ratings in the form of MovieLens-100k's ``u.data``; a good rating is a choice.

    Args:
        path: The file. A line has a user, an item, a rating and a time in seconds, with tabs between them.
        least: A rating counts from here on, 1 to 5. 1: each rating counts, as in most papers.
        hold: What is held out. "last": of each user the last choice for testing, and the one before it for validation.
            "latest": of all choices the latest, so that nothing in training is later than what is tested.
        share: How much of all choices is for testing, and of the others for validation, if ``hold`` is "latest".
    """

    citation = "Harper and Konstan (2015), The MovieLens Datasets: History and Context, ACM TiiS 5(4)"
    licence = "research use, see its README"

    def __init__(
        self,
        *,
        split: str = "train",
        path: Path,
        least: Annotated[float, Ge(1), Le(5)] = 1.0,
        hold: Hold = "last",
        share: Annotated[float, Gt(0), Lt(0.5)] = 0.1,
    ) -> None:
        file = coview.expanded(path)
        try:
            rows_N4 = np.loadtxt(file, dtype=np.float64, usecols=(0, 1, 2, 3), ndmin=2)
        except (OSError, ValueError) as error:
            raise coview.CoviewError(
                f"{file} cannot be read: {error}", hint="a line has to have a user, an item, a rating and a time"
            ) from error
        if len(rows_N4) and rows_N4[:, :2].min() < 0:
            raise coview.CoviewError(f"{file} has a negative number of a user or an item")
        rows_N4 = rows_N4[rows_N4[:, 2] >= least]
        if not len(rows_N4):
            raise coview.CoviewError(f"{file} has no rating of {least:g} or more")
        pairs_N2 = np.stack([np.unique(of, return_inverse=True)[1] for of in rows_N4[:, :2].T], axis=1)
        number_N = split_by_time(pairs_N2[:, 0], rows_N4[:, 3], hold, share)
        super().__init__(split, {name: pairs_N2[number_N == number] for number, name in enumerate(self.splits)})
