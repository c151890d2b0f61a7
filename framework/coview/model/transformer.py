"""A model of transformers as an encoder starts from it: with its weights, with random ones, or with none."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from coview.errors import few
from coview.model.encoder import PooledTransformer
from coview.model.meta_device import on_meta_device
from coview.recipe.logit_scale import LogitScale

_SMALL = 1e-4
"""What vectors are multiplied by before a pooler's tanh: it then leaves them as they are, to the last digits."""


def load_transformer(
    source: str, config: Any, *, pretrained: bool, pooler: bool = False, trust_remote_code: bool = False
) -> Any:
    """The model in float32.

    On the meta device, onto which transformers refuses to load weights, it has none: it is only looked at. Weights
    that the source has and the model does not use are left out without a word. Weights of the model that the source
    lacks start at random values, and a warning names them.

    Args:
        source: A local folder or a hub id, as ``ModelSource.loading`` gives it.
        config: The model's, as ``AutoConfig`` loads it.
        pretrained: Start from its weights; false: from its architecture alone, with random weights.
        pooler: Keep the model's own pooler, where it can do without: one that is not used would be random weights that
            get no gradient.
        trust_remote_code: Run the Python code that comes with the model.
    """
    from transformers import MODEL_MAPPING, AutoModel  # of the extras of those plugins that have such encoders

    options: dict[str, Any] = {"dtype": torch.float32, "trust_remote_code": trust_remote_code}
    model_class: Any = MODEL_MAPPING.get(type(config), None)  # none for code that comes with the model
    can_do_without = model_class and "add_pooling_layer" in inspect.signature(model_class.__init__).parameters
    if can_do_without and not pooler:
        options["add_pooling_layer"] = False
    if not pretrained or on_meta_device():
        return AutoModel.from_config(config, **options)  # type: ignore[no-untyped-call]
    with _without_load_report():
        model, found = AutoModel.from_pretrained(source, config=config, output_loading_info=True, **options)
    if lacking := sorted(found["missing_keys"]):
        warnings.warn(
            f"{source} lacks {len(lacking)} of the tensors of {type(model).__name__}, which start at random values: "
            f"{few(lacking)}",
            stacklevel=2,
        )
    return model


@contextmanager
def _without_load_report() -> Iterator[None]:
    """Within it, transformers does not print its table of weights that were left out or lacking."""
    from transformers.utils import logging  # transformers costs start-up time

    level = logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(level)


def logit_scale_of(model: Any) -> LogitScale:
    """How a model of several modalities turns cosines into logits.

    If it has several scales, as CLAP has, this is the mean of their logarithms.

    Args:
        model: A transformers model, whose parameters ``logit_scale…`` are the logarithms of its scales.

    Raises:
        ValueError: If the model has no scale.
    """
    own = {name: parameter.detach().float() for name, parameter in model.named_parameters(recurse=False)}
    scales = [value.mean() for name, value in own.items() if name.startswith("logit_scale")]
    if not scales:
        raise ValueError(f"transformers' {type(model).__name__} has no logit scale")
    if scales[0].is_meta:  # a dry run, in which there are no numbers
        return LogitScale(1.0)
    bias = [float(value.mean()) for name, value in own.items() if name.startswith("logit_bias")]
    return LogitScale(float(torch.stack(scales).mean().exp()), *bias)


def pooled_by_first_token(model: Any) -> PooledTransformer:
    """The same model with a pooler that gives the vector of its first token, for an encoder that takes that.

    Raises:
        ValueError: If its class has no pooler of one layer and a tanh, such as BERT's.
    """
    kind = type(model)
    if "add_pooling_layer" not in inspect.signature(kind.__init__).parameters:
        raise ValueError(f"transformers' {kind.__name__} has no pooler that could give the vector of the first token")
    made = kind(model.config, add_pooling_layer=True).eval()
    made.load_state_dict(model.state_dict(), strict=False)
    dense = next((part for part in made.pooler.modules() if isinstance(part, nn.Linear)), None)
    if dense is None or dense.weight.shape[0] != dense.weight.shape[1]:
        raise ValueError(f"the pooler of transformers' {kind.__name__} is not a square layer")
    with torch.no_grad():
        dense.weight.copy_(_SMALL * torch.eye(len(dense.weight)))
        dense.bias.zero_()
    return PooledTransformer(made, 1 / _SMALL)
