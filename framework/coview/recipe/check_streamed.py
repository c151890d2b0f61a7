"""Whether a recipe asks nothing of data that are streamed which needs their samples in any order."""

from __future__ import annotations

from coview.recipe.abilities import is_streamed
from coview.recipe.check_component import ComponentChecker
from coview.recipe.check_data import CheckedData
from coview.recipe.merge import DEFAULT_USE
from coview.recipe.mistakes import Mistakes
from coview.recipe.recipe import ComponentTable


def check_streamed(
    components: ComponentChecker, mistakes: Mistakes, data: CheckedData, sampler: ComponentTable | None
) -> None:
    """Notes what is not possible.

    Args:
        components: Where data sets come from.
        mistakes: Where to note it.
        data: The data sets.
        sampler: The sampler; None if that is a mistake already.
    """
    for index, table in enumerate(data.tables):
        if not components.says(is_streamed, "dataset", table.use):
            continue
        if len(data.tables) > 1:
            message = f'"{table.use}" is read shard by shard, and a mixture draws from all samples of its data sets'
            mistakes.add(("data", index, "use"), f"{message}: train on it alone")
        if sampler is not None and sampler.use != DEFAULT_USE["sampler"]:
            message = f'"{sampler.use}" chooses among all samples, and the data "{table.use}" are read shard by shard'
            mistakes.add(("sampler", "use"), f"{message}: remove [sampler]")
