from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.model_selection import GroupKFold

from coview import Features, FeatureSplit
from coview.evaluate.folds import FEW_GROUPS, FEW_SAMPLES, choices, fold_rows


def split(n: int, groups: np.ndarray | None = None) -> FeatureSplit:
    groups_N = None if groups is None else torch.from_numpy(groups)
    return FeatureSplit(torch.randn(n, 2), torch.arange(n), groups_N=groups_N)


def test_every_row_judges_once_and_no_group_is_in_two_folds() -> None:
    groups = np.repeat(np.arange(7), [5, 9, 30, 2, 11, 8, 20])
    labels = np.arange(len(groups)) % 3
    folds = fold_rows(len(groups), labels, groups)
    assert len(folds) == 5
    assert sorted(np.concatenate([judged for _, judged in folds])) == list(range(len(groups)))
    for fitted, judged in folds:
        assert not set(groups[fitted]) & set(groups[judged])


def test_four_groups_judge_one_by_one_as_by_scikit_learns_folds() -> None:
    groups = np.repeat(np.arange(4), 25)
    ours = {frozenset(judged.tolist()) for _, judged in fold_rows(100, np.arange(100) % 5, groups)}
    peer = {frozenset(judged.tolist()) for _, judged in GroupKFold(4).split(np.zeros((100, 1)), groups=groups)}
    assert ours == peer


def test_groups_that_each_have_one_class_are_kept_whole() -> None:
    groups = np.arange(12) // 2
    for fitted, judged in fold_rows(12, groups // 3, groups):
        assert not set(groups[fitted]) & set(groups[judged])


@pytest.mark.parametrize(
    ("held", "groups", "carved", "folds"),
    [
        (FEW_SAMPLES, None, True, 1),
        (FEW_SAMPLES - 1, None, True, 5),
        (FEW_SAMPLES, FEW_GROUPS, True, 1),
        (FEW_SAMPLES, FEW_GROUPS - 1, True, 5),
        (20, None, False, 1),  # the data's own validation split, however small
    ],
)
def test_a_small_part_of_train_chooses_in_turns(held: int, groups: int | None, carved: bool, folds: int) -> None:
    def of(n: int, first: int) -> np.ndarray | None:
        return None if groups is None else first + np.arange(n) % groups

    features = Features(
        {"train": split(3 * held, of(3 * held, 1000)), "validation": split(held, of(held, 0))}, carved=carved
    )
    found = choices(features, None)
    assert len(found.rows) == folds
    assert len(found.x_ND) == 4 * held
    if folds == 1:
        assert found.rows[0][1].tolist() == list(range(3 * held, 4 * held))


def test_rows_that_were_given_before_are_given_again_and_belong_to_whoever_asks() -> None:
    groups = np.repeat(np.arange(8), 10)
    first = fold_rows(80, np.arange(80) % 2, groups)
    kept = [(fitted.copy(), judged.copy()) for fitted, judged in first]
    for fitted, judged in first:
        fitted[:], judged[:] = 0, 0
    again = fold_rows(80, np.arange(80) % 2, groups)
    assert all(
        np.array_equal(a, b) for one, other in zip(kept, again, strict=True) for a, b in zip(one, other, strict=True)
    )
    other_labels = fold_rows(80, (np.arange(80) // 10) % 2, groups)
    assert [judged.tolist() for _, judged in other_labels] != [judged.tolist() for _, judged in again]
