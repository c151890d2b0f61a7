"""Views by name: what ``data.views`` calls them, and the numbers of those that other tables name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from coview.plugins.nearest import did_you_mean
from coview.plugins.own_settings import AugmentSettings, MaskSettings
from coview.recipe.check_data import CheckedData
from coview.recipe.key import Key
from coview.recipe.mistakes import Mistakes
from coview.recipe.tables import QueueTable

_OfSome = TypeVar("_OfSome", AugmentSettings, MaskSettings, QueueTable)


def roles_of(mistakes: Mistakes, data: CheckedData, global_views: int) -> tuple[str, ...]:
    """The name of each global view, empty for one that has none; nothing where none has one.

    Args:
        mistakes: Where to note a name that is there twice.
        data: The data sets.
        global_views: How many views are global.
    """
    if data.settings is None or not data.modalities or not global_views:
        return ()
    given = data.settings.views
    of_all = dict.fromkeys(data.modalities, given) if isinstance(given, int | tuple) else given
    roles: list[str] = []
    for name in data.modalities:
        views = of_all.get(name, 0)
        roles += views if isinstance(views, tuple) else [""] * views
    if isinstance(given, tuple) and len(data.modalities) > 1:
        example = f'{{ {data.modalities[0]} = ["{given[0]}"], … }}'
        message = f"names views, and the data has {' and '.join(data.modalities)}: say which are of which, {example}"
        mistakes.add((*data.at, "views"), message)
        return ()
    for role in dict.fromkeys(roles):
        if role and roles.count(role) > 1:
            mistakes.add((*data.at, "views"), f'two views are called "{role}"')
    return tuple(roles) if any(roles) else ()


def with_numbers(mistakes: Mistakes, settings: _OfSome, at: Key, views: int, roles: Sequence[str]) -> _OfSome:
    """The settings with numbers in place of names, which they are the same as.

    Args:
        mistakes: Where to note a view that is not there.
        settings: Which name some views, or do not.
        at: Where the table stands.
        views: How many there are that it may name; 0 if that is a mistake already.
        roles: The names of the first of them.
    """
    wanted = settings.views
    if not isinstance(wanted, tuple) or not views:
        return settings
    numbers: list[int] = []
    for view in wanted:
        if isinstance(view, int):
            if view >= views:
                mistakes.add((*at, "views"), f"there is no view {view}: they are 0 to {views - 1}")
            numbers.append(view)
        elif view in roles:
            numbers.append(roles.index(view))
        else:
            named = [role for role in roles if role]
            called = f"they are called {' and '.join(named)}" if named else "none has a name, see views in [data]"
            mistakes.add((*at, "views"), f'no view is called "{view}": {called}{did_you_mean(view, named)}')
    return settings.model_copy(update={"views": tuple(numbers)})
