"""What makes a transformers folder of pictures one that sentence-transformers loads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

_TRANSFORMER = "sentence_transformers.base.modules.transformer.Transformer"
_POOLING = "sentence_transformers.sentence_transformer.modules.pooling.Pooling"


def write_sentence_files(
    folder: Path, *, width: int, pooling: Literal["cls", "mean"] | None = None, runs_code: bool = False
) -> str:
    """Writes the files beside the model's, and returns the lines that load the folder.

    The files are those that sentence-transformers 6 writes of a model that it has loaded itself.

    Args:
        folder: With a model and its image processor, as transformers loads them.
        width: Of the vectors.
        pooling: How a vector is made of the tokens' or places'; None: it is the model's ``pooler_output``.
        runs_code: Whether the folder has Python code of its own, which the library runs only if it is told to.
    """
    output = "last_hidden_state" if pooling else "pooler_output"
    modules = [{"idx": 0, "name": "0", "path": "", "type": _TRANSFORMER}]
    files: dict[str, Any] = {
        "modules.json": modules,
        "sentence_bert_config.json": {
            "transformer_task": "feature-extraction",
            "modality_config": {"image": {"method": "forward", "method_output_name": output}},
            "module_output_name": "token_embeddings" if pooling else "sentence_embedding",
        },
        "config_sentence_transformers.json": {"similarity_fn_name": "cosine"},
    }
    if pooling:
        modules.append({"idx": 1, "name": "1", "path": "1_Pooling", "type": _POOLING})
        files["1_Pooling/config.json"] = {"embedding_dimension": width, "pooling_mode": pooling}
        (folder / "1_Pooling").mkdir()
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    trusted = ", trust_remote_code=True" if runs_code else ""
    return (
        "from sentence_transformers import SentenceTransformer\n"
        f"model = SentenceTransformer({str(folder)!r}{trusted})\n"
        "features = model.encode(pictures, convert_to_tensor=True)"
    )
