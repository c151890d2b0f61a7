"""What an evaluator sees that compares modalities: what they are projected to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from coview.data.dataset import Dataset
from coview.evaluate.features import FeatureSplit
from coview.evaluate.result import FeatureKind


@dataclass(frozen=True)
class CrossModalSubject:
    """A model of several modalities with the samples that it is measured on.

    What is compared is after the projector, since only there do modalities share a space (as in CLIP,
    arXiv:2103.00020). Rows of ``split`` and ``embed`` have unit length, so that products of them are cosines.

    Attributes:
        kind: ``pretrained``, ``given`` or ``untrained``.
        classes: The class names, where the data has classes.
        split: The projections of a modality's samples of a split that the evaluator declared, in the order of the
            split: ``split("image", "test")``.
        embed: The projections ``(N, D)`` of other values of a modality: ``embed("text", ["a photo of a cat"])``.
        project: The same with the lengths that they have, for a model that compares by inner products.
        data: The samples of a split that the evaluator declared: ``data("test")``.
    """

    kind: FeatureKind
    classes: tuple[str, ...] | None
    split: Callable[[str, str], FeatureSplit]
    embed: Callable[[str, Sequence[Any]], Tensor]
    project: Callable[[str, Sequence[Any]], Tensor]
    data: Callable[[str], Dataset]
