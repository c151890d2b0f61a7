"""Whether an encoder has a vector for each user and item of a batch."""

from __future__ import annotations

from torch import Tensor

import coview


def check_numbers(batch: dict[str, Tensor], **counts: int) -> None:
    """Refuses a batch with a number that is too high.

    Args:
        batch: ``user`` or ``item``, ``(N,)``.
        counts: How many vectors there are: ``users=…``, ``items=…``.

    Raises:
        CoviewError: If a number is as high as the count, or higher.
    """
    for name, count in counts.items():
        numbers = batch.get(name.removesuffix("s"))
        if numbers is not None and int(numbers.max()) >= count:
            raise coview.CoviewError(
                f"{name} have the number {int(numbers.max()):,}, but there are vectors for {count:,} of them only",
                hint=f"{name} has to be one more than the highest number",
            )
