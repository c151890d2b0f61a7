"""Embedding a split once, for all evaluators, and keeping the result on disk."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from coview.data.atomic import replacing
from coview.data.batch import Batch, Skipped
from coview.data.content import content_hash
from coview.data.dataset import Dataset, HasJudgedPairs, KnowsLabels
from coview.data.judged_pairs import Pairs
from coview.data.loader import sample_loader
from coview.data.modality import Collates, HasLengths, Modality
from coview.data.skipped import SkippedSamples
from coview.evaluate.by_length import ByLength, all_alike, in_order
from coview.evaluate.features import FeatureSplit
from coview.evaluate.full_precision import full_precision
from coview.model.context import in_context_of
from coview.model.encoder_hooks import collator
from coview.model.widths import encode as encode_batch

_BATCH = 256
_COLUMNS = ("ids", "labels", "scores", "groups")
_VERIFIED: set[tuple[str, int, int, int]] = set()
"""Files whose content this process has compared with its digest: evaluators ask for the same ones again."""

Show = Callable[[Iterator[Batch]], Iterable[Batch]]


@dataclass(frozen=True)
class Embedded:
    """A split, embedded.

    Attributes:
        features: The representations and what is known about the samples, on the CPU.
        skipped: Samples that could not be read.
        content_N: int64, equal where the samples' values are, where the embedding is of raw features and the values
            are of a kind that has a :func:`coview.data.content.content_hash`.
    """

    features: FeatureSplit
    skipped: tuple[Skipped, ...]
    content_N: Tensor | None = None

    @property
    def rows(self) -> np.ndarray:
        """Of each representation, the row of its sample in the data set."""
        total = len(self.features) + len(self.skipped)
        return np.setdiff1d(np.arange(total), [sample.row for sample in self.skipped])


@dataclass(frozen=True)
class Share:
    """Which batches of a split a process embeds: every ``ranks``-th, from that of number ``rank`` on."""

    rank: int = 0
    ranks: int = 1


ALL = Share()


@dataclass(frozen=True)
class EmbeddedBatch:
    """A batch of a split, embedded.

    Attributes:
        number: Of the batch in the split, from 0.
        skipped: Its samples that could not be read.
        x_ND: The representations of the others; None if there are none.
        content_N: As of :class:`Embedded`.
        columns: What is known of the samples: ``ids``, ``labels``, ``scores`` and ``groups``.
    """

    number: int
    skipped: tuple[Skipped, ...]
    x_ND: Tensor | None = None
    content_N: Tensor | None = None
    columns: Mapping[str, Tensor | None] = field(default_factory=dict)


def embed_split(
    encoder: nn.Module,
    dataset: Dataset,
    split: str,
    modality_name: str,
    modality: Modality,
    *,
    device: torch.device,
    workers: int,
    show: Show = lambda batches: batches,
) -> Embedded:
    """The pooled representations of a split, in fp32, from the encoder in evaluation mode.

    Args:
        encoder: On ``device``.
        dataset: The split.
        split: Its name.
        modality_name: Which of its modalities the encoder takes.
        modality: That modality, whose ``collate`` an encoder without its own takes.
        device: Where to compute.
        workers: Loader processes.
        show: Goes through the batches and shows how far they are.

    Raises:
        CoviewError: If too many samples cannot be read.
    """
    batches = embed_share(encoder, dataset, modality_name, modality, device=device, workers=workers, show=show)
    return joined(batches, dataset, split)


def embed_share(
    encoder: nn.Module,
    dataset: Dataset,
    modality_name: str,
    modality: Modality,
    *,
    device: torch.device,
    workers: int,
    show: Show = lambda batches: batches,
    share: Share = ALL,
) -> Iterator[EmbeddedBatch]:
    """Some batches of a split: see :func:`embed_split`. What each comes to does not depend on the others."""

    def encode(batch: Any) -> Tensor:
        return encode_batch(at_context, batch).pooled_ND.float()

    def encode_parts(batch: Any) -> tuple[Tensor, None]:
        return in_order(encode, batch), None

    collates = ByLength(collator(modality, encoder), modality.length if isinstance(modality, HasLengths) else all_alike)
    encoder.eval()
    at_context = in_context_of(encoder, dataset, device)
    with torch.no_grad(), full_precision(), _laid_out(encoder, device):
        yield from _embed(encode_parts, dataset, modality_name, collates, device, workers, show, share)


@contextmanager
def _laid_out(encoder: nn.Module, device: torch.device) -> Iterator[None]:
    """Lays the weights out in one way, however training did, since the layout changes the last digits of what comes
    out: on a CPU channels last, where convolutions take two thirds of the time. Afterwards they are as weights are
    loaded."""
    encoder.to(memory_format=torch.channels_last if device.type == "cpu" else torch.contiguous_format)
    try:
        yield
    finally:
        encoder.to(memory_format=torch.contiguous_format)


def embed_raw(
    dataset: Dataset,
    split: str,
    modality_name: str,
    features_of: Callable[[Sequence[Any]], np.ndarray],
    *,
    workers: int,
    show: Show = lambda batches: batches,
) -> Embedded:
    """The modality's raw features of a split: the control that any encoder has to beat."""

    def encode(batch: Any) -> tuple[Tensor, Tensor | None]:
        return batch["features"], batch.get("content")

    batches = _embed(encode, dataset, modality_name, _Raw(features_of), torch.device("cpu"), workers, show, ALL)
    return joined(batches, dataset, split)


def joined(batches: Iterable[EmbeddedBatch], dataset: Dataset, split: str) -> Embedded:
    """A split, from all its batches in order.

    Raises:
        CoviewError: If too many samples could not be read.
    """
    skipped = SkippedSamples(len(dataset), split)
    read = []
    for batch in batches:
        skipped.add(batch.skipped)
        if batch.x_ND is not None:
            read.append(batch)
    columns = {f"{name}_N": _join([batch.columns[name] for batch in read]) for name in _COLUMNS}
    if columns["labels_N"] is None and isinstance(dataset, KnowsLabels) and dataset.labels is not None:
        # some rows have no label: the others' are not lost
        rows = np.setdiff1d(np.arange(len(dataset)), list(skipped.samples))
        columns["labels_N"] = torch.from_numpy(np.asarray(dataset.labels, dtype=np.int64)[rows])
    pairs = _pairs(dataset.pairs if isinstance(dataset, HasJudgedPairs) else None, len(dataset), skipped)
    x_ND = torch.cat([batch.x_ND for batch in read if batch.x_ND is not None])
    features = FeatureSplit(x_ND=x_ND, **cast(dict[str, Any], columns), **pairs)
    return Embedded(features, tuple(skipped.samples.values()), _join([batch.content_N for batch in read]))


def read_embedded(path: Path, expected: dict[str, Any], *, bare: bool = False) -> Embedded | None:
    """What :func:`write_embedded` wrote, or None if it is not there, is of something else, or is damaged, of which it
    warns.

    Args:
        path: The file.
        expected: What it has to be of.
        bare: Without the representations: theirs have no width.
    """
    try:
        seen = _identity(path)
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if json.loads(metadata.get("of", "null")) != expected:
                return None
            names = [name for name in file.keys() if not (bare and seen in _VERIFIED and name == "x_ND")]  # noqa: SIM118
            tensors = {name: file.get_tensor(name) for name in names}
        digest = metadata.pop("sha256", None)
        if seen not in _VERIFIED:
            if digest != _digest(tensors, metadata):
                raise ValueError("it has been changed")
            _VERIFIED.add(seen)
        skipped = tuple(Skipped(*row) for row in json.loads(metadata.get("skipped", "[]")))
        content_N = tensors.pop("content_N", None)
        if bare:
            tensors["x_ND"] = torch.empty(len(tensors["ids_N"]), 0)
        return Embedded(FeatureSplit(**tensors), skipped, content_N)
    except FileNotFoundError:
        return None
    except (OSError, SafetensorError, ValueError, TypeError, RecursionError) as error:
        warnings.warn(f"{path} is damaged, and is made again: {error}", stacklevel=2)
        return None


def kept_of(path: Path) -> dict[str, Any] | None:
    """What a kept split is of; None if there is none, or it is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            of = json.loads((file.metadata() or {}).get("of", "null"))
    except (OSError, SafetensorError, ValueError, TypeError, RecursionError):
        return None
    return of if isinstance(of, dict) else None


def write_embedded(path: Path, embedded: Embedded, of: dict[str, Any]) -> None:
    """Keeps an embedded split, with what it is of."""
    path.parent.mkdir(parents=True, exist_ok=True)
    split = embedded.features
    tensors = {
        name: tensor.contiguous()
        for name in ("x_ND", "ids_N", "labels_N", "scores_N", "groups_N", "pairs_P2", "pair_scores_P")
        if (tensor := getattr(split, name)) is not None
    }
    if embedded.content_N is not None:
        tensors["content_N"] = embedded.content_N
    metadata = {"of": json.dumps(of), "skipped": json.dumps(embedded.skipped)}
    with replacing(path) as beside:
        save_file(tensors, beside, metadata={**metadata, "sha256": _digest(tensors, metadata)})


def _identity(path: Path) -> tuple[str, int, int, int]:
    stat = path.stat()
    return str(path.absolute()), stat.st_ino, stat.st_size, stat.st_mtime_ns


def _digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """Of all that is kept."""
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        if tensor.numel():
            digest.update(tensor.view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


@dataclass(frozen=True)
class _Raw:
    """Makes batches that are the raw features, and what tells equal values."""

    features_of: Callable[[Sequence[Any]], np.ndarray]

    def collate(self, values: Sequence[Any]) -> dict[str, Tensor]:
        features = torch.from_numpy(np.ascontiguousarray(self.features_of(values), dtype=np.float32))
        hashes = [content_hash(value) for value in values]
        if None in hashes:
            return {"features": features}
        return {"features": features, "content": torch.tensor(hashes, dtype=torch.int64)}


def _embed(
    encode: Callable[[Any], tuple[Tensor, Tensor | None]],
    dataset: Dataset,
    modality_name: str,
    collates: Collates,
    device: torch.device,
    workers: int,
    show: Show,
    share: Share,
) -> Iterator[EmbeddedBatch]:
    rank, ranks = share.rank, share.ranks
    loader = sample_loader(
        dataset, modality_name, collates, batch_size=_BATCH, workers=workers, device=device, rank=rank, ranks=ranks
    )
    with closing(loader):
        for number, batch in zip(count(rank, ranks), show(loader), strict=False):
            if not len(batch):
                yield EmbeddedBatch(number, batch.skipped)
                continue
            x_ND, content_N = encode(batch.to(device).inputs[modality_name])
            columns = {name: getattr(batch, name) for name in _COLUMNS}
            yield EmbeddedBatch(number, batch.skipped, x_ND.cpu(), content_N, columns)


def _pairs(pairs: Pairs | None, size: int, skipped: SkippedSamples) -> dict[str, Tensor]:
    """The judged pairs by the rows of what could be read."""
    if pairs is None:
        return {}
    read = np.ones(size, dtype=bool)
    read[list(skipped.samples)] = False
    kept_P = read[pairs.first_P] & read[pairs.second_P]
    row_N = np.cumsum(read) - 1
    rows_P2 = np.stack([row_N[pairs.first_P], row_N[pairs.second_P]], axis=1)[kept_P]
    return {"pairs_P2": torch.from_numpy(rows_P2), "pair_scores_P": torch.from_numpy(pairs.score_P[kept_P])}


def _join(parts: Sequence[Tensor | None]) -> Tensor | None:
    there = [part for part in parts if part is not None]
    return torch.cat(there) if len(there) == len(parts) else None
