"""Code that a model's folder asks for by name: no file of it may have any run that nobody has agreed to.

transformers and sentence-transformers import classes that a folder's JSON files name. Which of them they ask about
first has changed from release to release, so coview looks for itself.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_OWN = ("sentence_transformers.", "torch.nn.")
"""What classes of the libraries' own begin with."""
_CLASSES = frozenset({"activation_function", "activation_fn", "tokenizer_class"})
_KERNELS = frozenset({"attn_implementation", "_attn_implementation"})


def foreign_code(folder: Path) -> str | None:
    """The first file of a folder that names a class of no library's, a kernel of the hub's or another folder, in words.

    Code that ``auto_map`` names is left to transformers: it asks before it runs any, and prefers its own to it.

    Raises:
        ValueError: If such a file is not JSON.
        OSError: If one cannot be read.
    """
    for path in _json_files(folder):
        content = read_json(path)
        for name in _named(content, is_list_of_modules=path.name == "modules.json"):
            return f"{path.relative_to(folder)} names {name}"
    return None


def read_json(path: Path) -> Any:
    """What is in a file.

    Raises:
        ValueError: If it is not JSON.
        OSError: If it cannot be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} is damaged: {error}") from error


def _json_files(folder: Path) -> Iterator[Path]:
    """Those that classes are named in, also behind links: a module's folder may be one."""
    seen = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        if (real := os.path.realpath(parent)) in seen:
            folders.clear()
            continue
        seen.add(real)
        named = (name for name in files if name == "modules.json" or ("config" in name and name.endswith(".json")))
        yield from (Path(parent, name) for name in sorted(named))


def _named(content: Any, *, is_list_of_modules: bool) -> Iterator[str]:
    if isinstance(content, list):
        for item in content:
            yield from _named(item, is_list_of_modules=is_list_of_modules)
    if not isinstance(content, Mapping):
        return
    for key, value in content.items():
        if key in _KERNELS:
            yield from (name for name in _texts(value) if "/" in name)
        elif key in _CLASSES or key == "types" or (is_list_of_modules and key == "type"):
            yield from (name for name in _texts(value) if "." in name and not name.startswith(_OWN))
        elif is_list_of_modules and key == "path":  # a module elsewhere would name what nobody has looked at
            yield from (name for name in _texts(value) if ".." in Path(name).parts or Path(name).is_absolute())
        else:
            yield from _named(value, is_list_of_modules=False)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
