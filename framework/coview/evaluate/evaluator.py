"""The contracts of evaluators, which plugins implement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

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
        labels: The kind of label it needs: ``"class"``, ``"score"``, ``"pairs"`` or none.
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


AnyEvaluator = Evaluator | EncoderEvaluator | CrossModalEvaluator


def compared_modalities(evaluator: AnyEvaluator) -> tuple[str, ...]:
    """The modalities that a cross-modal evaluator compares; none of any other."""
    return evaluator.modalities if isinstance(evaluator, CrossModalEvaluator) else ()
