"""What the training loop tells about itself, and where it goes: metrics.jsonl, TensorBoard, views.json."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from coview.data.atomic import write_atomically
from coview.track.metrics_file import MetricsFile
from coview.track.tensorboard import TensorBoard

if TYPE_CHECKING:
    from coview.data.modality import Modality
    from coview.evaluate.features import FeatureSplit
    from coview.track.run_folder import RunFolder


class Tracker:
    """Records a run in its folder. One process of a run has one.

    Args:
        folder: The run's folder; it exists.
        resume_step: The step of the checkpoint that the run goes on from: what was recorded of later steps is
            dropped, and the time goes on from where it was. ``None`` for a new run.
    """

    def __init__(self, folder: RunFolder, *, resume_step: int | None = None) -> None:
        self._folder = folder
        self._metrics = MetricsFile(folder.metrics, resume_step=resume_step)
        self._board = TensorBoard(folder.tensorboard, resume_step=resume_step)
        self._started = time.monotonic() - float(self._metrics.last.get("time") or 0.0)
        self._step = resume_step or 0

    def scalars(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """Records numbers of one step, with the seconds that the run has taken so far."""
        self._step = step
        seconds = round(time.monotonic() - self._started, 3)
        self._metrics.write({"step": step, "epoch": epoch, "time": seconds, **values})
        self._board.scalars(step, {"epoch": epoch, **values})

    def views(self, modality: Modality, rows: Sequence[Sequence[Any]], captions: Sequence[str], step: int) -> None:
        """Shows what the model sees: a row for each sample, in it a value for each view.

        Args:
            modality: How to show a value.
            rows: The views of each sample.
            captions: What to call each sample.
            step: When they were made.
        """
        self._board.views(modality, "views", rows, step)
        shown = [
            {"caption": caption, "views": [modality.to_html(value) for value in row]}
            for caption, row in zip(captions, rows, strict=True)
        ]
        write_atomically(self._folder.views, json.dumps(shown, ensure_ascii=False, indent=1) + "\n")

    def embedding(
        self, tag: str, split: FeatureSplit, classes: Sequence[str] | None, step: int, limit: int = 2000
    ) -> None:
        """Adds representations to TensorBoard's embedding projector, at most ``limit`` of them."""
        self._board.embedding(tag, split, classes, step, limit=limit)

    def hparams(self, parameters: Mapping[str, bool | int | float | str], metrics: Mapping[str, float]) -> None:
        """Fills TensorBoard's HPARAMS tab: what the run was given, and what it has reached."""
        self._board.hparams(parameters, metrics, self._step)

    def close(self) -> None:
        """Writes what is left and closes the files."""
        self._metrics.close()
        self._board.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
