"""Writes the package of a new plugin: code, a test, a recipe, and what a package needs besides."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from coview.data.atomic import write_atomically
from coview.errors import CoviewError
from coview.scaffold.kinds import template, template_of

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_PREFIX = "coview-"


def new_package(name: str, kind: str, parent: Path, *, modality: str = "") -> tuple[Path, list[Path]]:
    """Writes a package for a new plugin with one component of a kind.

    Args:
        name: Of the component: small letters, digits, ``-`` and ``_``. ``coview-`` before it is the package's.
        kind: Such as ``loss``.
        parent: The folder in which the package's folder is made.
        modality: The modality that an augmentation or an encoder is for.

    Returns:
        The package's folder, and its files relative to it.

    Raises:
        CoviewError: If the name or the kind is none, or the folder is there already.
    """
    files = package_files(component_name(name), kind, modality)
    folder = parent / distribution_name(component_name(name))
    if folder.exists():
        raise CoviewError(f"{folder} is there already", hint="give another name, or another folder by --out")
    try:
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / path, text)
    except OSError as error:
        raise CoviewError(f"{folder} cannot be written: {error.strerror or error}") from error
    return folder, [Path(path) for path in files]


def component_name(name: str) -> str:
    """How recipes call the component of a package.

    Raises:
        CoviewError: If it cannot be a name in Python.
    """
    component = name.removeprefix(_PREFIX).replace("-", "_")
    if not _NAME.fullmatch(component) or keyword.iskeyword(component):
        raise CoviewError(
            f'"{name}" cannot be the name of a plugin: it has to begin with a small letter, and go on with small '
            'letters, digits, "-" and "_"',
            hint="such as hinge or word-swap",
        )
    return component


def distribution_name(component: str) -> str:
    """How pip calls the package."""
    return _PREFIX + component.replace("_", "-")


def package_files(component: str, kind: str, modality: str = "") -> dict[str, str]:
    """Path to text of every file of a package.

    Raises:
        CoviewError: If there is no template for the kind and modality.
    """
    own = template_of(kind, modality)
    names = {
        "coview-example": distribution_name(component),
        "coview_example": f"coview_{component}",
        "test_example": f"test_{component}",
        "Example": "".join(part.capitalize() for part in component.split("_")),
        r"\bexample\b": component,
        r"\bA KIND\b": f"{'An' if kind[0] in 'aeiou' else 'A'} {kind}",
        r"\ba KIND\b": f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}",
        r"\bKIND\b": kind,
    }

    def filled(text: str) -> str:
        for pattern, value in names.items():
            text = re.sub(pattern, value, text)
        return text

    has_recipe = True
    try:
        recipe = template(f"{own}.toml.txt")
    except FileNotFoundError:
        has_recipe, recipe = False, ""
    files = {
        "pyproject.toml": template("package.pyproject.txt"),
        "README.md": template("package.readme.txt") + (template("package.readme-run.txt") if has_recipe else ""),
        ".github/workflows/tests.yml": template("package.ci.txt"),
        f"coview_{component}/__init__.py": template("package.init.txt") + template(f"{own}.register.txt"),
        f"coview_{component}/{component}.py": template(f"{own}.py.txt"),
        f"tests/test_{component}.py": template(f"{own}.test.txt"),
        **({"recipe.toml": recipe} if has_recipe else {}),
    }
    return {path: filled(text) for path, text in files.items()}
