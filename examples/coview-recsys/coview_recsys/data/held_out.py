"""What is held out of choices that have a time: the last of each user, or what is last over all."""

from __future__ import annotations

from typing import Literal

import numpy as np

Hold = Literal["last", "latest"]


def split_by_time(users_N: np.ndarray, times_N: np.ndarray, hold: Hold, share: float) -> np.ndarray:
    """The split of each choice: 0 for train, 1 for validation, 2 for test.

    Args:
        users_N: The user of each choice.
        times_N: Its time. Choices of one time keep their order.
        hold: ``"last"``: of each user with three choices or more, the last is for testing, and the one before it for
            validation (leave-one-out). ``"latest"``: the latest ``share`` of all choices is for testing, and the latest
            ``share`` of the others for validation (temporal). Choices of one time are then on one side, so that nothing
            in training is later than what is tested.
        share: Above 0 and below 0.5; ``"last"`` takes no notice of it.
    """
    split_N = np.zeros(len(users_N), dtype=np.int64)
    if hold == "latest":
        for number, cut in ((1, (1 - share) ** 2), (2, 1 - share)):
            split_N[times_N > np.quantile(times_N, cut, method="lower")] = number
        return split_N
    order_N = np.lexsort((np.arange(len(users_N)), times_N, users_N))
    from_end_N = np.concatenate([np.arange(n, 0, -1) for n in np.unique(users_N, return_counts=True)[1]])
    many_N = np.bincount(users_N)[users_N[order_N]] >= 3
    split_N[order_N[many_N & (from_end_N == 1)]] = 2
    split_N[order_N[many_N & (from_end_N == 2)]] = 1
    return split_N
