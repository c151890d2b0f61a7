"""The contracts of encoders and projectors, which plugins implement, and what an encoder returns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from coview.recipe.logit_scale import LogitScale


@dataclass(frozen=True)
class Encoding:
    """A batch, encoded.  N sample · D width · T token · L layer.

    Attributes:
        pooled_ND: One vector for each sample; what evaluators and the projector see.
        tokens_NTD: The vectors before pooling, where the encoder has them.
        mask_NT: True where a token is real, False where it is padding; absent where there is none.
        layers_LNTD: What the last layers make of each token, the last one last, where a target asks for it.
    """

    pooled_ND: Tensor
    tokens_NTD: Tensor | None = None
    mask_NT: Tensor | None = None
    layers_LNTD: tuple[Tensor, ...] = ()


class Encoder(Protocol):
    """An ``nn.Module`` from a modality's batch to an :class:`Encoding`. Padding must not change what it returns.

    One that has ``collate(values)`` is a :class:`coview.data.modality.Collates`: it makes its batches itself, in place
    of the modality (a tokenizer, say), and is called in loader processes. One that has ``fit(values)`` is a
    :class:`FitsToData`.

    Attributes:
        width: D of ``pooled_ND``.
    """

    width: int

    def __call__(self, batch: Any, /) -> Encoding:
        """Encodes what the modality has collated."""
        ...


@runtime_checkable
class FitsToData(Protocol):
    """An encoder of which a part is made from the training data before any step: a tokenizer, a scale."""

    def fit(self, values: Iterable[Any], /) -> None:
        """Fits to the training values of its modality.

        The same values have to give the same. What it finds belongs in ``state_dict()`` (buffers of fixed shapes, or
        ``get_extra_state`` as a tensor), from which a run that goes on or is loaded has it, whatever became of the
        data since.
        """
        ...


@runtime_checkable
class ChecksBatch(Protocol):
    """An encoder that needs more of a batch than its shapes show, such as one sample rate."""

    def check_batch(self, batch: Any, /) -> None:
        """Refuses a batch that the encoder does not take: of the views that it is trained on, and of the data as it is.

        It is called once with each, of a few samples on the CPU, before anything is trained.

        Raises:
            CoviewError: With what the encoder takes, what the batch has, and which key to change.
        """
        ...


@runtime_checkable
class HasLayers(Protocol):
    """An encoder that says which layer each of its parameters is in, for ``layer_decay`` in ``[[optimizer.group]]``.

    :func:`coview.stacked_layers` finds it out for one whose layers are in an ``nn.ModuleList``.
    """

    def layer_numbers(self) -> Mapping[str, int]:
        """The number of the layer of each parameter, by the names of ``named_parameters()``.

        They rise from 0, for what sees the input, to the last, for what makes the output.
        """
        ...


class Projector(Protocol):
    """An ``nn.Module`` from representations ``(N, in_width)`` to projections ``(N, width)``.

    The registered target is called as ``target(in_width=…, **parameters)``.
    """

    width: int

    def __call__(self, x_ND: Tensor, /) -> Tensor:
        """Projects ``(N, in_width)`` to ``(N, width)``."""
        ...


@runtime_checkable
class HasOwnProjection(Protocol):
    """An encoder whose weights came with a projection into the common space of several modalities.

    ``[projector] use = "own"`` takes this projection.
    """

    def own_projection(self) -> tuple[nn.Module, int]:
        """Returns a copy of the projection, which maps ``(N, width)`` to ``(N, D)``, and D."""
        ...


@runtime_checkable
class HasOwnScale(Protocol):
    """An encoder whose weights came with a logit scale. A loss whose constructor takes ``own_scale`` gets it."""

    own_scale: LogitScale


@runtime_checkable
class PartOfModel(Protocol):
    """An encoder that is a part of a transformers model of several modalities.

    If all encoders of a run are parts of one model, ``coview export`` writes this model.
    """

    whole_config: Any

    def weights_in_whole(self, projector: nn.Module, /) -> Mapping[str, Tensor]:
        """Returns the weights of the encoder and of its projection, by their names in the whole model.

        Raises:
            ValueError: If the projector is not the model's own.
        """
        ...

    def save_preparation(self, folder: Path, /) -> str:
        """Writes what prepares its inputs besides the modality, such as a tokenizer.

        Returns the Python lines that make its projections. In these lines, the whole model is called ``model``.
        """
        ...


@runtime_checkable
class ProjectsInLayers(Protocol):
    """A projector of which the first layers can be evaluated with the encoder, by ``evaluated_layers``."""

    def first_layers(self, count: int, /) -> Projector:
        """A module of some layers, whose parameters are this projector's own, with the width that they end in.

        Args:
            count: From 1 to how many there are; activations and norms belong to the layer before them.

        Raises:
            ValueError: If there are not so many.
        """
        ...


@runtime_checkable
class ExportsToHub(Protocol):
    """An encoder that can be written as a folder which transformers or timm load; a modality, as its preprocessor."""

    def export_hf(self, folder: Path, /) -> str:
        """Writes into the folder and returns the Python lines that load what was written.

        A modality's come first and may name what they prepare; an encoder's may use it.
        """
        ...


@runtime_checkable
class SeesExample(Protocol):
    """An encoder whose exported folder says something of the samples that it was given, such as their size."""

    def see_example(self, batch: Any, /) -> None:
        """Is called before an export, where the data of the run is at hand.

        Args:
            batch: One sample of the run's evaluation split, as it is collated for the encoder.
        """
        ...


@dataclass(frozen=True)
class PooledTransformer:
    """A model of transformers whose own pooler makes what an encoder makes.

    Attributes:
        model: With the encoder's weights, in evaluation mode. It takes ``pixel_values`` or ``input_ids``, by its
            ``main_input_name``, and its configuration has a ``hidden_size``.
        scale: Its ``pooler_output``, (N, D), times this is the encoder's ``pooled_ND``.
    """

    model: Any
    scale: float = 1.0


@runtime_checkable
class ExportsPooled(Protocol):
    """An encoder that transformers' ``VisionTextDualEncoderModel`` can have as one of its two towers."""

    def export_pooled(self, folder: Path, /) -> PooledTransformer:
        """Returns the model, and writes what prepares its inputs (a tokenizer) into the folder.

        Raises:
            ValueError: If there is none; with the reason, and what to set for one.
        """
        ...


@runtime_checkable
class ExportsToSentenceTransformers(Protocol):
    """An encoder that can be written as a folder which sentence-transformers loads; a modality, as its preprocessor."""

    def export_sentence_transformers(self, folder: Path, /) -> str:
        """Writes into the folder and returns the Python lines that load what was written.

        A modality's come first, and may be empty. The ``encode`` of what an encoder's lines load has to give its
        ``pooled_ND``.
        """
        ...
