"""The run's TensorBoard: curves, the views that the model sees, the embedding projector, the HPARAMS tab."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coview.data.picture_grid import picture_grid
from coview.errors import printable
from coview.evaluate.diagnostic_names import is_diagnostic
from coview.pages.picture import zoom_of

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from coview.data.modality import Modality
    from coview.evaluate.features import FeatureSplit
    from coview.track.shown_views import ShownViews


class TensorBoard:
    """Writes event files into one folder, and only there.

    Args:
        folder: The run's ``tensorboard/``.
        resume_step: The step of the checkpoint that the run goes on from: TensorBoard hides what earlier
            event files have for later steps.
    """

    def __init__(self, folder: Path, *, resume_step: int | None = None) -> None:
        from torch.utils.tensorboard.writer import SummaryWriter  # torch costs start-up time

        self._folder = folder
        self._hook = _FailuresAreRaised()
        self._writer = SummaryWriter(
            str(folder), purge_step=resume_step + 1 if resume_step else resume_step, flush_secs=10
        )

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Adds a point to each curve: ``train/loss``, ``diagnostics/spread``; a name with a slash stays."""
        for key, value in values.items():
            tag = f"diagnostics/{key}" if is_diagnostic(key) else key if "/" in key else f"train/{key}"
            self._writer.add_scalar(tag, value, step)
        # A kill loses what is still in the queue, and a resume does not write the steps before it again.
        self._writer.flush()

    def views(self, modality: Modality, tag: str, rows: Sequence[Sequence[Any]], step: int) -> None:
        """Shows a row of views for each sample, the way the modality shows its values."""
        modality.preview(self._writer, tag, rows, step)
        self._writer.flush()

    def masked_views(self, tag: str, shown: ShownViews, step: int) -> None:
        """Shows what is hidden of views: a picture with a row for each of them, or a text."""
        pictures = [
            [_enlarged(panel.pixels_HW3) for panel in view.panels if panel.pixels_HW3 is not None]
            for view in shown.views
        ]
        if any(pictures):
            self._writer.add_image(tag, picture_grid([row for row in pictures if row]), step, dataformats="HWC")
        if shown.views:
            said = [*shown.about, *(view.markdown for view in shown.views)]
            self._writer.add_text(tag, "\n\n".join(said), step)
        self._writer.flush()

    def embedding(
        self,
        tag: str,
        split: FeatureSplit,
        classes: Sequence[str] | None,
        step: int,
        *,
        limit: int = 2000,
        thumbnails_N3HW: Tensor | None = None,
    ) -> None:
        """Adds representations to the embedding projector, labelled with their classes.

        Args:
            tag: What to call them.
            split: The representations.
            classes: The class names, where the data has them.
            step: The step of the weights that made them.
            limit: The most points to add, evenly spaced over the split: a data set may be sorted by class.
            thumbnails_N3HW: A small picture of each sample of the split, in [0, 1], where there is one.
        """
        import torch  # torch costs start-up time

        count = min(limit, len(split))
        if count == 0:
            return
        index_n = torch.linspace(0, len(split) - 1, count, dtype=torch.float64).round().long()
        metadata = None
        if split.labels_N is not None:
            labels = split.labels_N.cpu()[index_n].tolist()
            metadata = [_one_line(classes[label]) if classes else str(label) for label in labels]
        earlier = _embeddings(self._folder)
        tensor_folder = self._folder / f"{step:05d}" / tag.replace("/", "%2f")
        if tensor_folder.exists():  # from before a resume
            shutil.rmtree(tensor_folder)
        self._writer.add_embedding(
            split.x_ND.detach().cpu()[index_n],
            metadata=metadata,
            label_img=None if thumbnails_N3HW is None else thumbnails_N3HW.detach().cpu()[index_n],
            global_step=step,
            tag=tag,
        )
        _keep_embeddings(self._folder, earlier)

    def hparams(
        self, parameters: Mapping[str, bool | int | float | str], metrics: Mapping[str, float], step: int
    ) -> None:
        """Fills the HPARAMS tab: what the run was given and what it had reached at a step.

        ``SummaryWriter.add_hparams`` would write a run of its own beside this one, with no curves in it.
        """
        from torch.utils.tensorboard.summary import hparams  # torch costs start-up time

        # The summary takes a bool for a number.
        shown = {key: str(value).lower() if isinstance(value, bool) else value for key, value in parameters.items()}
        file_writer: Any = self._writer.file_writer
        for summary in hparams(shown, dict(metrics)):
            file_writer.add_summary(summary)
        for key, value in metrics.items():
            self._writer.add_scalar(key, value, step)
        self._writer.flush()

    def close(self) -> None:
        """Writes what is left and closes the event file."""
        try:
            self._writer.close()
        finally:
            self._hook.take_away()


def _enlarged(pixels_HW3: np.ndarray) -> np.ndarray:
    zoom = zoom_of(*pixels_HW3.shape[:2])
    return pixels_HW3.repeat(zoom, axis=0).repeat(zoom, axis=1)


class _FailuresAreRaised:
    """Keeps TensorBoard's writing thread from printing a traceback when it fails.

    The next call of the writer raises the same error where it can be dealt with.
    """

    def __init__(self) -> None:
        self._before = threading.excepthook
        self._own = self._unless_of_tensorboard
        threading.excepthook = self._own

    def _unless_of_tensorboard(self, failed: threading.ExceptHookArgs) -> None:
        if not type(failed.thread).__module__.startswith("tensorboard."):
            self._before(failed)

    def take_away(self) -> None:
        if threading.excepthook is self._own:
            threading.excepthook = self._before


def _one_line(name: str) -> str:
    return printable(" ".join(name.split())) or "(empty)"  # the projector reads a tab as a column, a line as a point


def _embeddings(folder: Path) -> Any:
    """The projector's list of embeddings, as it is on disk."""
    from google.protobuf import text_format  # type: ignore[import-untyped] # costs start-up time
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig  # the same

    path = folder / "projector_config.pbtxt"
    config = ProjectorConfig()
    if path.exists():
        text_format.Parse(path.read_text(encoding="utf-8"), config)
    return config


def _keep_embeddings(folder: Path, earlier: Any) -> None:
    """Puts back the embeddings that a writer forgets: it knows only those that it has added itself."""
    from google.protobuf import text_format  # costs start-up time

    config = _embeddings(folder)
    known = {embedding.tensor_path for embedding in config.embeddings}
    forgotten = [embedding for embedding in earlier.embeddings if embedding.tensor_path not in known]
    if forgotten:
        config.embeddings.extend(forgotten)
        (folder / "projector_config.pbtxt").write_text(text_format.MessageToString(config), encoding="utf-8")
