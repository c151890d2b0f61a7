"""``use = "sentence-transformers:NAME"``: a model of sentence-transformers, its pooling and what follows included."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

import coview
from coview_text.encoders.by_length import by_length
from coview_text.encoders.loading import found, with_vocabulary
from coview_text.encoders.sentence_folder import loading_lines
from coview_text.encoders.tokens import Tokenize

_OF_PICTURES = (".vision_", ".visual_", ".audio_", ".logit_")


class SentenceTransformerEncoder(nn.Module):
    """A model of sentence-transformers for texts, in float32, as it is: transformer, pooling, and what follows.

    If the model is for pictures and texts, such as CLIP, this is its text encoder.

    Args:
        max_length: Tokens after which a text is cut. Absent: the model's own.
        trust_remote_code: Run the Python code that comes with the model. Only for sources you trust.
    """

    starts_trained: ClassVar[bool] = True

    def __init__(
        self, name: str, /, *, max_length: Annotated[int, Ge(3)] | None = None, trust_remote_code: bool = False
    ) -> None:
        super().__init__()
        # a meta-device model is only to be looked at, and weights cannot be loaded onto it
        with (
            torch.device("cpu"),
            found("sentence-transformers", name, trust_remote_code=trust_remote_code) as source,
        ):
            self.model = SentenceTransformer(
                source, device="cpu", trust_remote_code=trust_remote_code, model_kwargs={"dtype": torch.float32}
            )
        tokenizer = self.model.tokenizer
        if not callable(tokenizer) or getattr(tokenizer, "pad_token_id", None) is None:
            raise ValueError(f"{name} is not a model of texts with a tokenizer of transformers'")
        with_vocabulary(tokenizer, f"sentence-transformers:{name}")
        self.collate = Tokenize(tokenizer, max_length or self.model.max_seq_length or tokenizer.model_max_length)
        self.width = int(self.model.get_embedding_dimension() or 0)
        several = len(getattr(self.model[0], "modalities", ())) > 1
        for weight_name, weight in self.model.named_parameters():
            # sentence-transformers does not use BERT's own pooler, and texts do not pass through the picture encoder
            if ".pooler." in weight_name or (several and any(part in weight_name for part in _OF_PICTURES)):
                weight.requires_grad_(False)
        if coview.on_meta_device():
            self.to("meta")
        self.model.train()

    def forward(self, batch: Mapping[str, Tensor]) -> coview.Encoding:
        """The sentence embeddings (N, D), and the vectors of the tokens where the model keeps them."""
        mask_NT = batch["attention_mask"]
        if mask_NT.is_meta:  # transformers looks into the mask, where there is nothing to look at
            return coview.Encoding(torch.empty(len(mask_NT), self.width, device="meta"))

        def run(part: dict[str, Tensor]) -> list[Tensor]:
            found: dict[str, Any] = self.model(part)
            tokens_NTD = found.get("token_embeddings")
            return [found["sentence_embedding"], *([] if tokens_NTD is None else [tokens_NTD])]

        pooled_ND, *tokens = by_length(run, batch, mask_NT)
        return coview.Encoding(pooled_ND, tokens[0] if tokens else None, mask_NT.bool())

    def layer_numbers(self) -> dict[str, int]:
        """Embeddings, then each layer."""
        return coview.stacked_layers(self, "text_model")

    def export_hf(self, folder: Path, /) -> str:
        """Writes a folder of sentence-transformers, which transformers loads too, without what follows the pooling."""
        return self.export_sentence_transformers(folder)

    def export_sentence_transformers(self, folder: Path, /) -> str:
        """Writes a folder of sentence-transformers whose texts are cut, and prompted, as here: by no prompt."""
        model = self.model
        kept = model.max_seq_length, model.default_prompt_name
        model.max_seq_length, model.default_prompt_name = self.collate.max_length, None
        try:
            with coview.no_progress_bar():
                model.save(str(folder))
        finally:
            model.max_seq_length, model.default_prompt_name = kept
        return loading_lines(folder)


def sentence_transformer(name: str) -> Callable[..., SentenceTransformerEncoder]:
    """The factory of ``sentence-transformers:NAME``.

    Args:
        name: A hub id such as ``sentence-transformers/all-mpnet-base-v2``, a model that ``coview data fetch`` brings,
            or a local folder.

    Raises:
        LookupError: If it is neither a folder nor of a hub id's form.
    """
    return partial(SentenceTransformerEncoder, coview.folder_or_hub_id("sentence-transformers", name, "modules.json"))
