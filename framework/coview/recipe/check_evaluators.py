"""Whether evaluators, and the data that only they look at, are what a recipe's encoders can be measured by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from coview.plugins.own_settings import EvaluateSettings
from coview.recipe.abilities import Compared, modalities_of, says_modalities, what_it_compares
from coview.recipe.check_component import Checked, ComponentChecker
from coview.recipe.check_curves import check_every, points_of
from coview.recipe.check_modalities import check_modalities
from coview.recipe.key import Key
from coview.recipe.mistakes import Mistakes
from coview.recipe.recipe import EvaluateTable


def check_evaluators(
    components: ComponentChecker, mistakes: Mistakes, tables: Sequence[Any], used: tuple[str, ...]
) -> list[tuple[EvaluateTable, dict[str, Any]]]:
    """Each evaluator as given, and its resolved table; what is wrong with one is noted, and it is left out.

    Args:
        components: What checks tables against the components.
        mistakes: Where to note what is wrong.
        tables: The recipe's ``[[evaluate]]``.
        used: The modalities that the recipe has an encoder of.
    """
    found: list[tuple[EvaluateTable, dict[str, Any]]] = []
    curves: list[tuple[Any, ...]] = []
    for index, table in enumerate(tables):
        at: Key = ("evaluate", index)
        settings, rest = components.settings(EvaluateSettings, table, at)
        checked = components.check("evaluator", rest, at, also=tuple(EvaluateSettings.model_fields))
        said = checked and components.built_says(what_it_compares, "evaluator", checked[0].use, checked[0].parameters)
        compared = None if said is None else Compared(*said)
        needed = check_modalities(mistakes, compared, settings, table.get("use"), used, at)
        other = None if settings is None or settings.data is None else settings.data
        data = None if other is None else _other_data(components, mistakes, other, (*at, "data"), needed)
        if checked is None or settings is None or (other is not None and data is None):
            continue
        own = checked[0]
        named: dict[str, Any] = {} if data is None else {"data": data[1]}
        modality = None if settings.modality in used[:1] else settings.modality  # the first is meant without, too
        named |= {} if modality is None else {"modality": modality}
        named |= {"projector": True} if settings.projector else {}
        parameters = {key: value for key, value in checked[1].items() if key != "use"}
        given = EvaluateTable(
            own.use,
            own.parameters,
            None if data is None else data[0],
            settings.every,
            settings.test,
            modality,
            settings.projector,
            as_written=own.as_written,
        )
        if settings.every is not None:
            check_every(mistakes, given, compared, curves, at)
            curves.append(points_of(given, compared))
        if settings.every is not None:
            named["every"] = settings.every
        if not settings.test:
            if settings.every is None:
                mistakes.add((*at, "test"), "without test it measures nothing, unless it has a key every")
            named["test"] = False
        found.append((given, {"use": checked[1]["use"], **named, **parameters}))
    return found


def _other_data(
    components: ComponentChecker, mistakes: Mistakes, table: Any, at: Key, needed: tuple[str, ...]
) -> Checked | None:
    """Data that only an evaluator looks at: it has to have what the evaluated encoders take."""
    checked = components.check("dataset", table, at)
    use = table.get("use") if checked is None else checked[0].use
    parameters = {} if checked is None else checked[0].parameters
    finds, modalities = components.says(says_modalities, "dataset", use) or (False, ())
    if finds:
        modalities = modalities_of(components.factory("dataset", use), parameters)
    modalities = modalities or needed
    if checked is not None and not set(needed) <= set(modalities):
        has = " and ".join(modalities)
        takes = "the encoder takes" if len(needed) == 1 else "the evaluator compares"
        message = f'"{table["use"]}" has {has}, and {takes} {" and ".join(needed)}'
        mistakes.add((*at, "use"), message)
        return None
    return checked
