"""A hash of what a value is, the same for the same content in every process: how duplicates are found."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


def content_hash(value: Any) -> int | None:
    """A non-negative int64 of a value of whatever modality; None for one that holds something of no known kind.

    Two values that :func:`coview.data.same.same` finds equal have one hash, but for NaNs of different bits; two
    others of a million have one hash with a probability of 10⁻⁷.
    """
    digest = hashlib.blake2b(digest_size=8)
    try:
        for part in _parts(value):
            digest.update(part)
    except TypeError:
        return None
    return int.from_bytes(digest.digest(), "little") >> 1


def _parts(value: Any) -> Iterator[bytes]:
    """What tells the value from others. A length or a shape goes ahead of each content, so that none runs on."""
    torch = sys.modules.get("torch")  # there is no tensor before it is imported, which takes seconds
    if torch is not None and isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray) and value.dtype != object:
        yield f"array {value.dtype.str} {value.shape} ".encode()
        yield np.ascontiguousarray(value).tobytes()
    elif isinstance(value, str | bytes):
        content = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        yield f"{type(value).__name__} {len(content)} ".encode()
        yield content
    elif isinstance(value, float):
        yield f"float {value + 0.0!r} ".encode()  # 0.0 is equal to -0.0
    elif value is None or isinstance(value, bool | int | np.generic):
        yield f"{type(value).__name__} {value!r} ".encode()
    elif is_dataclass(value) and not isinstance(value, type):
        yield f"{type(value).__qualname__} ".encode()
        for field in fields(value):
            yield from _parts(getattr(value, field.name))
    elif isinstance(value, Mapping):
        yield f"mapping {len(value)} ".encode()
        for key in sorted(value, key=repr):
            yield from _parts(key)
            yield from _parts(value[key])
    elif isinstance(value, Sequence):
        yield f"sequence {len(value)} ".encode()
        for item in value:
            yield from _parts(item)
    else:
        raise TypeError(f"values of the type {type(value).__name__} cannot be compared by their content")
