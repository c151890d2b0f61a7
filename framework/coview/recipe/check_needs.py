"""Whether a recipe gives each term of its loss what it needs, and nothing that none of them can use."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from coview.recipe.abilities import never_labelled
from coview.recipe.check_between import views_seen, where_views
from coview.recipe.check_component import ComponentChecker
from coview.recipe.check_data import CheckedData
from coview.recipe.key import Key, key_of_term
from coview.recipe.mistakes import Mistakes
from coview.recipe.needs import NEGATIVE, Needs, sees_negatives
from coview.recipe.recipe import LossTable

_ADD = {
    "teacher": "add [teacher], with momentum = 0.996 for a moving average or stop_gradient = true",
    "predictor": "add [predictor], with hidden = 4096 or what suits the width",
    "queue": "add [queue], with size = 65536 or what suits the data",
}


def check_needs(
    components: ComponentChecker,
    mistakes: Mistakes,
    terms: Sequence[LossTable],
    *,
    data: CheckedData,
    views: Sequence[str],
    global_views: int,
    given: Collection[str],
    batch_size: int,
    roles: Sequence[str] = (),
) -> None:
    """Notes what is missing and what has no effect.

    Args:
        components: Where losses and data sets come from.
        mistakes: Where to note it.
        terms: The terms of the loss.
        data: The data sets.
        views: The modality of each view; none if that is a mistake already.
        global_views: How many of them are global.
        given: Which of the tables ``teacher``, ``predictor``, ``queue`` the recipe has.
        batch_size: Samples in a batch.
        roles: The names of the views, where they have some.
    """
    takes_queue = False
    for index, term in enumerate(terms):
        needs, at = term.needs, key_of_term(index, len(terms))
        seen = views_seen(term, views)
        negative = next((view for view in seen if roles[view : view + 1] == (NEGATIVE,)), None)
        if negative is not None and (needs is None or sees_negatives(needs) == "unused"):
            mistakes.add((*data.at, "views"), f'{term.use} takes no hard negatives, of which "{NEGATIVE}" is a view')
            negative = None
        if needs is None:  # it has not said, and may use anything
            takes_queue = True
            continue
        takes_queue = takes_queue or needs.queue != "unused"
        for table in _tables_needed(needs):
            if table not in given:
                mistakes.add(at, f"{term.use} needs a {table}: {_ADD[table]}")
        if views:
            if negative is not None and sees_negatives(needs) == "queue":
                seen = [view for view in seen if view != negative]
                if views[negative] not in [views[view] for view in seen]:
                    message = f'"{NEGATIVE}" is the only view of {views[negative]}: hard negatives need another view'
                    mistakes.add((*data.at, "views"), message)
            _check_views(mistakes, data.at, term, (index, len(terms)), seen, global_views)
            named = [roles[view] for view in seen if view < len(roles)]
            if lacking := [role for role in needs.roles if role not in named]:
                message = f"{term.use} needs views that are called {' and '.join(needs.roles)}, and none is "
                where = where_views(term, index, len(terms), (*data.at, "views"))
                mistakes.add(where, message + " and none is ".join(lacking))
        if batch_size < needs.smallest_batch:
            message = f"{term.use} needs at least {needs.smallest_batch} samples in a batch, got {batch_size}"
            mistakes.add(("train", "batch_size"), message)
        for of in data.tables if needs.labels else ():
            if components.says(never_labelled, "dataset", of.use):
                mistakes.add(at, f'{term.use} needs class labels, and the data "{of.use}" has none')
    if terms and "queue" in given and not takes_queue:
        names = " and ".join(term.use for term in terms)
        mistakes.add(("queue",), f"no queue is used by {names}: remove this table, or take another loss")


def _tables_needed(needs: Needs) -> list[str]:
    wanted = {"teacher": needs.teacher, "predictor": needs.predictor, "queue": needs.queue == "required"}
    return [table for table, wants in wanted.items() if wants]


def _check_views(
    mistakes: Mistakes, at: Key, term: LossTable, place: tuple[int, int], seen: Sequence[int], global_views: int
) -> None:
    needs = term.needs
    if needs is None or not seen:  # modalities that are not there are a mistake already
        return
    in_global = sum(view < global_views for view in seen)
    between = term.settings.between
    of_them = "" if between is None else f" in {' and '.join(between)} together"
    where = where_views(term, *place, (*at, "views"))
    if in_global < needs.views:
        mistakes.add(where, f"{term.use} needs {needs.views} views of each sample{of_them}, got {in_global}")
    if needs.most_views is not None and len(seen) > needs.most_views:
        message = f"{term.use} takes at most {needs.most_views} views of each sample{of_them}, got {len(seen)}"
        mistakes.add(where, message)
    elif len(seen) > in_global and not needs.local_views:
        message = f"{term.use} compares every view with every other, and takes no local ones: remove local_views"
        mistakes.add((*at, "local_views"), message)
