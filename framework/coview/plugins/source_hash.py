"""A hash of a component's source: of its module, and of what that imports of its own plugin.

Read, not imported: the files are found by the import system and parsed for their imports. Which version of another
package a component uses is the environment's to say, and not part of it.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec, resolve_name
from pathlib import Path


@cache
def source_hash(target: str, within: str) -> str:
    """Twelve hex digits of all source that a component's target rests on; empty if there is no such module.

    Args:
        target: ``module:attribute``.
        within: The package whose modules count besides the target's own.
    """
    digests: dict[str, str] = {}
    todo = [target.partition(":")[0]]
    while todo:
        name = todo.pop()
        path = None if name in digests else _file_of(name)
        if path is None:
            continue
        source = path.read_bytes()
        digests[name] = hashlib.sha256(source).hexdigest()
        is_package = path.name == "__init__.py"
        todo += [other for other in _imports(source, name, is_package) if f"{other}.".startswith(f"{within}.")]
    if not digests:
        return ""
    return hashlib.sha256("\n".join(f"{name} {digests[name]}" for name in sorted(digests)).encode()).hexdigest()[:12]


def _file_of(module: str) -> Path | None:
    try:
        found = find_spec(module)
    except (ImportError, ValueError, AttributeError):  # a name of something in a module, or no module at all
        return None
    path = Path(found.origin) if found is not None and found.origin else None
    return path if path is not None and path.is_file() else None


def _imports(source: bytes, module: str, is_package: bool) -> Iterator[str]:
    """The names of what a module imports; some are not of modules."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # compiled code, or none that runs
        return
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            try:
                base = (
                    resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module or ""
                )
            except ImportError:  # it goes beyond the top
                continue
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
