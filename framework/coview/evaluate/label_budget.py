"""How many labels an evaluator may use, and which: draws that are the same for every kind of features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, MinLen
from pydantic import Field

from coview.data.rng import Rng
from coview.errors import CoviewError
from coview.evaluate.evaluator import KnownData
from coview.evaluate.features import Features

LabelsPerClass = Annotated[int, Ge(1)] | Literal["all"] | Annotated[str, Field(pattern=r"^\d+(\.\d+)? ?%$")]
"""Labelled training samples of each class, a share of them such as "10%", or all there are."""

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
    given: tuple[LabelsPerClass, ...] = (labels_per_class,) if one else tuple(labels_per_class)  # type: ignore[arg-type, assignment]
    budgets = tuple(f"{_share(budget):.15g}%" if _is_share(budget) else budget for budget in given)
    if not budgets or len(set(budgets)) < len(budgets):
        wanted = 'different numbers, shares or "all", such as [10, "10%", "all"]'
        raise ValueError(f"labels_per_class has to be {wanted}, got {list(given)}")
    outside = [budget for budget in budgets if _is_share(budget) and not 0 < _share(budget) <= 100]
    if outside:
        raise ValueError(f"a share of the labels is above 0% and at most 100%, got {outside[0]}")
    return budgets


def _is_share(budget: LabelsPerClass) -> bool:
    return isinstance(budget, str) and budget != "all"


def _share(budget: LabelsPerClass) -> float:
    """In percent."""
    return float(str(budget).rstrip("% "))


def _taken(budget: LabelsPerClass, samples: int) -> int:
    """How many of a class's samples a number or a share takes; of a share at least one."""
    return budget if isinstance(budget, int) else max(1, round(_share(budget) / 100 * samples))


def check_budgets(labels_N: np.ndarray, budgets: Sequence[LabelsPerClass], classes: Sequence[str] | None) -> None:
    """Whether every class that occurs has as many samples as the largest budget asks for.

    Args:
        labels_N: Class indices.
        budgets: Labels of each class.
        classes: Class names, for the message.

    Raises:
        CoviewError: If one has fewer, by its name.
    """
    present, counts = np.unique(labels_N, return_counts=True)
    largest = max((budget for budget in budgets if isinstance(budget, int)), default=0)
    if len(counts) and counts.min() < largest:
        scarce = int(counts.argmin())
        index = int(present[scarce])
        name = repr(classes[index]) if classes is not None else str(index)
        raise CoviewError(
            f"labels_per_class = {largest}: class {name} has {counts[scarce]} labelled training samples",
            hint=f"ask for at most {counts[scarce]} labels per class",
        )


def check_known_budgets(data: KnownData, budgets: Sequence[LabelsPerClass]) -> None:
    """The same before training, where the data knows its labels.

    Raises:
        CoviewError: If a class has fewer, by its name.
    """
    if "train" in data.labels:
        check_budgets(data.labels["train"], budgets, data.classes)


def draw_labels(
    labels_N: np.ndarray,
    budgets: Sequence[LabelsPerClass],
    draws: int,
    rng: Rng,
    classes: Sequence[str] | None = None,
) -> Mapping[LabelsPerClass, list[np.ndarray]]:
    """Draws the labelled samples for every budget, the same number or share of each class that occurs.

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
    check_budgets(labels_N, budgets, classes)
    present = np.unique(labels_N)
    shuffled = [[rng.numpy.permutation(np.flatnonzero(labels_N == c)) for c in present] for _ in range(draws)]
    return {
        budget: [np.arange(len(labels_N))]
        if budget == "all"
        else [np.sort(np.concatenate([rows[: _taken(budget, len(rows))] for rows in draw])) for draw in shuffled]
        for budget in budgets
    }


def rows_of_budgets(
    features: Features, budgets: Sequence[LabelsPerClass], draws: int, rng: Rng
) -> Mapping[str, np.ndarray]:
    """The rows of ``train`` that :func:`draw_labels` draws, ascending, and none of ``validation``; nothing is said of
    either where a budget is ``"all"``.

    Args:
        features: Of which the labels are looked at.
        budgets: Labels of each class.
        draws: Independent draws for each budget.
        rng: As for :func:`draw_labels`.
    """
    labels_N = features["train"].labels_N
    if "all" in budgets or labels_N is None:
        return {}
    drawn = draw_labels(labels_N.cpu().numpy(), budgets, draws, rng, features.classes)
    rows = np.unique(np.concatenate([draw for of_budget in drawn.values() for draw in of_budget]))
    return {"train": rows, **({"validation": rows[:0]} if "validation" in features.splits else {})}
