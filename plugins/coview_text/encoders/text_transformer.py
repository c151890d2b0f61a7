"""A transformer from scratch, with a tokenizer trained on the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge, Gt, Lt
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor, nn
from transformers import BertConfig, BertForMaskedLM, BertModel, PreTrainedTokenizerFast

import coview
from coview_text.encoders.hf import export
from coview_text.encoders.masked import MaskedTexts, pretraining_head
from coview_text.encoders.pooled import export_pooled
from coview_text.encoders.sentence_folder import write_sentence_folder
from coview_text.encoders.tokens import Pooling, Tokenize

_PAD, _CLS, _SEP = "[PAD]", "[CLS]", "[SEP]"
_SPECIAL = (_PAD, _CLS, _SEP)


class TextTransformer(MaskedTexts, nn.Module):
    """BERT's architecture in any size, its weights random, over byte-level BPE tokens.

    The tokenizer is trained on the training texts before the first step and is stored in the checkpoint. It works on
    bytes, so that no character is unknown to it.

    Args:
        vocabulary: Most tokens of the tokenizer; BERT: 30522.
        lowercase: Whether the tokenizer sees lower case only; BERT uncased: true.
        max_length: Tokens after which a text is cut; BERT: 512.
        width: Width of the hidden states; BERT: 768.
        layers: Layers of the transformer; BERT: 12.
        heads: Heads of its attention; ``width`` has to be a multiple of it; BERT: 12.
        dropout: In training, on hidden states and attention; BERT and SimCSE: 0.1.
        pooling: "mean" of all tokens, "cls" the first, "last" the last. Never of padding.
    """

    starts_trained: ClassVar[bool] = False

    def __init__(
        self,
        *,
        vocabulary: Annotated[int, Ge(300)] = 8000,
        lowercase: bool = True,
        max_length: Annotated[int, Ge(3)] = 128,
        width: Annotated[int, Gt(0)] = 256,
        layers: Annotated[int, Ge(1)] = 4,
        heads: Annotated[int, Ge(1)] = 4,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.1,
        pooling: Pooling = "mean",
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width = {width} is not a multiple of heads = {heads}")
        self.vocabulary, self.lowercase, self.max_length = vocabulary, lowercase, max_length
        self.pooling: Pooling = pooling
        self.width = width
        config = BertConfig(
            vocab_size=vocabulary,
            hidden_size=width,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=4 * width,
            max_position_embeddings=max_length,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
            pad_token_id=0,
        )
        self.model = BertModel(config, add_pooling_layer=False)
        self.use_tokens(self.model, has_mask_token=False)
        self._tokenize: Tokenize | None = None

    def fit(self, values: Iterable[str], /) -> None:
        """Trains the tokenizer."""
        tokenizer = Tokenizer(models.BPE())
        steps = [normalizers.NFC(), *[normalizers.Lowercase()] * self.lowercase]
        tokenizer.normalizer = normalizers.Sequence(steps)
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=self.vocabulary,
            special_tokens=list(_SPECIAL),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(values, trainer)
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{_CLS} $A {_SEP}", special_tokens=[(token, _SPECIAL.index(token)) for token in (_CLS, _SEP)]
        )
        self._use(tokenizer.to_str())

    def collate(self, values: Sequence[str], /) -> dict[str, Tensor]:
        """As :class:`Tokenize`."""
        if self._tokenize is None:
            raise RuntimeError("the tokenizer has not been fitted")
        return self._tokenize(values)

    def forward(self, batch: Mapping[str, Tensor]) -> coview.Encoding:
        """Pooled features (N, D), and those of each token (N, T, D)."""
        return self.encode_tokens(batch, None)

    def tokenizer(self) -> Any:
        """The one that was fitted."""
        assert self._tokenize is not None, "a run has fitted it"
        return self._tokenize.tokenizer

    def pretraining_head(self) -> nn.Module:
        """BERT's, with random weights."""
        of: Any = BertForMaskedLM(self.model.config)
        return pretraining_head(of, self.model, "transformer")

    def layer_numbers(self) -> dict[str, int]:
        """Embeddings, then each layer."""
        return coview.stacked_layers(self)

    def export_hf(self, folder: Path, /) -> str:
        """Writes a transformers folder, tokenizer included."""
        assert self._tokenize is not None, "a run has fitted it"
        return export(self.model, self._tokenize, self.pooling, folder)

    def export_pooled(self, folder: Path, /) -> coview.PooledTransformer:
        """The model with a pooler that gives what the run takes; the tokenizer goes into the folder."""
        assert self._tokenize is not None, "a run has fitted it"
        return export_pooled(self.model, self._tokenize, self.pooling, folder)

    def export_sentence_transformers(self, folder: Path, /) -> str:
        """Writes a folder of sentence-transformers: transformer, tokenizer and pooling."""
        assert self._tokenize is not None, "a run has fitted it"
        return write_sentence_folder(self.model, self._tokenize, self.pooling, folder)

    def get_extra_state(self) -> Tensor:
        """The tokenizer's JSON as bytes, which every kind of checkpoint can hold."""
        if self._tokenize is None:
            return torch.zeros(1, dtype=torch.uint8, device="cpu")
        text = self._tokenize.tokenizer.backend_tokenizer.to_str()
        return torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)

    def set_extra_state(self, state: Any) -> None:
        """What :meth:`get_extra_state` gave."""
        if state.numel() > 1:
            self._use(state.cpu().numpy().tobytes().decode())

    def _use(self, text: str) -> None:
        tokenizer: Any = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
            tokenizer_object=Tokenizer.from_str(text), pad_token=_PAD, cls_token=_CLS, sep_token=_SEP
        )
        self._tokenize = Tokenize(tokenizer, self.max_length)
