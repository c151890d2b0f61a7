"""``use = "sentence-transformers:NAME"``: the picture encoder of such a model for pictures and texts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

import coview

_CONTENTS = "what SentenceTransformer.save writes: modules.json and the folders that it names"
_OF_TEXTS = (".text_", ".logit_")


class SentenceTransformerImageEncoder(nn.Module):
    """The picture encoder of a sentence-transformers model for pictures and texts (``clip-ViT-B-32``), in float32.

    Its vector of a picture is the output of the model's ``encode``, so it is in the same space as the vectors of texts.
    ``[modality]`` prepares the pictures: set its ``size``, ``mean`` and ``std`` to those of the model.

    Args:
        trust_remote_code: Run the Python code that comes with the model. Only for sources you trust.
    """

    starts_trained: ClassVar[bool] = True

    def __init__(self, name: str, /, *, trust_remote_code: bool = False) -> None:
        super().__init__()
        family = "sentence-transformers"
        # weights cannot be loaded onto the meta device of a dry run
        with (
            torch.device("cpu"),
            coview.model_source(family, name, contents=_CONTENTS, trust_remote_code=trust_remote_code) as source,
            source.loading() as loaded_by,
        ):
            self.model = SentenceTransformer(
                loaded_by, device="cpu", trust_remote_code=trust_remote_code, model_kwargs={"dtype": torch.float32}
            )
        if "image" not in getattr(self.model[0], "modalities", ()):
            raise ValueError(f"{name} is not a model of pictures")
        self.width = int(self.model.get_embedding_dimension() or 0)
        for weight_name, weight in self.model.named_parameters():
            if any(part in weight_name for part in _OF_TEXTS):  # pictures do not pass through it
                weight.requires_grad_(False)
        if coview.on_meta_device():
            self.to("meta")
        self.model.train()

    def forward(self, x_NCHW: Tensor) -> coview.Encoding:
        """The embeddings (N, D)."""
        given: dict[str, Any] = {"pixel_values": x_NCHW, "modality": "image"}
        try:
            found: dict[str, Any] = self.model(given)
        except ValueError as error:  # so transformers refuses pictures of another size
            raise coview.CoviewError(
                f"the model cannot encode a batch of shape {tuple(x_NCHW.shape)}: {error}",
                hint="set size in [modality], and in random_resized_crop, to the size that the model takes",
            ) from error
        return coview.Encoding(found["sentence_embedding"])

    def layer_numbers(self) -> dict[str, int]:
        """Embeddings, then each layer."""
        return coview.stacked_layers(self, "vision_model")

    def export_hf(self, folder: Path, /) -> str:
        """Writes a folder of sentence-transformers with the whole model, for pictures and texts."""
        return self.export_sentence_transformers(folder)

    def export_sentence_transformers(self, folder: Path, /) -> str:
        """Writes a folder of sentence-transformers with the whole model, for pictures and texts."""
        with coview.no_progress_bar():
            self.model.save(str(folder))
        return (
            "from sentence_transformers import SentenceTransformer\n"
            f"model = SentenceTransformer({str(folder)!r})\n"
            "features = model.encode(pictures, convert_to_tensor=True)"
        )


def sentence_transformer(name: str) -> Callable[..., SentenceTransformerImageEncoder]:
    """The factory of ``sentence-transformers:NAME``.

    Args:
        name: A hub id such as ``sentence-transformers/clip-ViT-B-32``, or a local folder.

    Raises:
        LookupError: If it is neither a folder nor of a hub id's form.
    """
    found = coview.folder_or_hub_id("sentence-transformers", name, "modules.json")
    return partial(SentenceTransformerImageEncoder, found)
