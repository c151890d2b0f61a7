"""A transformers model of texts whose own pooler makes what the run pools."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch

import coview
from coview_text.encoders.tokens import Pooling, Tokenize, pool

_TEXTS = ("one", "two words, and more")


def export_pooled(model: Any, collate: Tokenize, pooling: Pooling, folder: Path) -> coview.PooledTransformer:
    """The model with such a pooler, and its tokenizer in the folder.

    Args:
        model: A transformers model with ``last_hidden_state``.
        collate: Its tokenizer.
        pooling: How the run makes a text's vector of its tokens'.
        folder: Where the tokenizer goes.

    Raises:
        ValueError: If the model's class has none.
    """
    pooled = _with_pooler(copy.deepcopy(model).eval(), collate, pooling)
    collate.save(folder)
    return pooled


def _with_pooler(model: Any, collate: Tokenize, pooling: Pooling) -> coview.PooledTransformer:
    batch = collate(_TEXTS)
    with torch.no_grad():
        output = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    own_ND = getattr(output, "pooler_output", None)
    wanted_ND = pool(output.last_hidden_state, batch["attention_mask"].bool(), pooling)
    if own_ND is not None and torch.allclose(own_ND, wanted_ND, atol=1e-5):  # as CLIP's, of the last token
        return coview.PooledTransformer(model)
    if pooling != "cls":
        raise ValueError(
            f'pooling = "{pooling}" differs from that of transformers\' {type(model).__name__}, which takes the '
            'first token: pooling = "cls" is the same'
        )
    return coview.pooled_by_first_token(model)
