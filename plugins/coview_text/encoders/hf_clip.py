"""``use = "hf-clip:NAME"``: the text encoder of a pretrained model of texts and pictures, or of texts and sounds."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge
from torch import Tensor
from transformers import MODEL_MAPPING, AutoConfig, AutoTokenizer

import coview
from coview_text.encoders.by_length import by_length
from coview_text.encoders.loading import found, with_vocabulary
from coview_text.encoders.sentence_folder import write_pooled_sentence_folder
from coview_text.encoders.tokens import Tokenize

_FILLED_UP = ("siglip", "siglip2")
"""Types of models that were trained on texts filled up with padding. They read the padding, and pool the last token."""


class HFClipTextEncoder(coview.TransformerPart):
    """The text encoder of a pretrained CLIP, SigLIP, SigLIP 2 or CLAP that transformers loads, in float32.

    It has the model's tokenizer, and the model's own pooling makes the vector of a text.

    ``[projector] use = "own"`` is the model's projection. With "own" as their parameter, the losses ``clip`` and
    ``siglip`` start from the model's scale and bias.

    Args:
        pretrained: Start from its weights; false: from its architecture alone, with random weights.
        max_length: Tokens after which a text is cut. Absent: as many as the model takes. SigLIP takes no other number.
        trust_remote_code: Run the Python code that comes with the model. Only for sources you trust.
    """

    def __init__(
        self,
        name: str,
        /,
        *,
        pretrained: bool = True,
        max_length: Annotated[int, Ge(3)] | None = None,
        trust_remote_code: bool = False,
    ) -> None:
        with found("hf-clip", name, trust_remote_code=trust_remote_code) as source:
            config: Any = AutoConfig.from_pretrained(source, trust_remote_code=trust_remote_code)
            if getattr(config, "text_config", None) is None:
                raise ValueError(
                    f"{name} is not a model of texts and of pictures or sounds, but of type {config.model_type}"
                )
            whole = coview.load_transformer(source, config, pretrained=pretrained, trust_remote_code=trust_remote_code)
            loaded: Any = AutoTokenizer.from_pretrained(source, trust_remote_code=trust_remote_code)
        fills_up = config.model_type in _FILLED_UP
        # SigLIP's text encoder ends in a layer with another width
        width = config.text_config.projection_size if fills_up else None
        super().__init__(whole, "text_model", "text_projection", width=width)
        tokenizer = with_vocabulary(loaded, f"hf-clip:{name}")
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
        # CLAP's RoBERTa has two more positions than it takes tokens, and only its tokenizer says so
        longest = min(self.model.config.max_position_embeddings, tokenizer.model_max_length)
        if (max_length or longest) > longest:
            raise ValueError(f"max_length = {max_length} is more than the {longest} tokens that {name} takes")
        if fills_up and max_length not in (None, longest):
            raise ValueError(
                f"max_length = {max_length}: {name} takes texts padded to {longest} tokens; leave out max_length"
            )
        self.collate = Tokenize(tokenizer, max_length or longest, fills_up)

    def forward(self, batch: Mapping[str, Tensor]) -> coview.Encoding:
        """Pooled features (N, D), and those of each token (N, T, D)."""
        mask_NT = batch["attention_mask"]
        if self.collate.fills_up:
            output = self.model(input_ids=batch["input_ids"])
            return coview.Encoding(output.pooler_output, output.last_hidden_state)

        def run(part: dict[str, Tensor]) -> list[Tensor]:
            output = self.model(**part)
            return [output.pooler_output, output.last_hidden_state]

        given = {"input_ids": batch["input_ids"], "attention_mask": mask_NT}
        pooled_ND, tokens_NTD = by_length(run, given, mask_NT)
        return coview.Encoding(pooled_ND, tokens_NTD, mask_NT.bool())

    def save_preparation(self, folder: Path, /) -> str:
        """Writes the tokenizer."""
        self.collate.save(folder)
        return f"{self._prepared(folder)}\ntext_projections = model.get_text_features(**batch).pooler_output"

    def export_hf(self, folder: Path, /) -> str:
        """Writes a transformers folder with this encoder only, tokenizer included."""
        loaded = self.save_alone(folder)
        self.collate.save(folder)
        return f"{self._prepared(folder)}\n{loaded}\nfeatures = model(**batch).pooler_output"

    def export_sentence_transformers(self, folder: Path, /) -> str:
        """Writes a folder of sentence-transformers with this encoder only.

        Raises:
            CoviewError: If transformers' ``AutoModel``, which sentence-transformers calls, does not load it.
        """
        if type(self.model.config) not in MODEL_MAPPING:
            raise coview.CoviewError(
                f"sentence-transformers cannot load transformers' {type(self.model).__name__} by itself",
                hint="coview export --to hf writes it, and both towers together",
            )
        return write_pooled_sentence_folder(self.model, self.collate, folder)

    def export_pooled(self, folder: Path, /) -> coview.PooledTransformer:
        """The encoder, which has its own pooler. It writes the tokenizer into the folder.

        Raises:
            ValueError: If the encoder reads padding. The lines for a ``VisionTextDualEncoderModel`` make no padding.
        """
        if self.collate.fills_up:
            kind = self.whole_config.model_type
            raise ValueError(f"{kind} reads padded texts, and a VisionTextDualEncoder does not pad")
        self.collate.save(folder)
        return coview.PooledTransformer(copy.deepcopy(self.model).eval())

    def _prepared(self, folder: Path) -> str:
        """The Python lines that make a batch of texts."""
        padding = "'max_length', return_attention_mask=False" if self.collate.fills_up else "True"
        return (
            f"from transformers import AutoTokenizer\ntokenizer = AutoTokenizer.from_pretrained({str(folder)!r})\n"
            f"batch = tokenizer(texts, padding={padding}, truncation=True, max_length={self.collate.max_length}, "
            "return_tensors='pt')"
        )


def hf_clip_text_encoder(name: str) -> Callable[..., HFClipTextEncoder]:
    """The factory of ``hf-clip:NAME``.

    Args:
        name: A hub id such as ``openai/clip-vit-base-patch32``, or a local folder with a ``config.json``.

    Raises:
        LookupError: If it is neither a folder nor of a hub id's form.
    """
    return partial(HFClipTextEncoder, coview.folder_or_hub_id("hf-clip", name, "config.json"))
