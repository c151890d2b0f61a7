"""A hash of a component's source: of its module, and of what that imports of its own plugin.

Read, not imported: the files are found by the import system and parsed for their imports. Which version of another
package a component uses is the environment's to say, and not part of it.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec, resolve_name
from pathlib import Path
from zipimport import zipimporter


@cache
def source_hash(target: str, *within: str, below: Path | None = None) -> str:
    """Twelve hex digits of all source that a component's target rests on; empty if there is no such module.

    Args:
        target: ``module:attribute``.
        within: The packages whose modules count besides the target's own.
        below: A folder of sources: the packages that lie in it count too, but for what is installed there, and the
            core of coview.
    """
    digests: dict[str, str] = {}
    todo = [target.partition(":")[0]]
    while todo:
        name = todo.pop()
        spec = None if name in digests else _find(name)
        source = None if spec is None else _source_of(spec)
        if spec is None or source is None:
            continue
        digests[name] = hashlib.sha256(source).hexdigest()
        is_package = spec.submodule_search_locations is not None
        todo += [
            other
            for other in _imports(source, name, is_package)
            if _is_within(other, within) or _lies_below(other.partition(".")[0], below)
        ]
    if not digests:
        return ""
    return hashlib.sha256("\n".join(f"{name} {digests[name]}" for name in sorted(digests)).encode()).hexdigest()[:12]


def _is_within(module: str, packages: tuple[str, ...]) -> bool:
    return any(f"{module}.".startswith(f"{package}.") for package in packages)


@cache
def _lies_below(package: str, folder: Path | None) -> bool:
    if folder is None or package == "coview" or (spec := _find(package)) is None:
        return False
    places = [spec.origin] if spec.origin is not None else list(spec.submodule_search_locations or ())
    return any(
        path.is_relative_to(folder) and "site-packages" not in path.relative_to(folder).parts
        for path in (Path(place).resolve() for place in places)
    )


def _find(module: str) -> ModuleSpec | None:
    """Where a module is; None for the name of something in a module, or of no module at all.

    ``find_spec`` of a whole name would import the module's parents, which may want a library that is not there.
    """
    top, *inner = module.split(".")
    try:
        spec = find_spec(top)
    except ValueError:  # such as "__main__"
        return None
    for name in inner:
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(f"{spec.name}.{name}", spec.submodule_search_locations)
    return spec


def _source_of(spec: ModuleSpec) -> bytes | None:
    """What a module's file holds, in an archive too; None if it has no file, as a namespace has none."""
    if spec.origin is None:
        return None
    loader: object = spec.loader  # typeshed knows no zipimporter among loaders
    if isinstance(loader, zipimporter):
        return loader.get_data(spec.origin)
    path = Path(spec.origin)
    return path.read_bytes() if path.is_file() else None


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
