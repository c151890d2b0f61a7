"""The attention mask of a model of transformers, so that nothing asks a GPU whether any token is padding."""

from __future__ import annotations

from typing import Any

from torch import Tensor

_TAKE_IT_WHOLE = ("bert", "roberta", "xlm-roberta", "distilbert", "electra", "camembert")
"""Models that take a mask of all pairs of tokens as it is, and use what they are given as a mask for nothing else."""


def may_look(tensor: Tensor) -> bool:
    """Whether a value of a tensor can be had without waiting for a device."""
    return tensor.device.type == "cpu"


def attention_mask_for(model: Any, mask_NT: Tensor) -> Tensor:
    """The mask as a model takes it.

    Of one for each token transformers asks whether it is 1 throughout, to leave it out, and so waits for the device.
    One for each pair of tokens it takes as it is.

    Args:
        model: A model of transformers.
        mask_NT: 1 where a token is real.
    """
    config = model.config
    takes_it_whole = config.model_type in _TAKE_IT_WHOLE and config._attn_implementation == "sdpa"
    if may_look(mask_NT) or not takes_it_whole:
        return mask_NT
    return mask_NT.bool()[:, None, None].expand(-1, 1, mask_NT.shape[1], -1)
