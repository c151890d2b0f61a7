"""The tables ``[mask]``, ``[decoder]`` and ``[target]``: what is hidden, and what has to be predicted of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from coview.plugins.own_settings import MaskSettings
from coview.recipe.check_component import ComponentChecker, beside_use
from coview.recipe.check_roles import with_numbers
from coview.recipe.key import key_of_term
from coview.recipe.merge import DEFAULT_USE
from coview.recipe.mistakes import Mistakes
from coview.recipe.recipe import ComponentTable, LossTable, MaskTable
from coview.recipe.tables import TeacherTable

_NO_MASK = 'needs hidden tokens: add [mask], such as use = "random" with ratio = 0.75'


@dataclass(frozen=True)
class Masked:
    """What a recipe says of hidden tokens.

    Attributes:
        mask, decoder, target: Absent where it says nothing.
        tables: As the resolved recipe has them.
    """

    mask: MaskTable | None = None
    decoder: ComponentTable | None = None
    target: ComponentTable | None = None
    tables: Mapping[str, Any] = field(default_factory=dict)


def check_masked(
    components: ComponentChecker,
    mistakes: Mistakes,
    given: Mapping[str, Any],
    terms: Sequence[LossTable],
    *,
    modalities: Sequence[str],
    views: Sequence[str],
    global_views: int,
    teacher: TeacherTable | None,
    roles: Sequence[str] = (),
) -> Masked:
    """Notes what is wrong, and returns what is right.

    Args:
        components: Where the components come from.
        mistakes: Where to note it.
        given: Those of the three tables that the recipe has.
        terms: The terms of the loss.
        modalities: That are encoded; none if that is a mistake already.
        views: The modality of each view.
        global_views: How many of them are global.
        teacher: The recipe's.
        roles: The names of the views, where they have some.
    """
    seeing = [(index, term) for index, term in enumerate(terms) if term.needs and term.needs.tokens != "unused"]
    if "mask" not in given:
        for index, term in seeing:
            mistakes.add(key_of_term(index, len(terms)), f"{term.use} {_NO_MASK}")
        for key in ("decoder", "target"):
            if given.get(key):
                mistakes.add((key,), "no token is hidden: add [mask], or remove this table")
        return Masked()
    if len(modalities) > 1:
        mistakes.add(("mask",), f"a mask is for recipes of one modality, and this one has {' and '.join(modalities)}")
    mask, tables = _mask(components, mistakes, given["mask"], len(views), global_views, roles)
    if not seeing:  # a mask alone is an augmentation
        for key in ("decoder", "target"):
            if given.get(key):
                mistakes.add((key,), "no loss sees hidden tokens: add one such as token_mse, or remove this table")
        return Masked(mask, tables=tables)
    decoder = components.check("decoder", {"use": DEFAULT_USE["decoder"], **given.get("decoder", {})}, ("decoder",))
    target = components.check("target", {"use": DEFAULT_USE["target"], **given.get("target", {})}, ("target",))
    if mask is None or decoder is None or target is None:
        return Masked(mask, tables=tables)
    if components.built_says(_sees, "target", target[0].use, target[0].parameters) not in (None, "input"):
        _check_teacher(mistakes, target[0].use, mask, teacher, views, global_views)
    return Masked(mask, decoder[0], target[0], tables | {"decoder": decoder[1], "target": target[1]})


def _sees(target: Any) -> str:
    return str(target.sees)


def _mask(
    components: ComponentChecker,
    mistakes: Mistakes,
    table: Any,
    views: int,
    global_views: int,
    roles: Sequence[str],
) -> tuple[MaskTable | None, dict[str, Any]]:
    """``[mask]``, and its table in the resolved recipe; None where something is wrong with it."""
    settings, rest = components.settings(MaskSettings, table, ("mask",))
    checked = components.check("mask", rest, ("mask",), also=tuple(MaskSettings.model_fields))
    if settings is None or checked is None:
        return None, {}
    settings = with_numbers(mistakes, settings, ("mask",), views, roles)
    _check_settings(mistakes, settings, views, global_views)
    own = checked[0]
    mask = MaskTable(own.use, own.parameters, settings, as_written=own.as_written)
    return mask, {"mask": beside_use(checked[1], settings)}


def _check_settings(mistakes: Mistakes, settings: MaskSettings, views: int, global_views: int) -> None:
    seen = settings.kept + settings.swapped
    if seen >= 1:
        mistakes.add(("mask",), f"kept and swapped are {seen:g} together: nothing is hidden")
    if settings.hide == "drop":
        for key in ("kept", "swapped"):
            if getattr(settings, key):
                mistakes.add(("mask", key), 'has no effect with hide = "drop": what is dropped is not seen at all')
    if not views:
        return
    if settings.views == "local" and views == global_views:
        mistakes.add(("mask", "views"), "there are no local views: see local_views in [data]")


def _check_teacher(
    mistakes: Mistakes,
    use: str,
    mask: MaskTable,
    teacher: TeacherTable | None,
    views: Sequence[str],
    global_views: int,
) -> None:
    """A target that sees the teacher needs one that is a moving average, and sees the views that are masked."""
    if teacher is None or not teacher.averages:
        message = f"{use} needs a teacher that is a moving average: add [teacher] with momentum = 0.996"
        mistakes.add(("target", "use"), message)
    elif teacher.shuffle_groups > 1:
        mistakes.add(("teacher", "shuffle_groups"), f"{use} needs all of a teacher's tokens at once: remove this key")
    unseen = [view for view in range(global_views, len(views)) if mask.makes(view, global_views)]
    if unseen:
        mistakes.add(
            ("mask", "views"), f"{use} predicts what the teacher sees, and the teacher does not see the local views"
        )
