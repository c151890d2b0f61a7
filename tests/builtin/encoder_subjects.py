"""Encoders of small vectors with their samples, as evaluators get them, and no run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import nn

import coview
from coview.evaluate.encoder_subject import AugmentStep


class Vectors:
    splits = ("train", "test")
    modalities: tuple[str, ...] = ("vector",)
    citation = licence = version = "made here"

    def __init__(self, x_ND: np.ndarray, labels_N: np.ndarray) -> None:
        self.x_ND, self.labels_N = x_ND.astype(np.float32), labels_N
        self.classes: tuple[str, ...] | None = tuple(map(str, range(labels_N.max() + 1)))

    def __len__(self) -> int:
        return len(self.x_ND)

    def __getitem__(self, index: int, /) -> coview.Sample:
        return coview.Sample({"vector": self.x_ND[index]}, id=index, label=int(self.labels_N[index]))


class VectorModality:
    def collate(self, values: Sequence[Any], /) -> torch.Tensor:
        return torch.from_numpy(np.stack(values))


class Encoder(nn.Module):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x_ND: torch.Tensor) -> coview.Encoding:
        return coview.Encoding(pooled_ND=self.layers(x_ND))


def split(encoder: nn.Module, data: Any) -> coview.FeatureSplit:
    samples = [data[i] for i in range(len(data))]
    with torch.no_grad():
        x_ND = encoder(VectorModality().collate([sample["vector"] for sample in samples])).pooled_ND
    labels = torch.tensor([sample.label for sample in samples])
    return coview.FeatureSplit(x_ND, torch.arange(len(samples)), labels)


def subject(
    encoder: nn.Module | None,
    data: dict[str, Vectors],
    *,
    steps: Sequence[AugmentStep] = (),
    build: Callable[[str, Any], Any] | None = None,
    workers: int = 0,
) -> coview.EncoderSubject:
    embedder = encoder or Encoder()
    splits = {name: split(embedder, vectors) for name, vectors in data.items()}
    return coview.EncoderSubject(
        kind="raw" if encoder is None else "pretrained",
        modality_name="vector",
        modality=VectorModality(),  # type: ignore[arg-type]
        features=coview.Features(splits, data["test"].classes),
        data=data,
        steps=steps,
        embed=lambda dataset: split(embedder, dataset),
        build_augmentation=build or (lambda name, parameters: None),
        device=torch.device("cpu"),
        workers=workers,
        console=Console(quiet=True),
        encoder=encoder,
    )
