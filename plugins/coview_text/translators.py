"""What translates texts in batches: a model of transformers, or Apertium."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import torch

import coview
from coview_text.encoders.loading import found, with_vocabulary


class Translator(Protocol):
    """Translates in one direction."""

    @property
    def direction(self) -> str:
        """What makes its translations others than another's."""
        ...

    def __call__(self, texts: Sequence[str], /) -> list[str]:
        """The translations, in the order of the texts."""
        ...


class ModelTranslator:
    """A sequence-to-sequence model of transformers, such as Marian or FSMT, decoding greedily.

    Args:
        name: A hub id or a local folder.
        max_length: Tokens after which a text, and its translation, is cut.
    """

    def __init__(self, name: str, max_length: int) -> None:
        self.name, self.max_length = name, max_length

    @property
    def direction(self) -> str:
        """The model, which knows its languages, and where it cuts."""
        return f"transformers {self.name} {self.max_length}"

    @torch.no_grad()
    def __call__(self, texts: Sequence[str], /) -> list[str]:
        """One pass for all texts."""
        tokenizer, model = self._loaded
        longest = min(self.max_length, getattr(model.config, "max_position_embeddings", self.max_length))
        batch = tokenizer(list(texts), truncation=True, max_length=longest, padding=True, return_tensors="pt")
        batch = {key: batch[key].to(model.device) for key in ("input_ids", "attention_mask")}
        tokens = model.generate(**batch, num_beams=1, do_sample=False, max_new_tokens=longest)
        return [str(text).strip() for text in tokenizer.batch_decode(tokens, skip_special_tokens=True)]

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

        device = "cuda" if torch.cuda.is_available() else "cpu"
        with found("hf", self.name) as source:
            model: Any = AutoModelForSeq2SeqLM.from_pretrained(source, dtype=torch.float32, trust_remote_code=False)
            tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        return with_vocabulary(tokenizer, self.name), model.eval().to(device)


class ApertiumTranslator:
    """Apertium, a rule-based translator that runs offline.

    Args:
        pair: A translation mode that is installed, such as "eng-spa".
    """

    def __init__(self, pair: str) -> None:
        self.pair = pair

    @property
    def direction(self) -> str:
        """The mode."""
        return f"apertium {self.pair}"

    def __call__(self, texts: Sequence[str], /) -> list[str]:
        """One call of the program for all texts, a paragraph each.

        Raises:
            CoviewError: If Apertium or the pair is not installed.
        """
        if shutil.which("apertium") is None:
            raise coview.CoviewError(
                "back_translation needs Apertium, which is not installed", hint=f"apt-get install apertium-{self.pair}"
            )
        lines = [" ".join(text.split()) for text in texts]
        done = subprocess.run(
            ["apertium", "-u", self.pair], input="\n\n".join(lines), capture_output=True, text=True, check=False
        )
        translated = [" ".join(part.split()) for part in done.stdout.split("\n\n")]
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["it gives no reason"])[0]
            raise coview.CoviewError(
                f"Apertium cannot translate {self.pair}: {said}", hint=f"apt-get install apertium-{self.pair}"
            )
        if len(translated) != len(lines):
            return [self([line])[0] for line in lines] if len(lines) > 1 else [" ".join(translated)]
        return translated
