"""Runs: made, loaded, measured again, embedded with, exported, searched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from coview.plugins.discovery import load_plugins
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor

    from coview.data.dataset import Dataset
    from coview.experiment.run import Run
    from coview.experiment.search import Found


def load_run(path: Path | str, *, step: int | Literal["best"] | None = None, registry: Registry | None = None) -> Run:
    """A run that is on disk.

    Args:
        path: Its folder, or a folder of runs, of which the latest is taken.
        step: Of the checkpoint to look at, such as 200, or ``"best"``: the best by ``train.keep_best``. What is then
            measured has a file of its own. Absent: the latest.
        registry: Where its components come from; all installed plugins by default.

    Raises:
        CoviewError: If there is no run, its recipe is not valid any more, or the checkpoint of the step is not kept.
    """
    from coview.experiment import run as runs  # torch costs start-up time

    return runs.load_run(path, registry or load_plugins(), step=step)


def run(
    recipe: Recipe,
    out: Path | str = "runs",
    *,
    resume: bool = False,
    registry: Registry | None = None,
    quiet: bool = False,
) -> Run:
    """Pretrains, evaluates beside the controls, and reports.

    Args:
        recipe: From :func:`coview.load_recipe`.
        out: Where runs go: ``out/NAME/STAMP-HASH``.
        resume: Whether to go on with the latest run of this recipe, where there is one.
        registry: Where components come from; all installed plugins by default.
        quiet: Whether to show no progress.

    Raises:
        CoviewError: If the user has something to correct. A run that has taken no step leaves no folder.
        Interrupted: If it was asked to stop; a checkpoint is written.
    """
    from coview.experiment import run as runs  # torch costs start-up time

    return runs.run(recipe, out, registry=registry or load_plugins(), resume=resume, quiet=quiet)


def evaluate_run(
    run: Run | Path | str,
    *,
    overrides: Mapping[str, Any] | None = None,
    sets: Iterable[str] = (),
    registry: Registry | None = None,
    quiet: bool = False,
) -> Run:
    """Evaluates a finished run again, under the protocol of its recipe or another.

    Args:
        run: The run, or its folder. Of one that :func:`load_run` gave a step, the checkpoint of that step is measured,
            and written to ``results-step-N.json``: the run's own results and report stay.
        overrides: Over the recipe's ``evaluate`` tables, its ``train.device``, and the paths in ``data``, which say
            where the data are now.
        sets: The same as texts ``KEY=VALUE``.
        registry: Where the components of a folder's run come from; all installed plugins by default. A run has its own.
        quiet: Whether to show no progress.

    Raises:
        CoviewError: If an override is of anything but these, or the run has no checkpoint.
    """
    from coview.experiment import evaluate  # torch costs start-up time

    return evaluate.evaluate_run(_run(run, registry), overrides=overrides, sets=sets, quiet=quiet)


def evaluate_encoder(
    encoder: str,
    data: str,
    *,
    overrides: Mapping[str, Any] | None = None,
    sets: Iterable[str] = (),
    out: Path | str = "runs",
    registry: Registry | None = None,
    quiet: bool = False,
) -> Run:
    """Measures an encoder as it is loaded, beside its controls, and writes what a run of no steps writes.

    Its trained weights are taken (``pretrained = true``) where it has that parameter; the untrained control is then
    the same architecture at random weights. The evaluators are ``knn`` and ``linear_probe`` unless the overrides name
    others.

    Args:
        encoder: As ``use`` in ``[encoder]`` has it, such as ``timm:resnet18``.
        data: As ``use`` in ``[data]`` has it, such as ``digits``.
        overrides: Further values of the recipe: ``{"encoder.pooling": "cls", "modality.size": 224}``, or nested
            mappings.
        sets: The same as texts ``KEY=VALUE``.
        out: Where runs go: ``out/NAME/STAMP-HASH``.
        registry: Where components come from; all installed plugins by default.
        quiet: Whether to show no progress.

    Raises:
        RecipeError: If there is no such encoder or data, or they do not fit each other, or an override is wrong.
        CoviewError: If the weights or the data cannot be loaded, or no evaluator can measure on the data.
    """
    from coview.experiment import evaluate  # torch costs start-up time

    return evaluate.evaluate_encoder(
        encoder, data, registry or load_plugins(), overrides=overrides, sets=sets, out=out, quiet=quiet
    )


def embed(
    run: Run | Path | str,
    dataset: Dataset | str | None = None,
    *,
    split: str = "test",
    modality: str | None = None,
    projector: bool = False,
    registry: Registry | None = None,
) -> Tensor:
    """The representations of some data by a run's encoder, in evaluation mode and fp32.

    Args:
        run: The run, or its folder.
        dataset: A data set, or the name of one that needs no parameters; the run's own by default.
        split: Which split of it.
        modality: Of a run of several modalities the one whose encoder makes them, such as ``text``; absent: the first.
        projector: Whether projections are wanted, and not what the encoder makes before the projector.
        registry: Where the components of a folder's run come from; all installed plugins by default. A run has its own.

    Returns:
        ``(N, D)``, on the CPU, in the order of the data.

    Raises:
        CoviewError: If the run has no checkpoint or no such modality, or the data is not there.
    """
    from coview.experiment import embed as embedding  # torch costs start-up time

    return embedding.embed(_run(run, registry), dataset, split=split, modality=modality, projector=projector)


def export(
    run: Run | Path | str,
    *,
    to: str = "hf",
    out: Path | str | None = None,
    sets: Iterable[str] = (),
    modality: str | None = None,
    registry: Registry | None = None,
) -> tuple[Path, str]:
    """Writes the encoder as a folder, and how its inputs are prepared where that can be said.

    Of a run of pictures and texts ``hf`` without ``modality`` writes both towers with their projectors, as
    ``VisionTextDualEncoderModel`` of transformers, where the towers allow it.

    Args:
        run: The run, or its folder: of the latest checkpoint, or of the step that :func:`load_run` was given.
        to: ``hf``: what transformers' ``AutoModel.from_pretrained``, or timm, loads. ``sentence-transformers``: what
            ``SentenceTransformer`` loads, of texts and of pictures; its ``encode`` gives the run's representations.
        out: The folder; ``export/hf`` or ``export/sentence-transformers`` in the run's by default. It must not hold
            anything else.
        sets: Where the run's data are, if they have been moved: ``data.root=/new/place``. A sample of them is looked
            at, and nothing else; without them the folder says no size of its samples.
        modality: Of a run of several modalities the one whose encoder is written, before its projector.
        registry: Where the components of a folder's run come from; all installed plugins by default. A run has its own.

    Returns:
        The folder, and the Python lines that load it.

    Raises:
        CoviewError: If the encoder cannot be exported, or the folder is in use.
    """
    from coview.experiment import export as exporting  # torch costs start-up time

    return exporting.export(_run(run, registry), to=to, out=out, sets=sets, modality=modality)


def search(
    run: Run | Path | str,
    query: str | Path,
    *,
    split: str = "test",
    top: int = 12,
    modality: str | None = None,
    registry: Registry | None = None,
) -> Found:
    """The samples of a run's data that are nearest to a text, a picture or a sound.

    What is of another modality than the query is compared by projections, what is of the same by representations.

    Args:
        run: The run, or its folder.
        query: A text, or the path of a file that a tower of the run takes.
        split: Which split of the run's data is searched.
        top: How many samples are wanted, at least 1; all where there are fewer.
        modality: What is searched; absent: the first that the query is not of.
        registry: Where the components of a folder's run come from; all installed plugins by default. A run has its own.

    Returns:
        The samples with their cosines, the nearest first.

    Raises:
        CoviewError: If the query is empty or of no tower of the run, the run has no checkpoint, no such modality or no
            such split, or the data is not there.
    """
    from coview.experiment import search as searching  # torch costs start-up time

    return searching.search(_run(run, registry), query, split=split, top=top, modality=modality)


def _run(run: Run | Path | str, registry: Registry | None) -> Run:
    return load_run(run, registry=registry) if isinstance(run, Path | str) else run
