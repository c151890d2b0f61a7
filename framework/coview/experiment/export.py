"""The encoder of a run in a form that other libraries load."""

from __future__ import annotations

import itertools
import typing
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from coview.data.atomic import replacing_folder
from coview.data.building import build_modalities
from coview.data.file_lock import LockHeldError, file_lock
from coview.data.modality import Collates
from coview.data.values import readable_values
from coview.errors import CoviewError
from coview.experiment.controls import kind_of_encoder
from coview.experiment.exported_weights import note_weights
from coview.experiment.pointed import changed_recipe, pointed_to
from coview.experiment.run import Run
from coview.experiment.splits import Splits
from coview.model.encoder import ExportsToHub, ExportsToSentenceTransformers, SeesExample
from coview.model.encoder_hooks import collator
from coview.plugins.home import expanded
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe

_FORMS: Mapping[str, tuple[type, str]] = {
    "hf": (ExportsToHub, "export_hf"),
    "sentence-transformers": (ExportsToSentenceTransformers, "export_sentence_transformers"),
}
"""What an encoder has to be for each, and the method that writes it."""


def export(run: Run, *, to: str, out: Path | str | None = None, sets: Iterable[str] = ()) -> tuple[Path, str]:
    """As :func:`coview.export`."""
    run = pointed_to(run, changed_recipe(run, (), what="an export", sets=sets))
    if to not in _FORMS:
        raise CoviewError(f'there is no export to "{to}"; there is: {", ".join(_FORMS)}')
    contract, method = _FORMS[to]
    name = run.recipe.modalities[0]
    encoder, modality = run.encoder, build_modalities(run.recipe, run.registry)[name]
    if (layers := run.recipe.projector[name].settings.evaluated_layers) is not None:
        where = run.recipe.where("projector", *run.recipe.below(name), "evaluated_layers")
        raise CoviewError(
            f"{where}: an exported folder holds an encoder, and here its vectors are those of layer {layers} of the "
            "projector",
            hint="coview embed writes them; coview.load_run(…).encoder makes them",
        )
    if not isinstance(encoder, contract):
        use = run.recipe.encoder[name].use
        able = ", ".join(_encoders_with(contract, run.registry)) or "no encoder that is installed"
        raise CoviewError(
            f'the encoder "{use}" cannot be exported to {to}: it has no {method}', hint=f"encoders that can be: {able}"
        )
    folder = expanded(out) if out is not None else run.path / "export" / _name(to, run.step)
    _check_free(folder, is_own=out is None)
    if isinstance(encoder, SeesExample):
        _show_example(run, name, modality, encoder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(folder.with_name(f".{folder.name}.lock"), wait=False):
            _check_free(folder, is_own=out is None)
            with replacing_folder(folder) as beside:
                codes = [getattr(part, method)(beside) for part in (modality, encoder) if isinstance(part, contract)]
                kind, shared_by = kind_of_encoder(run.recipe, run.registry), run.recipe.sharing_encoder(name)
                note_weights(beside, encoder, modality=name, kind=kind, shared_by=shared_by)
    except LockHeldError:
        raise CoviewError(f"another process is exporting to {folder}", hint="wait for it to end") from None
    except OSError as error:
        raise CoviewError(f"{folder} cannot be written: {error.strerror or error}") from error
    return folder, "\n".join(codes).replace(str(beside), str(folder))


def forms_of(recipe: Recipe, registry: Registry) -> list[str]:
    """The forms that the encoder which would be exported can be written in, as far as its class is known."""
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


def _show_example(run: Run, name: str, modality: Collates, encoder: SeesExample) -> None:
    """Shows the encoder a sample of the split that the run is evaluated on; says so where there is none to show."""
    splits = Splits(run.recipe, run.registry)
    split = "test" if splits.has(splits.own, "test") else "train"
    try:
        values = list(itertools.islice(readable_values(splits(splits.own, split), name), 1))
    except CoviewError as error:
        warnings.warn(f"the run's data is not here, and the folder says no size of its samples: {error}", stacklevel=3)
        return
    if values:
        encoder.see_example(collator(modality, run.encoder).collate(values))


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
