"""Representations from a trained encoder, for use elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from torch import Tensor

from coview.data.building import build_dataset, build_modalities
from coview.data.dataset import Dataset
from coview.data.dataset_checks import check_rows
from coview.data.loader import worker_count
from coview.data.several_values import check_ids_of
from coview.errors import CoviewError
from coview.evaluate.embedding import Embedded, embed_split
from coview.experiment.embedding_file import SUFFIXES, KnownSamples, write_embedding
from coview.experiment.measured_tower import MeasuredTower, tower_of
from coview.experiment.run import Run
from coview.experiment.splits import Splits
from coview.recipe.load import load_recipe
from coview.recipe.recipe import ComponentTable, Recipe
from coview.train.device import choose_device


@dataclass(frozen=True)
class Written:
    """What :func:`embed_to_file` wrote.

    Attributes:
        files: The representations', and that of the table beside it.
        rows, width: N and D.
        kept: Whether they are those that the run has kept, so that the encoder did not run.
    """

    files: tuple[Path, ...]
    rows: int
    width: int
    kept: bool


def embed(
    run: Run,
    dataset: Dataset | str | None = None,
    *,
    split: str = "test",
    modality: str | None = None,
    projector: bool = False,
) -> Tensor:
    """As :func:`coview.embed`."""
    tower = tower_of(run.recipe, modality, projector=projector)
    if dataset is None:
        return _of_recipe(run, run.recipe, split, tower)[0].features.x_ND
    if isinstance(dataset, str):
        name, dataset = dataset, build_dataset(ComponentTable(dataset), split, run.registry, run.recipe.modality)
        check_rows(dataset, f'"{name}", the {split} split')
    return _embedded(run, run.recipe, dataset, split, tower).features.x_ND


def embed_to_file(
    run: Run,
    split: str,
    out: Path,
    *,
    sets: Iterable[str] = (),
    modality: str | None = None,
    projector: bool = False,
) -> Written:
    """Writes representations with ids, labels, names of classes and groups: see :func:`write_embedding`.

    Args:
        run: Whose.
        split: Of its data, or of other data.
        out: The file.
        sets: Other data, or other settings for them, as texts ``KEY=VALUE``.
        modality: Whose encoder makes them; absent: the first's.
        projector: Whether they are projections.

    Raises:
        CoviewError: If the file's ending is another, an override is of what is not to be changed, the run has no such
            modality, or the file cannot be written.
    """
    if out.suffix not in SUFFIXES:
        raise CoviewError(f"{out}: the file has to end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    recipe = recipe_with(run, sets, what="embedding")
    tower = tower_of(run.recipe, modality, projector=projector)
    embedded, dataset, kept = _of_recipe(run, recipe, split, tower)
    x_ND = embedded.features.x_ND
    about = {
        "run": run.recipe.name,
        "recipe_hash": run.recipe.hash,
        "step": str(run.checkpoint.step if run.recipe.trains else 0),
        "data": recipe.data.use,
        "data_version": dataset.version,
        "split": split,
        "modality": tower.modality,
        "features": "projections" if tower.projector else "representations",
        "computed_in": "fp32",
    }
    files = write_embedding(out, x_ND, KnownSamples.of(embedded, dataset), about)
    return Written(tuple(files), x_ND.shape[0], x_ND.shape[1], kept)


def recipe_with(run: Run, sets: Iterable[str], *, what: str) -> Recipe:
    """The run's recipe with other data, or other settings for them.

    Raises:
        CoviewError: If an override is of anything else.
    """
    given = tuple(sets)
    for text in given:
        if not text.startswith(("data.", "modality.", "train.device=")):
            raise CoviewError(f"--set {text}: {what} can change data, modality and train.device only")
    return load_recipe(run.folder.recipe, run.registry, sets=given) if given else run.recipe


def _of_recipe(run: Run, recipe: Recipe, split: str, tower: MeasuredTower) -> tuple[Embedded, Dataset, bool]:
    """A split of a recipe's data, embedded, and whether it was before: the run's own recipe has kept it then."""
    splits = Splits(recipe, run.registry)
    dataset = splits.having(splits.own, split, tower.modality)
    if recipe.hash == run.recipe.hash:
        store = run.store(splits, console=Console(quiet=True)).on(splits.own, tower)
        kept = store.kept_already(store.measured, split)
        if kept is not None:
            return kept, dataset, True
    return _embedded(run, recipe, dataset, split, tower), dataset, False


def _embedded(run: Run, recipe: Recipe, dataset: Dataset, split: str, tower: MeasuredTower) -> Embedded:
    device = choose_device(recipe)
    name = tower.modality
    modality = build_modalities(recipe, run.registry)[name]
    encoder = run.tower(name, projector=tower.projector).to(device)
    workers = worker_count(recipe.settings.workers)
    embedded = embed_split(encoder, dataset, split, name, modality, device=device, workers=workers)
    check_ids_of(dataset, embedded.rows, embedded.features.ids_N.numpy(), f"the {split} split")
    return embedded
