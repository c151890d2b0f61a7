"""The encoder of a run in a form that other libraries load."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from coview.data.atomic import replacing_folder
from coview.data.building import build_modalities
from coview.errors import CoviewError
from coview.experiment.run import Run, load_run
from coview.model.contracts import ExportsToHub, ExportsToSentenceTransformers
from coview.plugins.registry import Registry

Form = Literal["hf", "sentence-transformers"]

_FORMS: Mapping[str, tuple[type, str]] = {
    "hf": (ExportsToHub, "export_hf"),
    "sentence-transformers": (ExportsToSentenceTransformers, "export_sentence_transformers"),
}
"""What an encoder has to be for each, and the method that writes it."""


def export(run: Run | Path | str, *, to: Form | str = "hf", out: Path | str | None = None) -> tuple[Path, str]:
    """Writes the encoder of the latest checkpoint as a folder, and how its inputs are prepared where that can be said.

    Args:
        run: The run, or its folder.
        to: ``hf``: what transformers' ``AutoModel.from_pretrained``, or timm, loads. ``sentence-transformers``: what
            ``SentenceTransformer`` loads, for encoders of texts; its ``encode`` gives the run's representations.
        out: The folder; ``export/hf`` or ``export/sentence-transformers`` in the run's by default. It must not hold
            anything else.

    Returns:
        The folder, and the Python lines that load it.

    Raises:
        CoviewError: If the encoder cannot be exported, or the folder is in use.
    """
    if to not in _FORMS:
        raise CoviewError(f'there is no export to "{to}"; there is: {", ".join(_FORMS)}')
    contract, method = _FORMS[to]
    found = run if isinstance(run, Run) else load_run(run)
    name = found.recipe.modalities[0]
    encoder, modality = found.encoder, build_modalities(found.recipe, found.registry)[name]
    if not isinstance(encoder, contract):
        use = found.recipe.encoder[name].use
        able = ", ".join(_encoders_with(method, found.registry)) or "no encoder that is installed"
        raise CoviewError(
            f'the encoder "{use}" cannot be exported to {to}: it has no {method}', hint=f"what can be: {able}"
        )
    folder = Path(out) if out is not None else found.path / "export" / to
    if out is not None and folder.exists() and any(folder.iterdir()):
        raise CoviewError(f"{folder} is not empty", hint="choose another folder with --out")
    try:
        with replacing_folder(folder) as beside:
            codes = [getattr(part, method)(beside) for part in (modality, encoder) if isinstance(part, contract)]
    except OSError as error:
        raise CoviewError(f"{folder} cannot be written: {error.strerror or error}") from error
    return folder, "\n".join(codes).replace(str(beside), str(folder))


def _encoders_with(method: str, registry: Registry) -> list[str]:
    """The installed encoders whose class has a method, as ``use`` has them; a family with NAME for the name."""
    names = []
    for component in registry.of_kind("encoder"):
        try:
            made = _made_by(component.load())
        except CoviewError:  # what it needs is not installed
            continue
        if hasattr(made, method):
            names.append(component.name + ":NAME" * component.is_family)
    return sorted(set(names))


def _made_by(factory: Callable[..., Any]) -> Any:
    """The class of what a factory makes, as far as it says so; a family's returns a factory."""
    made = factory if isinstance(factory, type) else typing.get_type_hints(factory).get("return")
    inner = typing.get_args(made)
    return inner[-1] if inner else made
