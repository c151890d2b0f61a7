"""The weights that ``[start]`` names: found, read, and kept in the folder of the run that starts from them.

With them in its folder a run can be resumed and evaluated again, its control included, whatever became of where they
came from; and what they were is on record, as it is of the data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from coview.data.atomic import replacing
from coview.errors import CoviewError
from coview.experiment.exported_weights import read_exported
from coview.experiment.folders import existing_folder
from coview.model.lora import is_of_lora, weights_without_lora
from coview.model.start import MASK_TOKEN, StartWeights
from coview.plugins.registry import Registry
from coview.recipe.load import load_recipe
from coview.recipe.recipe import Recipe
from coview.recipe.tables import StartTable
from coview.track.run_folder import RunFolder
from coview.train.checkpoint import checkpoint_at, tensors_of, whole_checkpoints

StartRecord = dict[str, dict[str, str]]
"""By modality what the weights are of (``of``), and a digest of their content (``version``)."""

_OF_THE_STUDENT = ("predictor", "decoder")
_STUDENT, _TEACHER = "student.towers", "teacher.towers.towers"


def start_weights(recipe: Recipe, registry: Registry, folder: RunFolder | None = None) -> dict[str, StartWeights]:
    """The weights that a recipe's towers start from, by modality; nothing where there is no ``[start]``.

    Args:
        recipe: The recipe.
        registry: What the recipe of a run sees that is named there.
        folder: Of a run of this recipe: what it has kept counts, and not where it came from.

    Raises:
        CoviewError: If they are not there, cannot be read, or lack a part.
    """
    if not recipe.start:
        return {}
    kept = {} if folder is None else _kept(folder)
    return {name: kept.get(name) or _read(recipe, registry, name, table) for name, table in recipe.start.items()}


def keep_start(folder: RunFolder, start: Mapping[str, StartWeights]) -> None:
    """Writes what a run starts from into its folder, unless it is there.

    Raises:
        CoviewError: If it cannot be written.
    """
    if not start or folder.start.exists():
        return
    tensors = {
        f"{modality}/{part}/{name}": tensor.contiguous().clone()
        for modality, weights in start.items()
        for part, of_part in weights.parts.items()
        for name, tensor in of_part.items()
    }
    record: StartRecord = {name: {"of": weights.of, "version": weights.version} for name, weights in start.items()}
    try:
        with replacing(folder.start) as beside:
            save_file(tensors, beside, {"start": json.dumps(record)})
    except OSError as error:
        raise CoviewError(f"{folder.start} cannot be written: {error.strerror or error}") from error


def start_record(folder: RunFolder) -> StartRecord:
    """What a run started from, as it has kept it; nothing where it did not start from weights."""
    try:
        with safe_open(folder.start, framework="pt") as opened:
            record: StartRecord = json.loads((opened.metadata() or {})["start"])
            return record
    except (OSError, SafetensorError, KeyError, ValueError):
        return {}


def changed_start(folder: RunFolder, recipe: Recipe, registry: Registry) -> str:
    """How the weights that a recipe names differ from those that a run of it started from, in words; empty if they do
    not, or are not there any more: the run has its own."""
    before = start_record(folder)
    for name, table in recipe.start.items():
        try:
            now = _read(recipe, registry, name, table)
        except CoviewError:
            continue
        if name in before and before[name]["version"] != now.version:
            return (
                f"{now.where} has different weights than {folder.path} started from: they were {before[name]['of']} "
                f"({before[name]['version']}), and are {now.of} ({now.version})"
            )
    return ""


def check_start(folder: RunFolder, recipe: Recipe, registry: Registry) -> None:
    """Refuses to go on with a run that started from other weights than its recipe now names: it would be of neither.

    Raises:
        CoviewError: If they have changed.
    """
    if change := changed_start(folder, recipe, registry):
        raise CoviewError(change, hint="put the weights back as they were, or start a new run, without --resume")


def _kept(folder: RunFolder) -> dict[str, StartWeights]:
    record = start_record(folder)
    parts: dict[str, dict[str, dict[str, Tensor]]] = {modality: {} for modality in record}
    if record:
        with safe_open(folder.start, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118 - it is no mapping
                modality, part, key = name.split("/", 2)
                parts[modality].setdefault(part, {})[key] = opened.get_tensor(name)
    return {name: StartWeights(str(folder.start), record[name]["of"], of_name) for name, of_name in parts.items()}


def _read(recipe: Recipe, registry: Registry, modality: str, table: StartTable) -> StartWeights:
    """The weights of one modality, from where the table says."""
    at = ("start", *recipe.below(modality))
    if table.export is not None:
        where = recipe.where(*at, "export")
        with _at(where):
            further = [part for part in table.parts if part != "encoder"]
            if further:
                raise CoviewError(f"{table.export} has no {further[0]}: an exported folder holds the encoder only")
            weights = read_exported(Path(table.export), modality)
        return StartWeights(where, f"the folder {table.export}", {"encoder": weights})
    if table.checkpoint is not None:
        where = recipe.where(*at, "checkpoint")
        with _at(where):
            path, tensors = checkpoint_at(Path(table.checkpoint))
            if any(is_of_lora(name) for name in tensors):
                raise CoviewError(
                    f"{path} was trained with LoRA, and does not say how strongly",
                    hint="name its run, by start.run, or a folder that coview export has written",
                )
            found = _parts(tensors, _STUDENT, modality, table, str(path))
        return replace(found, where=where)
    assert table.run is not None, "one of them is given"
    where = recipe.where(*at, "run")
    with _at(where):
        folder = existing_folder(table.run)
        damaged: list[str] = []
        whole = list(whole_checkpoints(folder.checkpoints, damaged))
        if not whole:
            raise CoviewError("; ".join([f"{folder.path} has no complete checkpoint", *damaged]))
        checkpoint = whole[0] if table.step is None else next((c for c in whole if c.step == table.step), None)
        trained = load_recipe(folder.recipe, registry)
        evaluated = trained.teacher
    if checkpoint is None:
        steps = ", ".join(f"{c.step:,}" for c in whole)
        raise CoviewError(
            f"{recipe.where(*at, 'step')}: {folder.path} has no complete checkpoint of step {table.step:,}: it has "
            f"{steps}"
        )
    of_teacher = evaluated is not None and evaluated.evaluate and evaluated.averages
    with _at(where):
        of = f"step {checkpoint.step:,} of {folder.path}" + (", the teacher" if of_teacher else "")
        tensors = tensors_of(checkpoint.path)
        found = _parts(tensors, _TEACHER if of_teacher else _STUDENT, modality, table, of)
    parts = dict(found.parts)
    if "encoder" in parts:
        owner = trained.owner_of_encoder(modality)
        parts["encoder"] = weights_without_lora(parts["encoder"], trained.encoder[owner].settings.lora)
    return replace(found, where=where, parts=parts)


def _parts(tensors: Mapping[str, Tensor], towers: str, modality: str, table: StartTable, of: str) -> StartWeights:
    parts: dict[str, dict[str, Tensor]] = {}
    for part in table.parts:
        # a teacher has no predictor, and a decoder only where its target asks for one
        tower = f"{_STUDENT if part in _OF_THE_STUDENT else towers}.{modality}"
        start = f"{tower}.{part}."
        parts[part] = {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
        if part == MASK_TOKEN and f"{tower}.{part}" in tensors:
            parts[part] = {MASK_TOKEN: tensors[f"{tower}.{part}"]}
        known = sorted({name.split(".")[towers.count(".") + 1] for name in tensors if name.startswith(f"{towers}.")})
        if not parts[part]:
            has = f"it is of {' and '.join(known)}" if modality not in known else f"its {part}s have no weights"
            if modality in known and part in (*_OF_THE_STUDENT, MASK_TOKEN):
                has = "it was trained without one"
            raise CoviewError(f"{of} has no {part} for {modality}: {has}")
    return StartWeights("", of, parts)


@contextmanager
def _at(where: str) -> Iterator[None]:
    """Says where in the recipe it is that something could not be read."""
    try:
        yield
    except CoviewError as error:
        raise CoviewError(f"{where}: {error.message}", hint=error.hint) from error
