"""The encoder of a run in a form that other libraries load."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

from coview.data.building import build_modalities
from coview.errors import CoviewError
from coview.experiment.run import Run, load_run
from coview.model.contracts import ExportsToHub


def export(run: Run | Path | str, *, to: Literal["hf"] | str = "hf", out: Path | str | None = None) -> tuple[Path, str]:
    """Writes the encoder of the latest checkpoint as a folder, and how its inputs are prepared where that can be said.

    Args:
        run: The run, or its folder.
        to: ``hf``: what transformers' ``AutoModel.from_pretrained``, or timm, loads.
        out: The folder; ``export/hf`` in the run's by default. It must not hold anything else.

    Returns:
        The folder, and the Python lines that load it.

    Raises:
        CoviewError: If the encoder cannot be exported, or the folder is in use.
    """
    if to != "hf":
        raise CoviewError(f'there is no export to "{to}"; there is: hf')
    found = run if isinstance(run, Run) else load_run(run)
    name = found.recipe.modalities[0]
    encoder, modality = found.encoder, build_modalities(found.recipe, found.registry)[name]
    if not isinstance(encoder, ExportsToHub):
        use = found.recipe.encoder[name].use
        raise CoviewError(f'the encoder "{use}" cannot be exported: it has no export_hf')
    folder = Path(out) if out is not None else found.path / "export" / "hf"
    if out is not None and folder.exists() and any(folder.iterdir()):
        raise CoviewError(f"{folder} is not empty", hint="choose another folder with --out")
    beside = folder.with_name(f".{folder.name}.tmp")
    try:
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        codes = [part.export_hf(beside) for part in (modality, encoder) if isinstance(part, ExportsToHub)]
        if folder.exists():
            shutil.rmtree(folder)
        beside.rename(folder)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise CoviewError(f"{folder} cannot be written: {error.strerror or error}") from error
    return folder, "\n".join(codes).replace(str(beside), str(folder))
