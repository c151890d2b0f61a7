"""What hidden tokens have to be."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn
from torch.nn import functional

from coview.model.target import Sees, TargetInput


class Input:
    """What the hidden token was made of: the pixels of a patch, its part of a log-mel spectrogram, or which token of
    the vocabulary it was.

    Args:
        normalise: "token": the numbers of each token by their own mean and variance, MAE's ``norm_pix_loss``; "none":
            as the encoder gets them.
    """

    sees: ClassVar[Sees] = "input"
    layers = 0

    def __init__(self, values: int, classes: int, normalise: Literal["none", "token"] = "none") -> None:
        if not values and not classes:
            raise ValueError("input: the encoder does not say what its tokens are made of")
        if normalise != "none" and not values:
            raise ValueError(f'normalise = "{normalise}" is for tokens made of numbers, and these are classes')
        self.is_class = not values
        self.width = values or classes
        self.normalise = normalise
        self.restored_with = "" if normalise == "none" else "the mean and the variance of what was there"

    def __call__(self, given: TargetInput, /) -> Tensor:
        """The values, normalised where it is asked for."""
        values_NTP = given.values_NTP
        assert values_NTP is not None, "a target that sees the input is given it"
        if self.normalise == "none":
            return values_NTP
        mean_NT1, deviation_NT1 = _of_each(values_NTP)
        return (values_NTP - mean_NT1) / deviation_NT1

    def restored(self, predictions_KP: Tensor, inputs_KP: Tensor, /) -> Tensor:
        """As they are; where they are normalised, by mean and variance of the true tokens, as MAE does."""
        if self.normalise == "none":
            return predictions_KP
        mean_K1, deviation_K1 = _of_each(inputs_KP)
        return predictions_KP * deviation_K1 + mean_K1


def _of_each(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each token, by which it is normalised."""
    variance, mean = torch.var_mean(values, dim=-1, keepdim=True)
    return mean, (variance + 1e-6).sqrt()


class TeacherTokens:
    """What a moving average of the encoder makes of the whole view at the hidden token: data2vec, I-JEPA.

    Args:
        layers: The mean of so many of the last layers; data2vec: 8 for sounds, 6 for pictures, 10 for texts; I-JEPA: 1.
        normalise: Normalisation of each layer before the mean. "layer": each token by itself, without weights;
            "instance": each number over the tokens of a view, as data2vec does for sounds; "none".
        normalise_mean: Normalisation of the mean, likewise "layer" or "none".
    """

    sees: ClassVar[Sees] = "teacher"
    is_class = False

    def __init__(
        self,
        in_width: int,
        layers: Annotated[int, Ge(1)] = 1,
        normalise: Literal["layer", "instance", "none"] = "layer",
        normalise_mean: Literal["layer", "none"] = "none",
    ) -> None:
        self.layers, self.width = layers, in_width
        self.normalise, self.normalise_mean = normalise, normalise_mean

    def __call__(self, given: TargetInput, /) -> Tensor:
        """The mean over the layers."""
        layers = [self._normalised(_full(layer_NTD), given.real_NT) for layer_NTD in given.layers_LNTD]
        mean_NTD = torch.stack(layers).mean(0)
        return functional.layer_norm(mean_NTD, mean_NTD.shape[-1:]) if self.normalise_mean == "layer" else mean_NTD

    def _normalised(self, layer_NTD: Tensor, real_NT: Tensor) -> Tensor:
        if self.normalise == "none":
            return layer_NTD
        if self.normalise == "layer":
            return functional.layer_norm(layer_NTD, layer_NTD.shape[-1:])
        real_NT1 = real_NT[..., None].to(layer_NTD.dtype)
        count_N11 = real_NT1.sum(1, keepdim=True)
        mean_N1D = (layer_NTD * real_NT1).sum(1, keepdim=True) / count_N11
        variance_N1D = ((layer_NTD - mean_N1D).square() * real_NT1).sum(1, keepdim=True) / count_N11
        return (layer_NTD - mean_N1D) / (variance_N1D + 1e-5).sqrt()


class TeacherDecoder:
    """What the moving average of the decoder makes of the moving average's own token there: the prototypes of iBOT."""

    sees: ClassVar[Sees] = "teacher_decoder"
    layers = 0
    width = 0
    is_class = False

    def __call__(self, given: TargetInput, /) -> Tensor:
        """As it comes."""
        assert given.decoded_KP is not None, "a target that sees the teacher's decoder is given it"
        return given.decoded_KP


class RandomCodebook(nn.Module):
    """The number of the nearest of many random vectors, after a random projection (BEST-RQ, arXiv:2202.01855, section
    3).

    Neither is trained; both are drawn by the recipe's seed.

    Args:
        codes: Random vectors; the paper's 8192.
        code_width: Their width; the paper's 16.
    """

    sees: ClassVar[Sees] = "input"
    layers = 0
    is_class = True
    projection_PC: Tensor
    codebook_KC: Tensor

    def __init__(
        self, values: int, codes: Annotated[int, Ge(2), Le(2**20)] = 8192, code_width: Annotated[int, Ge(1)] = 16
    ) -> None:
        super().__init__()
        if not values:
            raise ValueError("random_codebook is for tokens made of numbers, and the encoder's are classes: take input")
        self.width = codes
        projection_PC = nn.init.xavier_uniform_(torch.empty(values, code_width))
        self.register_buffer("projection_PC", projection_PC)
        self.register_buffer("codebook_KC", functional.normalize(torch.randn(codes, code_width), dim=1))

    def forward(self, given: TargetInput, /) -> Tensor:
        """The codes, of values that have mean 0 and variance 1 in each token."""
        assert given.values_NTP is not None, "a target that sees the input is given it"
        values_NTP = given.values_NTP.to(self.projection_PC.dtype)
        device = values_NTP.device.type
        # bf16 would take another code for the nearest
        with torch.autocast(device, enabled=False) if torch.amp.is_autocast_available(device) else nullcontext():
            values_NTP = functional.layer_norm(values_NTP, values_NTP.shape[-1:])
            code_NTC = functional.normalize(values_NTP @ self.projection_PC, dim=-1)
            # of unit vectors the nearest is the one of largest product
            return (code_NTC @ self.codebook_KC.T).argmax(-1)


def _full(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()
