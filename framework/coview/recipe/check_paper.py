"""``[paper]``: its keys, and the record that it names."""

from __future__ import annotations

from typing import Any

from coview.errors import CoviewError
from coview.plugins.nearest import did_you_mean
from coview.recipe.check_component import ComponentChecker
from coview.recipe.merge import Layers
from coview.recipe.mistakes import Mistakes
from coview.recipe.published import is_pattern, read_published, record_of
from coview.recipe.tables import PaperTable, ResultTable, TopTable


def check_paper(components: ComponentChecker, mistakes: Mistakes, layers: Layers) -> PaperTable | None:
    """The table; None where it is absent, or not as it has to be.

    Args:
        components: What checks a table of coview's own.
        mistakes: Where to note what is wrong.
        layers: Of the recipe, which have the table.
    """
    table: Any = layers.table.get("paper")
    result = table.get("result") if isinstance(table, dict) else None
    # for itself first: each key that is wrong in it has a line of its own
    if isinstance(result, dict) and components.own_table(ResultTable, result, ("paper", "result")) is None:
        return None
    paper = components.own_table(PaperTable, table, ("paper",))
    if not isinstance(paper, PaperTable):
        return None
    _check_record(mistakes, layers, paper)
    train: Any = layers.table.get("train")
    keeps = not isinstance(train, dict) or train.get("keep_best") is not None
    if paper.result is not None and paper.result.step == "best" and not keeps:
        mistakes.add(("paper", "result", "step"), '"best" needs train.keep_best, and there is none')
    return paper


def _check_record(mistakes: Mistakes, layers: Layers, table: PaperTable) -> None:
    """Notes what ``[paper]`` names and is not there."""
    if not table.record:
        if any(not is_pattern(key) for key in table.differs):  # patterns come from a part that several methods share
            mistakes.add(("paper", "differs"), "needs a record, and none is named")
        return
    path = record_of(layers, table)
    if not path.is_file():
        mistakes.add(("paper", "record"), f'there is no file "{path}", nor a shipped record "{table.record}"')
        return
    try:
        published = read_published(path)
    except CoviewError as error:
        mistakes.add(("paper", "record"), error.message, error)
        return
    for key in table.differs:
        if is_pattern(key):
            tables = TopTable.model_fields
            if (first := key.partition(".")[0]) not in tables:
                mistakes.add(("paper", "differs", key), f"a recipe has no such table{did_you_mean(first, tables)}")
        elif key not in published.settings:
            hint = did_you_mean(key, published.settings)
            mistakes.add(("paper", "differs", key), f"{path} says nothing about it{hint}")
