"""What the training loop tells about itself, and where it goes: metrics.jsonl, TensorBoard, views.json, hidden.json."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from coview.data.atomic import write_atomically
from coview.track.metrics_file import SPLIT, MetricsFile
from coview.track.telling import Telling
from coview.track.tensorboard import TensorBoard

if TYPE_CHECKING:
    from coview.data.modality import Modality
    from coview.evaluate.features import FeatureSplit
    from coview.track.run_folder import RunFolder
    from coview.track.shown_views import ShownViews

_BOARD = "TensorBoard"


class Tracker:
    """Records a run in its folder. One process of a run has one.

    Nothing here is needed to train: what cannot be written (a folder that was removed, a full disk) is said once, and
    the run goes on without it.

    Args:
        folder: The run's folder; it exists.
        resume_step: The step of the checkpoint that the run goes on from: what was recorded of later steps is
            dropped, and the time goes on from where it was. ``None`` for a new run.
        say: Gets a sentence about what cannot be written, or was damaged.
    """

    def __init__(
        self, folder: RunFolder, *, resume_step: int | None = None, say: Callable[[str], None] = warnings.warn
    ) -> None:
        self._folder = folder
        self._telling = Telling(say)
        self._metrics = MetricsFile(folder.metrics, resume_step=resume_step, say=say)
        self._board: TensorBoard | None = None
        self._telling(_BOARD, lambda: self._open_board(resume_step))
        before = self._metrics.last.get("time")
        self._started = time.monotonic() - (before if isinstance(before, int | float) else 0.0)
        self._step = resume_step or 0

    def scalars(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """Records numbers of one step, with the seconds that the run has taken so far."""
        self._step = step
        self._write(step, epoch, values)
        self._on_board(lambda board: board.scalars(step, {"epoch": epoch, **values}))

    def curve_point(self, step: int, epoch: int, values: Mapping[str, float]) -> None:
        """Records what was measured on validation while training: a line of its own, and curves beside the numbers
        that the run reaches on test."""
        self._write(step, epoch, {SPLIT: "validation", **values})
        self._on_board(lambda board: board.scalars(step, {f"validation/{key}": it for key, it in values.items()}))

    def _write(self, step: int, epoch: int, values: Mapping[str, Any]) -> None:
        seconds = round(time.monotonic() - self._started, 3)
        line = {"step": step, "epoch": epoch, "time": seconds, **values}
        self._telling(self._folder.metrics.name, lambda: self._metrics.write(line))

    def views(self, modality: Modality, rows: Sequence[Sequence[Any]], captions: Sequence[str], step: int) -> None:
        """Shows what the model sees: a row for each sample, in it a value for each view.

        Args:
            modality: How to show a value.
            rows: The views of each sample.
            captions: What to call each sample.
            step: When they were made.
        """

        def write() -> None:
            shown = [
                {"caption": caption, "views": [modality.to_html(value) for value in row]}
                for caption, row in zip(captions, rows, strict=True)
            ]
            write_atomically(self._folder.views, json.dumps(shown, ensure_ascii=False, indent=1) + "\n")

        self._on_board(lambda board: board.views(modality, "views", rows, step))
        self._telling(self._folder.views.name, write)

    def masked_views(self, tag: str, shown: ShownViews, step: int, *, for_report: bool) -> None:
        """Shows views of which something is hidden.

        Args:
            tag: What to call them.
            shown: The views.
            step: Of the weights that have seen them.
            for_report: Whether the report has them too.
        """
        self._on_board(lambda board: board.masked_views(tag, shown, step))
        if for_report:
            self._telling(self._folder.hidden.name, lambda: shown.write(self._folder.hidden))

    def embedding(
        self, tag: str, split: FeatureSplit, classes: Sequence[str] | None, step: int, limit: int = 2000
    ) -> None:
        """Adds representations to TensorBoard's embedding projector, at most ``limit`` of them."""
        self._on_board(lambda board: board.embedding(tag, split, classes, step, limit=limit))

    def hparams(self, parameters: Mapping[str, bool | int | float | str], metrics: Mapping[str, float]) -> None:
        """Fills TensorBoard's HPARAMS tab: what the run was given, and what it has reached."""
        self._on_board(lambda board: board.hparams(parameters, metrics, self._step))

    def close(self) -> None:
        """Writes what is left and closes the files."""
        self._telling(self._folder.metrics.name, self._metrics.close)
        self._on_board(lambda board: board.close())

    def _open_board(self, resume_step: int | None) -> None:
        self._board = TensorBoard(self._folder.tensorboard, resume_step=resume_step)

    def _on_board(self, show: Callable[[TensorBoard], None]) -> None:
        board = self._board
        if board is not None and not self._telling(_BOARD, lambda: show(board)):
            self._board = None  # a writer that has failed once fails always
            with suppress(Exception):
                board.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
