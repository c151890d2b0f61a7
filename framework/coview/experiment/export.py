"""The encoder of a run in a form that other libraries load."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from coview.data.atomic import replacing_folder
from coview.data.building import build_modalities
from coview.data.file_lock import LockHeldError, file_lock
from coview.errors import CoviewError
from coview.experiment.controls import kind_of_encoder
from coview.experiment.example_values import show_example
from coview.experiment.export_whole import write_towers
from coview.experiment.exported_weights import note_weights
from coview.experiment.measured_tower import tower_of
from coview.experiment.pointed import changed_recipe, pointed_to
from coview.experiment.run import Run
from coview.model.encoder import ExportsToHub, ExportsToSentenceTransformers
from coview.model.lora import without_lora
from coview.plugins.home import expanded
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe

_FORMS: Mapping[str, tuple[type, str]] = {
    "hf": (ExportsToHub, "export_hf"),
    "sentence-transformers": (ExportsToSentenceTransformers, "export_sentence_transformers"),
}
"""What an encoder has to be for each, and the method that writes it."""


def export(
    run: Run,
    *,
    to: str,
    out: Path | str | None = None,
    sets: Iterable[str] = (),
    modality: str | None = None,
) -> tuple[Path, str]:
    """As :func:`coview.export`."""
    run = pointed_to(run, changed_recipe(run, (), what="an export", sets=sets))
    if to not in _FORMS:
        raise CoviewError(f'there is no export to "{to}"; there is: {", ".join(_FORMS)}')
    is_own = out is None
    if modality is None and has_several_encoders(run.recipe):
        if to != "hf":
            able = _able(run, _FORMS[to][0]) or run.recipe.modalities
            raise CoviewError(
                f"{run.path} has encoders of {' and '.join(run.recipe.modalities)}, and {to} loads one",
                hint=f"say which: --modality {' or --modality '.join(able)}",
            )
        return _written(_folder_of(run, to, out), lambda beside: write_towers(run, beside), is_own=is_own)
    name = tower_of(run.recipe, modality).modality
    beside_others = "" if modality is None or len(run.recipe.modalities) == 1 else f"-{name}"
    folder = _folder_of(run, f"{to}{beside_others}", out)
    return _written(folder, _writer(run, name, *_FORMS[to], to=to), is_own=is_own)


def has_several_encoders(recipe: Recipe) -> bool:
    """Whether an export has to say which encoder is meant, or is of all."""
    return len({recipe.owner_of_encoder(name) for name in recipe.modalities}) > 1


def _able(run: Run, contract: type) -> list[str]:
    """The modalities whose encoders can be written so."""
    return [name for name in run.recipe.modalities if isinstance(run.tower(name), contract)]


def _writer(run: Run, name: str, contract: type, method: str, *, to: str) -> Callable[[Path], str]:
    """What writes one modality's encoder into a folder, and returns the lines that load it."""
    encoder, modality = without_lora(run.tower(name)), build_modalities(run.recipe, run.registry)[name]
    if (layers := run.recipe.projector[name].settings.evaluated_layers) is not None:
        where = run.recipe.where("projector", *run.recipe.below(name), "evaluated_layers")
        raise CoviewError(
            f"{where}: an exported folder holds an encoder, and here its vectors are those of layer {layers} of the "
            "projector",
            hint="coview embed writes them; coview.load_run(…).encoder makes them",
        )
    if not isinstance(encoder, contract):
        use = run.recipe.encoder[run.recipe.owner_of_encoder(name)].use
        able = ", ".join(_encoders_with(contract, run.registry)) or "no encoder that is installed"
        raise CoviewError(
            f'the encoder "{use}" cannot be exported to {to}: it has no {method}', hint=f"encoders that can be: {able}"
        )

    def write(beside: Path) -> str:
        show_example(run, name, encoder)
        codes = [getattr(part, method)(beside) for part in (modality, encoder) if isinstance(part, contract)]
        kind, shared_by = kind_of_encoder(run.recipe, run.registry, name), run.recipe.sharing_encoder(name)
        note_weights(beside, encoder, modality=name, kind=kind, shared_by=shared_by)
        return "\n".join(filter(None, codes))

    return write


def _folder_of(run: Run, name: str, out: Path | str | None) -> Path:
    return expanded(out) if out is not None else run.path / "export" / _name(name, run.step)


def _written(folder: Path, write: Callable[[Path], str], *, is_own: bool) -> tuple[Path, str]:
    """Writes the folder, whole or not at all, and returns it with the lines that load it."""
    _check_free(folder, is_own=is_own)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(folder.with_name(f".{folder.name}.lock"), wait=False):
            _check_free(folder, is_own=is_own)
            with replacing_folder(folder) as beside:
                code = write(beside)
    except LockHeldError:
        raise CoviewError(f"another process is exporting to {folder}", hint="wait for it to end") from None
    except OSError as error:
        raise CoviewError(f"{folder} cannot be written: {error.strerror or error}") from error
    return folder, code.replace(str(beside), str(folder))


def forms_of(recipe: Recipe, registry: Registry) -> list[str]:
    """The forms that the first encoder can be written in, as far as its class is known."""
    name = recipe.modalities[0]
    if recipe.projector[name].settings.evaluated_layers is not None:
        return []
    component = registry.resolve("encoder", recipe.encoder[name].use, modality=name).component
    made = _made_by(component.load())
    return [form for form, (contract, _) in _FORMS.items() if isinstance(made, type) and issubclass(made, contract)]


def _name(to: str, step: int | None) -> str:
    return to if step is None else f"{to}-step-{step}"


def _check_free(folder: Path, *, is_own: bool) -> None:
    """Refuses a folder that has something of somebody else's in it; what the run exported before is replaced."""
    if not is_own and folder.exists() and any(folder.iterdir()):
        raise CoviewError(f"{folder} is not empty", hint="choose another folder with --out")


def _encoders_with(contract: type, registry: Registry) -> list[str]:
    """The installed encoders whose class can be exported so, as ``use`` has them; a family with NAME for the name."""
    names = []
    for component in registry.of_kind("encoder"):
        try:
            made = _made_by(component.load())
        except CoviewError:  # what it needs is not installed
            continue
        if isinstance(made, type) and issubclass(made, contract):
            names.append(component.name + ":NAME" * component.is_family)
    return sorted(set(names))


def _made_by(factory: Callable[..., Any]) -> Any:
    """The class of what a factory makes, as far as it says so; a family's returns a factory."""
    made = factory if isinstance(factory, type) else typing.get_type_hints(factory).get("return")
    inner = typing.get_args(made)
    return inner[-1] if inner else made
