"""The contracts of evaluators, which plugins implement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np

from coview.data.augmentation import Augmentation
from coview.data.rng import Rng
from coview.evaluate.features import Features
from coview.evaluate.result import Result

if TYPE_CHECKING:
    from coview.evaluate.cross_modal_subject import CrossModalSubject
    from coview.evaluate.encoder_subject import EncoderSubject


@runtime_checkable
class Evaluator(Protocol):
    """Turns frozen representations into numbers. Nothing may be chosen on the test split.

    Attributes:
        splits: The splits it needs; ``validation`` is carved out of ``train`` where the data has none.
        labels: The kind of label it needs: ``"class"``, ``"score"``, ``"pairs"`` or none. Where the data has no
            such labels, the evaluator is left out. One that needs more of the data is a :class:`ChecksData`.
    """

    splits: tuple[str, ...]
    labels: Literal["class", "score", "pairs"] | None

    def __call__(self, features: Features, rng: Rng, /) -> list[Result]:
        """The numbers; ``rng`` stands at the same place for every kind of features."""
        ...


@runtime_checkable
class EncoderEvaluator(Protocol):
    """Turns an encoder into numbers: what trains it further, changes its input, or measures what it costs.

    It is called for the pretrained encoder and for each control. Of ``raw``, which has no encoder, it returns what it
    can measure, or nothing.

    Attributes:
        splits, labels: As of an :class:`Evaluator`.
    """

    splits: tuple[str, ...]
    labels: Literal["class", "score", "pairs"] | None

    def evaluate_encoder(self, subject: EncoderSubject, rng: Rng, /) -> list[Result]:
        """The numbers; ``rng`` stands at the same place for every kind of features."""
        ...


@runtime_checkable
class CrossModalEvaluator(Protocol):
    """Compares what several modalities are projected to: how well one is found by another.

    It is called for the pretrained model and for the untrained one; raw features share no space.

    Attributes:
        splits, labels: As of an :class:`Evaluator`.
        modalities: Those that it compares. A recipe without an encoder of each is refused. None at all, where its
            parameters make it an :class:`Evaluator` and it can be called like one.
        of_data: Those of them that it needs samples of.
    """

    splits: tuple[str, ...]
    labels: Literal["class", "score", "pairs"] | None
    modalities: tuple[str, ...]
    of_data: tuple[str, ...]

    def evaluate_cross_modal(self, subject: CrossModalSubject, rng: Rng, /) -> list[Result]:
        """The numbers; ``rng`` stands at the same place for both kinds of features."""
        ...


@dataclass(frozen=True)
class KnownData:
    """What is known of an evaluator's data before training.

    Attributes:
        classes: The class names, where the data has classes.
        samples: How many samples each split has that the evaluator declared and the data has of its own.
        labels: Split to ``(N,)`` class indices of its labelled samples, where the data knows them ahead of its samples.
            Those of a validation split that is carved out of ``train`` are left out of ``train``.
        pairs: How many judged pairs each split has, where it has any.
        modality: The modality that is evaluated.
        augmented: Whether the recipe augments it.
        build_augmentation: An augmentation by its name and parameters.
    """

    classes: tuple[str, ...] | None
    samples: Mapping[str, int]
    labels: Mapping[str, np.ndarray]
    pairs: Mapping[str, int]
    modality: str
    augmented: bool
    build_augmentation: Callable[[str, Mapping[str, Any]], Augmentation]


@runtime_checkable
class ChecksData(Protocol):
    """An evaluator that knows before training what it cannot measure on."""

    def check(self, data: KnownData, /) -> None:
        """Refuses data that it cannot measure on by its parameters: the run then ends before it trains.

        Raises:
            CoviewError: With what is lacking, and what could be asked for.
        """
        ...


@runtime_checkable
class ReadsSomeRows(Protocol):
    """An :class:`Evaluator` that may need few of a split's representations: the others need not be made.

    Where the evaluators of a recipe need at most half of a split of some data, the encoder and its untrained control
    embed only what they need of it; see :attr:`coview.FeatureSplit.embedded_N`.
    """

    def rows_read(self, features: Features, rng: Rng, /) -> Mapping[str, np.ndarray]:
        """Of splits, the rows whose representations it will read; a split that is not named is read whole.

        Args:
            features: As it will be called with, with representations of no width.
            rng: As it will be called with.
        """
        ...


AnyEvaluator = Evaluator | EncoderEvaluator | CrossModalEvaluator


def compared_modalities(evaluator: AnyEvaluator) -> tuple[str, ...]:
    """The modalities that a cross-modal evaluator compares; none of any other."""
    return evaluator.modalities if isinstance(evaluator, CrossModalEvaluator) else ()
