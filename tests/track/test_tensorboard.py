from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from google.protobuf import text_format
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from coview.evaluate.features import FeatureSplit
from coview.track.tensorboard import TensorBoard


class GreyPictures:
    """As much of a modality as TensorBoard needs."""

    def preview(self, writer: Any, tag: str, rows: Sequence[Sequence[Any]], step: int) -> None:
        grid = np.concatenate([np.concatenate(row, axis=1) for row in rows], axis=0)
        writer.add_image(tag, grid, step, dataformats="HW")


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0})
    events.Reload()
    return events


def projector(folder: Path) -> ProjectorConfig:
    return text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig())


def test_scalars_read_back_before_close(tmp_path: Path) -> None:
    board = TensorBoard(tmp_path)
    board.scalars(10, {"loss": 2.5, "lr": 0.1, "spread": 0.75, "test/knn": 0.5})
    board.scalars(20, {"loss": math.nan, "lr": 0.2, "spread": 0.5})
    events = read(tmp_path)
    assert set(events.Tags()["scalars"]) == {"train/loss", "train/lr", "diagnostics/spread", "test/knn"}
    spread = events.Scalars("diagnostics/spread")
    assert [(point.step, point.value) for point in spread] == [(10, 0.75), (20, 0.5)]
    loss = events.Scalars("train/loss")
    assert loss[0].value == 2.5
    assert math.isnan(loss[1].value)
    board.close()


def test_resume_hides_the_steps_after_the_checkpoint(tmp_path: Path) -> None:
    board = TensorBoard(tmp_path)
    for step in range(1, 6):
        board.scalars(step, {"loss": float(step)})
    board.close()
    board = TensorBoard(tmp_path, resume_step=3)
    board.scalars(4, {"loss": 40.0})
    board.close()
    points = [(point.step, point.value) for point in read(tmp_path).Scalars("train/loss")]
    assert points == [(1, 1.0), (2, 2.0), (3, 3.0), (4, 40.0)]


def test_views_are_shown_by_their_modality(tmp_path: Path) -> None:
    board = TensorBoard(tmp_path)
    rows = [[np.full((4, 5), 10 * sample + view, np.uint8) for view in range(3)] for sample in range(2)]
    board.views(GreyPictures(), "views", rows, 7)  # type: ignore[arg-type]
    (image,) = read(tmp_path).Images("views")
    assert (image.step, image.width, image.height) == (7, 15, 8)
    board.close()


def test_embedding_has_vectors_and_class_names_in_the_same_order(tmp_path: Path) -> None:
    x_ND = torch.randn(30, 4)
    labels_N = torch.arange(30) // 10  # sorted by class, as many data sets are
    board = TensorBoard(tmp_path)
    split = FeatureSplit(x_ND=x_ND, ids_N=torch.arange(30), labels_N=labels_N)
    board.embedding("test", split, ("a\tshirt", "bag", ""), 12, limit=6)
    board.close()
    (info,) = projector(tmp_path).embeddings
    vectors = np.loadtxt(tmp_path / info.tensor_path)
    names = (tmp_path / info.metadata_path).read_text().splitlines()
    assert vectors.shape == (6, 4)
    assert set(names) == {"a shirt", "bag", "(empty)"}
    rows = [int(np.abs(x_ND.numpy() - vector).sum(axis=1).argmin()) for vector in vectors]
    assert rows == [0, 6, 12, 17, 23, 29]
    assert names == [["a shirt", "bag", "(empty)"][row // 10] for row in rows]


def test_embedding_smaller_than_the_limit_is_whole_and_unlabelled_data_is_fine(tmp_path: Path) -> None:
    x_ND = torch.randn(5, 3)
    board = TensorBoard(tmp_path)
    board.embedding("a/b", FeatureSplit(x_ND=x_ND, ids_N=torch.arange(5)), None, 1)
    board.embedding("empty", FeatureSplit(x_ND=x_ND[:0], ids_N=torch.arange(0)), None, 1)
    board.close()
    (info,) = projector(tmp_path).embeddings
    assert info.metadata_path == ""
    np.testing.assert_allclose(np.loadtxt(tmp_path / info.tensor_path), x_ND.numpy(), rtol=1e-5)


def test_embedding_with_thumbnails(tmp_path: Path) -> None:
    board = TensorBoard(tmp_path)
    split = FeatureSplit(x_ND=torch.randn(4, 3), ids_N=torch.arange(4))
    board.embedding("test", split, None, 1, thumbnails_N3HW=torch.rand(4, 3, 8, 8))
    board.close()
    (info,) = projector(tmp_path).embeddings
    assert list(info.sprite.single_image_dim) == [8, 8]
    assert (tmp_path / info.sprite.image_path).read_bytes().startswith(b"\x89PNG")


def test_embeddings_survive_a_resume_and_are_not_doubled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    split = FeatureSplit(x_ND=torch.randn(4, 3), ids_N=torch.arange(4))
    board = TensorBoard(tmp_path)
    board.embedding("test", split, None, 10)
    board.embedding("test", split, None, 20)
    board.close()
    board = TensorBoard(tmp_path, resume_step=10)
    board.embedding("test", split, None, 20)
    board.close()
    assert sorted(info.tensor_name for info in projector(tmp_path).embeddings) == ["test:00010", "test:00020"]
    assert capsys.readouterr().out == ""


def test_hparams_are_in_the_run_itself(tmp_path: Path) -> None:
    board = TensorBoard(tmp_path)
    board.hparams(
        {"loss.temperature": 0.5, "train.epochs": 20, "loss.use": "nt_xent", "train.compile": False},
        {"knn/accuracy": 0.875},
        step=400,
    )
    board.close()
    assert [path for path in tmp_path.rglob("*") if path.is_dir()] == []
    events = read(tmp_path)
    content = events.PluginTagToContent("hparams")
    start = hparams_metadata.parse_session_start_info_plugin_data(content[hparams_metadata.SESSION_START_INFO_TAG])
    given = {key: value.number_value or value.string_value for key, value in start.hparams.items()}
    assert given == {
        "loss.temperature": 0.5,
        "train.epochs": 20.0,
        "loss.use": "nt_xent",
        "train.compile": "false",
    }
    experiment = hparams_metadata.parse_experiment_plugin_data(content[hparams_metadata.EXPERIMENT_TAG])
    assert [info.name.tag for info in experiment.metric_infos] == ["knn/accuracy"]
    (point,) = events.Scalars("knn/accuracy")
    assert (point.step, point.value) == (400, 0.875)


def test_importing_track_is_cheap() -> None:
    script = (
        "import sys, coview.track.tracker, coview.track.tensorboard, coview.track.progress\n"
        "import coview.track.collapse, coview.track.console, coview.track.metrics_file\n"
        "print([name for name in ('torch', 'tensorboard', 'rich', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
