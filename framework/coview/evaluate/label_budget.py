"""How many labels an evaluator may use, and which: draws that are the same for every kind of features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, MinLen
from pydantic import Field

from coview.data.rng import Rng
from coview.errors import CoviewError

LabelsPerClass = Annotated[int, Ge(1)] | Literal["all"]
"""Labelled training samples of each class, or all there are."""

LabelBudgets = (
    LabelsPerClass | Annotated[tuple[LabelsPerClass, ...], MinLen(1), Field(json_schema_extra={"uniqueItems": True})]
)
"""One budget, or several different ones."""


def as_budgets(labels_per_class: LabelBudgets | Sequence[LabelsPerClass]) -> tuple[LabelsPerClass, ...]:
    """The budgets in the order given, also where only one is.

    Raises:
        ValueError: If there is none, or one twice.
    """
    one = isinstance(labels_per_class, int | str)
    budgets: tuple[LabelsPerClass, ...] = (labels_per_class,) if one else tuple(labels_per_class)  # type: ignore[arg-type, assignment]
    if not budgets or len(set(budgets)) < len(budgets):
        given = list(budgets)
        raise ValueError(f'labels_per_class has to be different numbers or "all", such as [10, "all"], got {given}')
    return budgets


def draw_labels(
    labels_N: np.ndarray,
    budgets: Sequence[LabelsPerClass],
    draws: int,
    rng: Rng,
    classes: Sequence[str] | None = None,
) -> Mapping[LabelsPerClass, list[np.ndarray]]:
    """Draws the labelled samples for every budget, the same number of each class that occurs.

    Each draw shuffles each class once, and a budget takes the first of it. So a smaller budget's samples are among
    a larger one's, adding a budget changes no other, and the draws depend on the labels and on ``rng`` alone:
    pretrained, untrained and raw features see the same samples, which pairs their numbers.

    Args:
        labels_N: Class indices.
        budgets: Labels of each class.
        draws: Independent draws for each budget; ``"all"`` leaves nothing to draw, so it has one.
        rng: Advanced by the same amount whatever the budgets.
        classes: Class names, for the message.

    Returns:
        For each budget its draws, each as ascending row numbers.

    Raises:
        CoviewError: If a class has fewer samples than a budget asks for.
    """
    present, counts = np.unique(labels_N, return_counts=True)
    largest = max((budget for budget in budgets if budget != "all"), default=0)
    scarce = int(counts.argmin())
    if counts[scarce] < largest:
        index = int(present[scarce])
        name = repr(classes[index]) if classes is not None else str(index)
        raise CoviewError(
            f"labels_per_class = {largest}: class {name} has {counts[scarce]} labelled training samples",
            hint=f"ask for at most {counts[scarce]} labels per class",
        )
    shuffled = [[rng.numpy.permutation(np.flatnonzero(labels_N == c)) for c in present] for _ in range(draws)]
    return {
        budget: [np.arange(len(labels_N))]
        if budget == "all"
        else [np.sort(np.concatenate([rows[:budget] for rows in draw])) for draw in shuffled]
        for budget in budgets
    }
