"""What cards can do: of published data sheets, or as the user has measured it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from coview.errors import CoviewError
from coview.plugins.nearest import did_you_mean
from coview.train.device import Precision

HERE = "here"
"""In place of the name of a card: the CPU of this machine."""

_GIGA, _TERA = 1e9, 1e12


@dataclass(frozen=True)
class Card:
    """What one device of a run can do at its best.

    Attributes:
        name: As it was asked for.
        flops: Operations a second by the type of their numbers: ``bf16``, ``fp16``, ``tf32``, ``fp32``.
        memory: Bytes.
        bandwidth: Of its memory, bytes a second.
        link: To other cards, bytes a second in one direction.
        source: Who says so.
    """

    name: str
    flops: Mapping[str, float]
    memory: float
    bandwidth: float
    link: float
    source: str

    @property
    def is_cpu(self) -> bool:
        """Whether it is this machine's CPU, which also makes the views."""
        return self.name == HERE

    def best_precision(self) -> Precision:
        """What ``train.precision = "auto"`` is on it."""
        return "bf16" if "bf16" in self.flops else "fp16" if "fp16" in self.flops else "fp32"

    def peak(self, dtype: str, *, is_convolution: bool) -> float:
        """Operations a second of numbers of a type. PyTorch computes convolutions of fp32 in TF32, and no other."""
        if dtype == "fp32" and is_convolution:
            return self.flops.get("tf32", self.flops["fp32"])
        of_16_bits = self.flops.get("bf16", self.flops.get("fp16"))  # which of the two is as fast as the other
        return self.flops["fp32"] if dtype == "fp32" or of_16_bits is None else of_16_bits

    def measured(self, *, tflops: float | None = None, memory: float | None = None, link: float | None = None) -> Card:
        """The same with figures of the user's: TFLOP/s of any type of number, 10^9 bytes, 10^9 bytes a second."""
        card = self
        for name, value in (("tflops", tflops), ("memory", memory), ("link", link)):
            if value is not None and not value > 0:
                raise CoviewError(f"{name}: has to be more than 0, got {value}")
        if tflops is not None:
            card = replace(card, flops=dict.fromkeys(card.flops, tflops * _TERA))
        if memory is not None:
            card = replace(card, memory=memory * _GIGA)
        if link is not None:
            card = replace(card, link=link * _GIGA)
        given = [name for name, value in (("TFLOP/s", tflops), ("memory", memory), ("link", link)) if value is not None]
        return replace(card, source=f"{card.source}; {', '.join(given)} as given") if given else card


@cache
def known_cards() -> Mapping[str, Card]:
    """The cards of the table, by name."""
    table: dict[str, Any] = tomllib.loads((files(__package__) / "cards.toml").read_text(encoding="utf-8"))
    return {
        name: Card(
            name,
            {dtype: value * _TERA for dtype, value in row["tflops"].items()},
            row["memory"] * _GIGA,
            row["bandwidth"] * _GIGA,
            row["link"] * _GIGA,
            row["source"],
        )
        for name, row in table.items()
    }


def card_of(name: str) -> Card:
    """A card of the table.

    Raises:
        CoviewError: If it is not in it, with those that are.
    """
    cards = known_cards()
    if name.lower() in cards:
        return cards[name.lower()]
    names = [*cards, HERE]
    # the memory is part of some names: "a100" is near to both
    beginning = [known for known in cards if known.startswith(f"{name.lower()}-")]
    near = f", did you mean {' or '.join(beginning)}?" if beginning else did_you_mean(name, names)
    raise CoviewError(
        f'--device: there is no card "{name}" in the table{near}',
        hint=f"known: {', '.join(names)}; of another card give --tflops, --memory and --link beside the nearest one",
    )
