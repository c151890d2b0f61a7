"""What the results of one evaluator say of each other: what is measured and its controls, more labels and fewer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from coview.evaluate.intervals import Groups
from coview.evaluate.paired import Items, paired_test
from coview.evaluate.result import Result


def beside_controls(found: Sequence[Sequence[Result]]) -> list[list[Result]]:
    """The same results, each control tested against what is measured, and each warned of that has to be.

    Args:
        found: Of one evaluator the results for each kind of features, what is measured first.
    """
    measured = {result.protocol_hash: result for result in found[0]} if found else {}
    tested = []
    for number, of_kind in enumerate(found):
        warned = [replace(result, warning=_fewer_are_better(result, of_kind)) for result in of_kind]
        tested.append(
            [
                _against(result, measured[result.protocol_hash])
                if number and result.protocol_hash in measured
                else result
                for result in warned
            ]
        )
    return tested


def _against(control: Result, measured: Result) -> Result:
    one, other = items_of(measured), items_of(control)
    return control if one is None or other is None else replace(control, against=paired_test(one, other))


def items_of(result: Result, *, by_groups: bool = True) -> Items | None:
    """What a paired test takes of a result, if that has it."""
    if result.per_item is None:
        return None
    groups = None
    if by_groups and result.item_groups is not None and result.groups is not None and result.groups > 1:
        groups = Groups(result.item_groups, result.groups)
    return Items(result.per_item, result.per_draw, groups)


def _fewer_are_better(result: Result, others: Sequence[Result]) -> str:
    """Whether the same with fewer labels is better on these very test items, beyond what items and draws explain.

    Over items also where there are groups: it asks for what has happened here, and not whether it would elsewhere.
    """
    for fewer in others:
        if not _of_fewer_labels(fewer, result):
            continue
        sign = 1 if result.better == "higher" else -1
        one, other = items_of(fewer, by_groups=False), items_of(result, by_groups=False)
        test = None if one is None or other is None else paired_test(one, other)
        if test is not None:
            beyond = sign * test.difference > 0 and not test.ci_low <= 0 <= test.ci_high
        else:
            beyond = fewer.ci_low > result.ci_high if sign > 0 else fewer.ci_high < result.ci_low
        if beyond:
            few, many = (_labels(each) for each in (fewer, result))
            return (
                f"{result.evaluator} {result.metric}, {result.kind}: {fewer.value:.3f} with {few}, and "
                f"{result.value:.3f} with {many}: more labels give less"
            )
    return ""


def _of_fewer_labels(fewer: Result, result: Result) -> bool:
    if (fewer.metric, fewer.dataset, fewer.split) != (result.metric, result.dataset, result.split):
        return False
    few, many = (each.protocol.get("labels_per_class") for each in (fewer, result))
    if few is None or few == "all" or many is None:
        return False
    if many == "all":
        return True
    if isinstance(few, int) and isinstance(many, int):
        return few < many
    return isinstance(few, str) and isinstance(many, str) and float(few.rstrip("% ")) < float(many.rstrip("% "))


def _labels(result: Result) -> str:
    given = result.protocol["labels_per_class"]
    if isinstance(given, str):
        return "all" if given == "all" else f"{given} of the labels"
    return f"{given} label{'s' * (given > 1)} a class"
