"""A comparison: one question, asked of one recipe or of several, at every cell of a sweep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from coview.errors import CoviewError, Mistake, RecipeError
from coview.plugins.nearest import did_you_mean
from coview.plugins.registry import Registry
from coview.recipe.check_component import ComponentChecker
from coview.recipe.extend import read_with_parents
from coview.recipe.key import as_key
from coview.recipe.load import load_cells
from coview.recipe.merge import Layers
from coview.recipe.mistakes import Mistakes
from coview.recipe.override import parse_set
from coview.recipe.read import Document
from coview.recipe.recipe import Recipe
from coview.recipe.shipped import find_recipe
from coview.recipe.tables import CompareTable, Test, TopTable
from coview.recipe.tune_table import TuneTable
from coview.recipe.validate import validate

SEED = "seed"
"""The axis whose cells are repetitions of each other."""

RECIPE = "modality"
"""The axis of a comparison's recipes: each is named by its modality, where that tells them apart."""

_OF_THE_COMPARISON = ("schema", "name", "compare", "extends", "tune")

_TOP = tuple(field.alias or name for name, field in TopTable.model_fields.items())
"""What an override of every recipe begins with; one of a single recipe begins with that recipe's name."""


@dataclass(frozen=True)
class ComparisonCell:
    """One run of a comparison.

    Attributes:
        levels: Axis to level, such as ``{"modality": "image", "loss": "nt_xent", "seed": "0"}``.
        recipe: Its recipe, without a sweep.
    """

    levels: Mapping[str, str]
    recipe: Recipe

    @property
    def name(self) -> str:
        """Its levels in a row."""
        return " · ".join(level if axis != SEED else f"seed {level}" for axis, level in self.levels.items())

    @property
    def variant(self) -> str:
        """What it is of, in any modality and repetition: its other levels, else its recipe's name."""
        levels = [level for axis, level in self.levels.items() if axis not in (RECIPE, SEED)]
        return " · ".join(levels) or self.recipe.name


@dataclass(frozen=True)
class Comparison:
    """What is compared.

    Attributes:
        name: Of the comparison.
        question: What it is to answer; may be empty.
        metric: The number that ranks; absent: the first of the first evaluator.
        cells: Every run.
        path: The file it is from, as it was given.
        baseline: The variant that each other is tested against; absent: each against each.
        bank_gb: How much disk may be taken, while cells run, by views that several of them need.
        tune: What each variant may choose before it is compared.
        test: By which pairs are tested.
        margin: Differences that do not matter; 0: all matter.
        until: ``decided`` where seeds of the sweep are used as far as they are needed; absent: all are.
        budget: How many cells, or how many seconds of training (a ``float``), are spent at most; absent: no bound.
        tuned_by: By which tuning the cells have the values that they have; absent: by none.
    """

    name: str
    question: str
    metric: str | None
    cells: Sequence[ComparisonCell]
    path: Path
    baseline: str | None = None
    bank_gb: float = 4.0
    tune: TuneTable = field(default_factory=TuneTable)
    test: Test = "model"
    margin: float = 0.0
    until: Literal["decided"] | None = None
    budget: int | float | None = None
    tuned_by: Mapping[str, Any] | None = None

    def against(self, baseline: str | None) -> Comparison:
        """The same, with each variant tested against this one; as it is where there is none.

        Raises:
            CoviewError: If there is no such variant.
        """
        variants = list(dict.fromkeys(cell.variant for cell in self.cells))
        if baseline is None:
            return self
        if baseline not in variants:
            raise CoviewError(
                f'no variant is called "{baseline}"{did_you_mean(baseline, variants)}',
                hint=f"variants: {', '.join(variants)}",
            )
        return replace(self, baseline=baseline)

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        """Every axis with its levels, in the order of the file."""
        found: dict[str, dict[str, None]] = {}
        for cell in self.cells:
            for axis, level in cell.levels.items():
                found.setdefault(axis, {})[level] = None
        return {axis: tuple(levels) for axis, levels in found.items()}


def load_comparison(path: Path | str, *, sets: Iterable[str] = (), registry: Registry) -> Comparison:
    """Reads a comparison, and checks every cell of it.

    Args:
        path: A recipe with a ``[sweep]``, or a file whose ``[compare]`` names several recipes.
        sets: Overrides, as texts ``KEY=VALUE``: of the comparison's own tables, of every recipe, or of one of several,
            by the name that it has in the comparison: ``audio.data.root=sounds``.
        registry: What the recipes see.

    Raises:
        RecipeError: With every mistake.
        CoviewError: If there is nothing to compare.
    """
    documents = read_with_parents(path)
    layers = Layers()
    for document in documents:
        layers.add_document(document)
    overrides = parse_set(sets)
    layers.add_override(overrides, "--set")
    compare, tune = _own_tables(layers, registry)
    if compare is None or not compare.recipes:
        recipes = {"": validate(layers, registry, Path(path))}
    else:
        recipes = _recipes(documents, compare, overrides, registry, Path(path))
    cells = [
        ComparisonCell({**({RECIPE: name} if name else {}), **cell.levels}, valid)
        for name, recipe in recipes.items()
        for cell, valid in load_cells(recipe, registry)
    ]
    # several recipes without a sweep are compared as they are
    cells = cells or [ComparisonCell({RECIPE: name}, recipe) for name, recipe in recipes.items() if name]
    if len(cells) < 2:
        raise CoviewError(
            f"{path}: there is nothing to compare: it has no [sweep], and no [compare] with several recipes",
            hint="coview run runs a single recipe",
        )
    first = next(iter(recipes.values()))
    asked = first.compare if compare is None else compare
    name = str(layers.table.get("name", first.name))
    comparison = Comparison(
        name,
        asked.question,
        asked.metric,
        cells,
        Path(path),
        bank_gb=asked.bank_gb,
        tune=tune or first.tune,
        test=asked.test,
        margin=asked.margin,
        until=asked.until,
        budget=asked.spent_at_most,
    )
    try:
        return comparison.against(asked.baseline)
    except CoviewError as error:
        mistakes = Mistakes(layers)
        mistakes.add(("compare", "baseline"), f"{error.message} ({error.hint})", error)
        mistakes.raise_if_any()
        raise


def is_comparison_of_several(path: Path | str) -> bool:
    """Whether a file is a comparison of other recipes, and no recipe itself."""
    layers = Layers()
    for document in read_with_parents(path):
        layers.add_document(document)
    compare = layers.table.get("compare")
    return isinstance(compare, dict) and bool(compare.get("recipes"))


def _own_tables(layers: Layers, registry: Registry) -> tuple[CompareTable, TuneTable] | tuple[None, None]:
    """Its tables, where the file is a comparison of several recipes; a recipe's own are checked with the recipe."""
    table = layers.table.get("compare")
    if not isinstance(table, dict) or not table.get("recipes"):
        return None, None
    mistakes = Mistakes(layers)
    components = ComponentChecker(registry, mistakes)
    checked = components.own_table(CompareTable, table, ("compare",))
    tune = components.own_table(TuneTable, layers.table.get("tune", {}), ("tune",))
    if not isinstance(layers.table.get("name"), str):
        mistakes.add(("name",), "a comparison needs a name")
    mistakes.raise_if_any()
    assert isinstance(checked, CompareTable)
    assert isinstance(tune, TuneTable)
    return checked, tune


def _recipes(
    documents: Sequence[Document], compare: CompareTable, overrides: Mapping[str, Any], registry: Registry, path: Path
) -> dict[str, Recipe]:
    """Each recipe by its name in the comparison, with the comparison's other tables merged over it."""
    of_all = {key: value for key, value in overrides.items() if key in _TOP}
    of_one = {key: value for key, value in overrides.items() if key not in _TOP}
    merged = _merged(documents, compare, of_all)
    recipes = _by_modality(_all_valid(merged, registry), path)
    for name, table in of_one.items():
        if name not in recipes or not isinstance(table, dict):
            raise RecipeError([Mistake("--set", name, _neither(name, recipes))])
        merged[list(recipes).index(name)][0].add_override(table, f"--set {name}")
    if not of_one:
        return recipes
    return dict(zip(recipes, _all_valid(merged, registry), strict=True))


def _neither(name: str, recipes: Iterable[str]) -> str:
    """What a key may begin with where several recipes are compared."""
    names = ", ".join(map(as_key, recipes))
    example = as_key(next(iter(recipes)))
    return (
        f"is neither a table of a recipe nor one of the compared recipes{did_you_mean(name, [*recipes, *_TOP])}: "
        f"data.root=PATH is for all of them, {example}.data.root=PATH for one ({names})"
    )


def _all_valid(merged: Sequence[tuple[Layers, Path]], registry: Registry) -> list[Recipe]:
    recipes: list[Recipe] = []
    mistakes: list[Mistake] = []
    for layers, path in merged:
        try:
            recipes.append(validate(layers, registry, path))
        except RecipeError as error:
            mistakes += error.mistakes
    if mistakes:
        raise RecipeError(list(dict.fromkeys(mistakes)))
    return recipes


def _merged(
    documents: Sequence[Document], compare: CompareTable, overrides: Mapping[str, Any]
) -> list[tuple[Layers, Path]]:
    """The layers of each recipe, and its file."""
    (named_by,) = [document for document in documents if "recipes" in document.table.get("compare", {})][-1:] or [
        documents[-1]
    ]
    merged: list[tuple[Layers, Path]] = []
    mistakes: list[Mistake] = []
    for index, given in enumerate(compare.recipes):
        line = named_by.lines.get(("compare", "recipes", index), 1)
        file, layers = find_recipe(given, named_by.path.parent), Layers()
        try:
            for document in read_with_parents(file):
                layers.add_document(document)
        except RecipeError as error:
            where, path = f"{named_by.path}:{line}", f"compare.recipes.{index}"
            mistakes += [Mistake(where, path, str(mistake)) for mistake in error.mistakes]
            continue
        for document in documents:
            table = {key: value for key, value in document.table.items() if key not in _OF_THE_COMPARISON}
            layers.add_document(replace(document, table=table))
        rest = {key: value for key, value in overrides.items() if key not in _OF_THE_COMPARISON}
        layers.add_override(rest, "--set")
        layers.table["compare"] = {"variant": compare.variant}
        merged.append((layers, file))
    if mistakes:
        raise RecipeError(list(dict.fromkeys(mistakes)))
    return merged


def _by_modality(recipes: Sequence[Recipe], path: Path) -> dict[str, Recipe]:
    """Each recipe by what tells it from the others: its modality, else its name."""
    for name in (lambda recipe: "+".join(recipe.modalities), lambda recipe: recipe.name):
        named = {name(recipe): recipe for recipe in recipes}
        if len(named) == len(recipes):
            return named
    raise CoviewError(f"{path}: two of the recipes have the same modality and the same name: give them different names")
