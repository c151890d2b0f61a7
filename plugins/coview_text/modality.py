"""Texts: how they become a batch, and how they are shown to a person."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge
from torch import Tensor

import coview
from coview_text import difference
from coview_text.raw import LatentSemantics
from coview_text.words import split

_SHOWN = 60


class TextModality:
    """Texts as ``str``.

    Encoders with a tokenizer make their batches themselves. For one without, a batch is a mapping of
    ``input_ids``, the UTF-8 bytes (N, T), and ``attention_mask``, 1 where there is one.

    Args:
        max_bytes: Longest batch for an encoder without a tokenizer, in bytes; a longer text is cut between two
            characters.
    """

    def __init__(self, *, max_bytes: Annotated[int, Ge(4)] = 1024) -> None:
        self.max_bytes = max_bytes

    def length(self, value: str, /) -> float:
        """In characters."""
        return len(value)

    def collate(self, values: Sequence[str], /) -> dict[str, Tensor]:
        """The UTF-8 bytes, padded to the longest; an empty text is one zero byte."""
        rows = [self._bytes(value) for value in values]
        ids_NT = np.zeros((len(rows), max(map(len, rows), default=0)), dtype=np.int64)
        mask_NT = np.zeros_like(ids_NT)
        for ids_T, mask_T, row in zip(ids_NT, mask_NT, rows, strict=True):
            ids_T[: len(row)] = np.frombuffer(row, dtype=np.uint8)
            mask_T[: len(row)] = 1
        return {"input_ids": torch.from_numpy(ids_NT), "attention_mask": torch.from_numpy(mask_NT)}

    def describe(self, value: str, /) -> str:
        """How many words, and how it begins."""
        begins = " ".join(value.split())
        shown = begins if len(begins) <= _SHOWN else begins[: _SHOWN - 1] + "…"
        count = len(split(value))
        return f"{count} word{'s' * (count != 1)}: “{shown}”"

    def read_typed(self, text: str, /) -> str:
        """The text."""
        return text

    def fit_raw(self, values: Iterable[str], /) -> Callable[[Sequence[str]], np.ndarray]:
        """Latent semantics: TF-IDF of words, reduced to 512 dimensions by a truncated SVD.

        Raises:
            CoviewError: If there is no word in any text.
        """
        return LatentSemantics.fitted(values)

    def preview(self, writer: Any, tag: str, rows: Sequence[Sequence[str]], step: int, /) -> None:
        """A table: a row for each sample, first the text, then its views with what differs marked."""
        columns = max(map(len, rows))
        lines = ["| " + " | ".join(["text", *(f"view {view}" for view in range(1, columns))]) + " |"]
        lines.append("|" + " --- |" * columns)
        for text, *views in rows:
            cells = [difference.markdown(text), *(difference.as_markdown(text, view) for view in views)]
            lines.append("| " + " | ".join(cells) + " |")
        writer.add_text(tag, "\n".join(lines), step)

    def to_html(self, value: str, /, original: str | None = None) -> str:
        """A ``<span>`` with the text; beside an original with ``<ins>`` and ``<del>`` where it differs."""
        inner = html.escape(value) if original is None else difference.as_html(original, value)
        return f'<span class="text" style="white-space: pre-wrap">{inner}</span>'

    def _bytes(self, value: str) -> bytes:
        if not isinstance(value, str):
            raise coview.CoviewError(f"a text has to be a str, and the data gives {type(value).__name__}")
        cut = value.encode("utf-8", "replace")[: self.max_bytes]
        return cut.decode("utf-8", "ignore").encode() or b"\0"
