"""Representations from a trained encoder, for use elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from safetensors.torch import save_file
from torch import Tensor

from coview.data.atomic import replacing
from coview.data.building import build_dataset, build_modalities
from coview.data.dataset import Dataset
from coview.data.dataset_checks import check_rows
from coview.data.ids import check_ids
from coview.data.loader import worker_count
from coview.errors import CoviewError
from coview.evaluate.embedding import embed_split
from coview.evaluate.features import FeatureSplit
from coview.experiment.run import Run
from coview.experiment.splits import Splits
from coview.recipe.load import load_recipe
from coview.recipe.recipe import ComponentTable, Recipe
from coview.train.device import choose_device


def embed(run: Run, dataset: Dataset | str | None = None, *, split: str = "test") -> Tensor:
    """As :func:`coview.embed`."""
    if dataset is None:
        dataset = _split(run, run.recipe, split)
    elif isinstance(dataset, str):
        name, dataset = dataset, build_dataset(ComponentTable(dataset), split, run.registry)
        check_rows(dataset, f'"{name}", the {split} split')
    return _features(run, run.recipe, dataset, split).x_ND


def embed_to_file(run: Run, split: str, out: Path, *, sets: Iterable[str] = ()) -> tuple[int, int]:
    """Writes representations to ``.npy``, or with ids and labels to ``.safetensors``.

    Returns:
        N and D.

    Raises:
        CoviewError: If the file's ending is another, an override is of what is not to be changed, or the file cannot
            be written.
    """
    if out.suffix not in (".npy", ".safetensors"):
        raise CoviewError(f"{out}: the file has to end in .npy or .safetensors")
    for text in sets:
        if not text.startswith(("data.", "modality.", "train.device=")):
            raise CoviewError(f"--set {text}: embedding can change data, modality and train.device only")
    recipe = load_recipe(run.folder.recipe, run.registry, sets=sets)
    split_features = _features(run, recipe, _split(run, recipe, split), split)
    try:
        with replacing(out) as beside:
            if out.suffix == ".npy":
                np.save(beside, split_features.x_ND.numpy())
            else:
                labels = {} if split_features.labels_N is None else {"labels_N": split_features.labels_N}
                save_file({"x_ND": split_features.x_ND, "ids_N": split_features.ids_N, **labels}, beside)
    except OSError as error:
        raise CoviewError(f"{out} cannot be written: {error.strerror or error}") from error
    rows, width = split_features.x_ND.shape
    return rows, width


def _split(run: Run, recipe: Recipe, split: str) -> Dataset:
    splits = Splits(recipe, run.registry)
    return splits(splits.own, split)


def _features(run: Run, recipe: Recipe, dataset: Dataset, split: str) -> FeatureSplit:
    device = choose_device(recipe)
    name = recipe.modalities[0]
    modality = build_modalities(recipe, run.registry)[name]
    encoder = run.encoder.to(device)
    workers = worker_count(recipe.settings.workers)
    embedded = embed_split(encoder, dataset, split, name, modality, device=device, workers=workers)
    check_ids(embedded.rows, embedded.features.ids_N.numpy(), f"the {split} split")
    return embedded.features
