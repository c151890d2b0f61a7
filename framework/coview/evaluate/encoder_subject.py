"""What an evaluator sees that needs the encoder itself, and not its representations alone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from coview.data.augmentation import Augmentation
from coview.data.augmented_rows import AugmentedRows
from coview.data.dataset import Dataset
from coview.data.modality import Collates, Modality
from coview.data.views import PipelineStep
from coview.evaluate.features import Features, FeatureSplit
from coview.evaluate.result import FeatureKind
from coview.model.encoder_hooks import collator

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class AugmentStep:
    """A step of the recipe's pipeline for the first view.

    Attributes:
        name: As ``use`` has it.
        parameters: As the recipe has them.
        augmentation: What it does to a sample's value.
    """

    name: str
    parameters: Mapping[str, Any]
    augmentation: Augmentation


@dataclass(frozen=True)
class EncoderSubject:
    """An encoder with the data that it is measured on.

    Attributes:
        kind: ``pretrained``, ``given``, ``untrained``, or ``raw``: the control that has no encoder.
        modality_name: What the encoder takes.
        modality: That modality.
        features: Its representations of every split that was asked for.
        data: The samples of these splits: the i-th is the one of the i-th representation.
        steps: The recipe's augmentations of the modality.
        embed: The representations of other samples, made the same way.
        build_augmentation: An augmentation by its name and parameters.
        device: Where to compute.
        workers: Loader processes.
        console: Where progress is shown.
        encoder: The encoder, which has to stay as it is; None for ``raw``.
        metrics: What was logged while it was trained, as in ``metrics.jsonl``; nothing of the controls.
    """

    kind: FeatureKind
    modality_name: str
    modality: Modality
    features: Features
    data: Mapping[str, Dataset]
    steps: Sequence[AugmentStep]
    embed: Callable[[Dataset], FeatureSplit]
    build_augmentation: Callable[[str, Mapping[str, Any]], Augmentation]
    device: torch.device
    workers: int
    console: Console
    encoder: nn.Module | None
    metrics: Sequence[Mapping[str, Any]] = ()

    def copy_of_encoder(self) -> nn.Module:
        """One that may be trained, on the device. Where nothing in it is trained (a teacher), all of it is here."""
        assert self.encoder is not None
        made = copy.deepcopy(self.encoder).to(self.device)
        if not any(parameter.requires_grad for parameter in made.parameters()):
            made.requires_grad_(True)
        return made

    @property
    def collator(self) -> Collates:
        """What makes batches for the encoder."""
        assert self.encoder is not None
        return collator(self.modality, self.encoder)

    def rows(
        self, split: str, rows: Sequence[int], steps: Sequence[tuple[int, Augmentation]] = (), *, seed: int = 0
    ) -> AugmentedRows:
        """Some samples of a split, their values gone through augmentations with the randomness of a seed.

        Args:
            split: Its name.
            rows: Which.
            steps: Augmentations, each with its position: what their randomness is told apart by.
            seed: Of the randomness.
        """
        pipeline = [PipelineStep(*step) for step in steps]
        return AugmentedRows(self.data[split], self.modality_name, rows, pipeline, seed=seed)
