"""``use = "hf:NAME"``: a text encoder of the Hugging Face hub, or a local folder in its format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
from annotated_types import Ge, Lt
from torch import Tensor, nn
from transformers import (
    MODEL_FOR_MASKED_LM_MAPPING,
    MODEL_MAPPING,
    AutoConfig,
    AutoModelForMaskedLM,
    AutoTokenizer,
)

import coview
from coview_text.encoders.loading import found, with_vocabulary
from coview_text.encoders.masked import MaskedTexts, pretraining_head
from coview_text.encoders.pooled import export_pooled
from coview_text.encoders.sentence_folder import write_sentence_folder
from coview_text.encoders.tokens import IN_WORDS, Pooling, Tokenize

_DROPOUTS = ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout", "embd_pdrop",
             "attn_pdrop", "resid_pdrop")  # fmt: skip


class HuggingFaceTextEncoder(MaskedTexts, nn.Module):
    """A text encoder that transformers loads, in float32, with its tokenizer.

    Args:
        pretrained: Start from its weights; false: from its architecture alone, with random weights.
        pooling: "mean" of all tokens, "cls" the first, "last" the last, for models that see to the left only. Never
            of padding. SimCSE: cls; sentence-transformers: mean.
        max_length: Tokens after which a text is cut. SimCSE: 32.
        dropout: In training, on hidden states and attention; what makes SimCSE's views differ. Absent: as the model
            has it, BERT 0.1.
        trust_remote_code: Run the Python code that comes with the model. Only for sources you trust.
    """

    def __init__(
        self,
        name: str,
        /,
        *,
        pretrained: bool = True,
        pooling: Pooling = "mean",
        max_length: Annotated[int, Ge(3)] = 128,
        dropout: Annotated[float, Ge(0), Lt(1)] | None = None,
        trust_remote_code: bool = False,
    ) -> None:
        super().__init__()
        self.pooling: Pooling = pooling
        with found("hf", name, trust_remote_code=trust_remote_code) as source:
            self.model = _load(source, pretrained, dropout, trust_remote_code)
            loaded: Any = AutoTokenizer.from_pretrained(source, trust_remote_code=trust_remote_code)
        tokenizer = with_vocabulary(loaded, f"hf:{name}")
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
        # RoBERTa has two positions more than it takes tokens, and only its tokenizer says so
        longest = min(getattr(self.model.config, "max_position_embeddings", max_length), tokenizer.model_max_length)
        if max_length > longest:
            raise ValueError(f"max_length = {max_length} is more than the {longest} tokens that {name} takes")
        self.collate = Tokenize(tokenizer, max_length)
        self.width = int(self.model.config.hidden_size)
        self._source, self._pretrained, self._trusts = name, pretrained, trust_remote_code
        self.hides = ()
        if type(self.model.config) in MODEL_FOR_MASKED_LM_MAPPING:  # others see what comes before a token only
            self.hides = ("replace", "drop", "swap")
            self.use_tokens(self.model, has_mask_token=tokenizer.mask_token is not None)
        self.model.train()

    def forward(self, batch: Mapping[str, Tensor]) -> coview.Encoding:
        """Pooled features (N, D), and those of each token (N, T, D)."""
        return self.encode_tokens(batch, None)

    def tokenizer(self) -> Any:
        """That of the model."""
        return self.collate.tokenizer

    def pretraining_head(self) -> nn.Module:
        """The head for masked tokens that came with the weights."""
        with found("hf", self._source, trust_remote_code=self._trusts) as source:
            of = _with_head(source, self._pretrained, self._trusts, self._source)
        return pretraining_head(of, self.model, f"hf:{self._source}")

    def layer_numbers(self) -> dict[str, int]:
        """Embeddings, then each layer."""
        return coview.stacked_layers(self)

    def export_hf(self, folder: Path, /) -> str:
        """Writes a transformers folder, tokenizer included."""
        return export(self.model, self.collate, self.pooling, folder)

    def export_pooled(self, folder: Path, /) -> coview.PooledTransformer:
        """The model with a pooler that gives what the run takes; the tokenizer goes into the folder."""
        return export_pooled(self.model, self.collate, self.pooling, folder)

    def export_sentence_transformers(self, folder: Path, /) -> str:
        """Writes a folder of sentence-transformers: transformer, tokenizer and pooling."""
        return write_sentence_folder(self.model, self.collate, self.pooling, folder)


def export(model: Any, collate: Tokenize, pooling: Pooling, folder: Path) -> str:
    """Writes a transformers folder of a model and its tokenizer, and returns the lines that load it."""
    with coview.no_progress_bar():
        model.save_pretrained(folder)
    collate.save(folder)
    return (
        f"from transformers import AutoModel, AutoTokenizer\n"
        f"tokenizer = AutoTokenizer.from_pretrained({str(folder)!r})\n"
        f"model = AutoModel.from_pretrained({str(folder)!r})\n"
        f"batch = tokenizer(texts, padding=True, truncation=True, max_length={collate.max_length}, "
        "return_tensors='pt')\n"
        "tokens = model(input_ids=batch['input_ids'], attention_mask=batch['attention_mask']).last_hidden_state\n"
        f"{IN_WORDS[pooling]}"
    )


def hf_text_encoder(name: str) -> Callable[..., HuggingFaceTextEncoder]:
    """The factory of ``hf:NAME``.

    Args:
        name: A hub id such as ``bert-base-uncased``, a model that ``coview data fetch`` brings, or a local folder.

    Raises:
        LookupError: If it is neither a folder nor of a hub id's form.
    """
    return partial(HuggingFaceTextEncoder, coview.folder_or_hub_id("hf", name, "config.json"))


def _load(source: str, pretrained: bool, dropout: float | None, trust_remote_code: bool) -> Any:
    config = AutoConfig.from_pretrained(source, trust_remote_code=trust_remote_code)
    if config.is_encoder_decoder:
        raise ValueError(f"{config.model_type} is an encoder with a decoder: give an encoder, or a decoder alone")
    if not hasattr(config, "hidden_size"):
        raise ValueError(f"{config.model_type} is not an encoder of texts")
    if dropout is not None:
        for key in _DROPOUTS:
            if hasattr(config, key):
                setattr(config, key, dropout)
    model_class: Any = MODEL_MAPPING.get(type(config), None)  # none for code that comes with the model
    if model_class is not None and model_class.main_input_name != "input_ids":
        raise ValueError(f"{config.model_type} takes {model_class.main_input_name}, not texts")
    return coview.load_transformer(source, config, pretrained=pretrained, trust_remote_code=trust_remote_code)


def _with_head(source: str, pretrained: bool, trust_remote_code: bool, name: str) -> Any:
    """The model for masked language modelling whose head is that of the encoder.

    Raises:
        CoviewError: If the weights have none.
    """
    options: dict[str, Any] = {"dtype": torch.float32, "trust_remote_code": trust_remote_code}
    if not pretrained or coview.on_meta_device():
        config = AutoConfig.from_pretrained(source, trust_remote_code=trust_remote_code)
        return AutoModelForMaskedLM.from_config(config, **options)  # type: ignore[no-untyped-call]
    model, loaded = AutoModelForMaskedLM.from_pretrained(source, output_loading_info=True, **options)
    tied = {f"{key}" for key in model.state_dict() if key.endswith(("decoder.weight", "decoder.bias"))}
    if missing := sorted(set(loaded["missing_keys"]) - tied):
        raise coview.CoviewError(
            f"hf:{name}: its weights have no head for masked tokens: {missing[0]} is missing",
            hint='take [decoder] use = "mlp", which starts with random weights',
        )
    return model
