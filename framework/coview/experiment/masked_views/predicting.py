"""What a model predicts for the hidden tokens of a view, and how well.

T token · K prediction · P numbers of a token's input.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, normalize

from coview.data.token_mask import TokenMask
from coview.experiment.masked_views.making import MaskedView
from coview.model.masked_calls import token_values
from coview.model.masked_encoder import TakesMask
from coview.model.target import Target
from coview.model.token_task import Part, predicted, restores_input, targets_of_input, targets_of_teacher
from coview.model.topology import Topology
from coview.model.tower import Tower

GUESSES = 3
"""Of the most likely tokens of a vocabulary, how many are told."""


@dataclass(frozen=True)
class Guess:
    """What is predicted of a token of a vocabulary.

    Attributes:
        tokens: The most likely ones, and how likely each is.
        right: How likely the right one is.
    """

    tokens: tuple[tuple[int, float], ...]
    right: float


@dataclass(frozen=True)
class Prediction:
    """Of one view. What is predicted several times, in several groups of tokens, counts as the mean.

    Attributes:
        said: How well, in a sentence.
        values_TP: What the input would be by the predictions, where they say that in numbers; elsewhere as it is.
        guesses: By token, where they say it as tokens of a vocabulary.
        scores: By token, from 0 to 1, where they are of something else than the input.
        score_is: What a score is.
    """

    said: str
    values_TP: Tensor | None = None
    guesses: dict[int, Guess] | None = None
    scores: dict[int, float] | None = None
    score_is: str = ""


@torch.no_grad()
def predict(topology: Topology, modality: str, view: MaskedView) -> Prediction | None:
    """What the student predicts; None where nothing has to be predicted of the view.

    Args:
        topology: In evaluation mode.
        modality: Of the view.
        view: Of which something is wanted.
    """
    tower, target, mask = cast(Tower, topology.student.towers[modality]), topology.target, view.mask
    if tower.decoder is None or target is None or mask is None or not bool(mask.wanted_NBT.any()):
        return None
    wanted = _wanted(topology, target, modality, view, mask)
    if wanted is None:
        return None
    part = Part(view.batch, mask)
    predicted_KP = predicted(tower.decoder, tower.encoder, part, tower.encode(part)).float()
    _, _, token_K = mask.places
    kind, restores = cast(Target, target), restores_input(target)
    if restores is not None and not kind.is_class:
        values_TP = token_values(cast(TakesMask, tower.encoder), view.batch)[0].float()
        restored_KP = restores.restored(predicted_KP, values_TP[token_K])
        return _restored(predicted_KP, wanted.float(), restored_KP, values_TP, token_K)
    if kind.is_class:
        return _of_classes(predicted_KP, wanted, token_K, are_tokens=restores is not None)
    return _of_numbers(predicted_KP, wanted.float(), token_K)


def _wanted(topology: Topology, target: nn.Module, modality: str, view: MaskedView, mask: TokenMask) -> Tensor | None:
    """The targets, of each prediction; None where the teacher does not see the view."""
    if cast(Target, target).sees == "input":
        return targets_of_input(target, topology.student.encoder(modality), [Part(view.batch, mask)])
    teacher = topology.teacher
    if teacher is None or not view.is_global:
        return None
    tower = cast(Tower, teacher.towers.towers[modality])
    encoding = tower.encode(Part(view.batch, None), max(1, cast(Target, target).layers))
    return targets_of_teacher(target, tower.decoder, encoding, mask, view.batch)


def _restored(
    predicted_KP: Tensor, wanted_KP: Tensor, restored_KP: Tensor, values_TP: Tensor, token_K: Tensor
) -> Prediction:
    tokens_W, mean_WP = _means(restored_KP, token_K)
    shown_TP = values_TP.index_copy(0, tokens_W, mean_WP)
    error = float((predicted_KP - wanted_KP).square().mean())
    constant = float((wanted_KP - wanted_KP.mean()).square().mean())
    said = f"mean squared error {error:.3g}, and {constant:.3g} of the best constant"
    return Prediction(said, values_TP=shown_TP.cpu())


def _of_classes(predicted_KP: Tensor, wanted_K: Tensor, token_K: Tensor, *, are_tokens: bool) -> Prediction:
    likely_KP = predicted_KP.softmax(-1)
    right_K = likely_KP.gather(1, wanted_K[:, None])[:, 0]
    hits = int((likely_KP.argmax(1) == wanted_K).sum())
    what = "token" if are_tokens else "class"
    said = (
        f"the right {what} is the most likely one {hits} of {len(wanted_K)} times; its mean probability is "
        f"{float(right_K.mean()):.3g}, and by chance {1 / likely_KP.shape[1]:.2g}"
    )
    if not are_tokens:
        return Prediction(said, scores=_by_token(right_K, token_K), score_is="probability of the right class")
    top = likely_KP.topk(min(GUESSES, likely_KP.shape[1]), dim=1)
    guesses = {
        token: Guess(tuple(zip(numbers, likely, strict=True)), right)
        for token, numbers, likely, right in zip(
            token_K.tolist(), top.indices.tolist(), top.values.tolist(), right_K.tolist(), strict=True
        )
    }
    return Prediction(said, guesses=guesses)


def _of_numbers(predicted_KP: Tensor, wanted_KP: Tensor, token_K: Tensor) -> Prediction:
    """Of a target that is no input: how alike both are, beside how alike a prediction is to the others' targets."""
    cosine_K = cosine_similarity(predicted_KP, wanted_KP)
    said = f"cosine of prediction and target {float(cosine_K.mean()):.3f}"
    others = len(token_K) * (len(token_K) - 1)
    if others:
        all_KK = normalize(predicted_KP) @ normalize(wanted_KP).T
        between = float((all_KK.sum() - all_KK.diagonal().sum()) / others)
        said += f", and {between:.3f} with the targets of the other predictions"
    return Prediction(said, scores=_by_token(cosine_K, token_K), score_is="cosine of prediction and target")


def _by_token(score_K: Tensor, token_K: Tensor) -> dict[int, float]:
    """The mean of each token's predictions, from 0 to 1."""
    tokens_W, mean_W1 = _means(score_K[:, None], token_K)
    return dict(zip(tokens_W.tolist(), mean_W1[:, 0].clamp(0, 1).tolist(), strict=True))


def _means(of_KP: Tensor, token_K: Tensor) -> tuple[Tensor, Tensor]:
    """The tokens that are predicted, each once, and the mean of what each has."""
    tokens_W, place_K, count_W = token_K.unique(return_inverse=True, return_counts=True)
    sum_WP = of_KP.new_zeros(len(tokens_W), of_KP.shape[1]).index_add_(0, place_K, of_KP)
    return tokens_W, sum_WP / count_W[:, None]


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode, and afterwards each part in the mode that it was in."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
