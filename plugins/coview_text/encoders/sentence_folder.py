"""A transformers model of texts and its pooling as a folder of sentence-transformers."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import coview
from coview_text.encoders.tokens import Pooling, Tokenize

_MODES: dict[Pooling, str] = {
    "mean": "pooling_mode_mean_tokens",
    "cls": "pooling_mode_cls_token",
    "last": "pooling_mode_lasttoken",
}

_TRANSFORMER = "sentence_transformers.base.modules.transformer.Transformer"


def write_sentence_folder(model: Any, collate: Tokenize, pooling: Pooling, folder: Path) -> str:
    """Writes the folder, and returns the lines that load it.

    The files are those of sentence-transformers 2 to 6 (sbert.net, "Saving Sentence Transformer Models"): the library
    writes them only of a model that it has loaded itself, with a random pooler where the run has none.

    Args:
        model: A transformers model with ``last_hidden_state``.
        collate: Its tokenizer, and the tokens after which a text is cut.
        pooling: How a text's vector is made of its tokens'.
        folder: An empty one.
    """
    with coview.no_progress_bar():
        model.save_pretrained(folder)
    collate.save(folder)
    takes_pooler = "add_pooling_layer" in inspect.signature(type(model).__init__).parameters
    without = {"model_args": {"add_pooling_layer": False}} if takes_pooler else {}
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    ]
    modes = {key: mode == pooling for mode, key in _MODES.items()}
    (folder / "1_Pooling").mkdir()
    for name, content in {
        "modules.json": modules,
        "sentence_bert_config.json": {"max_seq_length": collate.max_length, "do_lower_case": False, **without},
        "1_Pooling/config.json": {"word_embedding_dimension": int(model.config.hidden_size), **modes},
        "config_sentence_transformers.json": {"similarity_fn_name": "cosine"},
    }.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return loading_lines(folder)


def write_pooled_sentence_folder(model: Any, collate: Tokenize, folder: Path) -> str:
    """Writes the folder of a model whose own pooler makes the vector of a text, and returns the lines that load it.

    The files are those that sentence-transformers 6 writes of a model that it has loaded itself.

    Args:
        model: A transformers model with ``pooler_output``, which ``AutoModel`` loads.
        collate: As of :func:`write_sentence_folder`.
        folder: An empty one.
    """
    with coview.no_progress_bar():
        model.save_pretrained(folder)
    collate.save(folder)
    for name, content in {
        "modules.json": [{"idx": 0, "name": "0", "path": "", "type": _TRANSFORMER}],
        "sentence_bert_config.json": {
            "transformer_task": "feature-extraction",
            "modality_config": {"text": {"method": "forward", "method_output_name": "pooler_output"}},
            "module_output_name": "sentence_embedding",
        },
        "config_sentence_transformers.json": {"similarity_fn_name": "cosine"},
    }.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return loading_lines(folder)


def loading_lines(folder: Path) -> str:
    """The lines that load a folder and encode by it."""
    return (
        "from sentence_transformers import SentenceTransformer\n"
        f"model = SentenceTransformer({str(folder)!r})\n"
        "features = model.encode(texts, convert_to_tensor=True)"
    )
