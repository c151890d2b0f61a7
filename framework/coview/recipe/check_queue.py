"""``[queue]``: its keys, and the views that it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coview.recipe.check_component import ComponentChecker
from coview.recipe.check_roles import with_numbers
from coview.recipe.mistakes import Mistakes
from coview.recipe.tables import QueueTable


def check_queue(
    components: ComponentChecker, mistakes: Mistakes, tables: Mapping[str, Any], global_views: int, roles: Sequence[str]
) -> QueueTable | None:
    """The table with its views as numbers; None where it is absent, or not as it has to be.

    Args:
        components: What checks a table of coview's own.
        mistakes: Where to note what is wrong.
        tables: All tables of the recipe, as they were read.
        global_views: How many views the target branch sees; 0 if that is a mistake already.
        roles: The names of the views, where they have some.
    """
    queue = components.own_table(QueueTable, tables.get("queue"), ("queue",))
    if not isinstance(queue, QueueTable):
        return None
    if isinstance(queue.views, tuple) and len(set(queue.views)) < len(queue.views):
        mistakes.add(("queue", "views"), "names a view twice")
    return with_numbers(mistakes, queue, ("queue",), global_views, roles)
