"""What a new plugin can be: the kinds of component that there are templates for.

A kind is four files below ``templates/``: ``KIND.py.txt``, ``KIND.test.txt``, ``KIND.register.txt`` and, where a recipe
can name it, ``KIND.toml.txt``. One that is for a modality has four for each: ``KIND-MODALITY.py.txt`` and so on. In all
of them the component is called ``example``, its class ``Example`` and its package ``coview_example``.
"""

from __future__ import annotations

from importlib import resources

from coview.errors import CoviewError
from coview.plugins.nearest import did_you_mean

_CODE = ".py.txt"


def template(file: str) -> str:
    """The text of a template.

    Raises:
        FileNotFoundError: If there is none of the name.
    """
    return (resources.files("coview.scaffold") / "templates" / file).read_text(encoding="utf-8")


def scaffold_kinds() -> dict[str, list[str]]:
    """Kind to the modalities that there are templates for; none for a kind that is of no modality."""
    found: dict[str, list[str]] = {}
    for file in sorted(entry.name for entry in (resources.files("coview.scaffold") / "templates").iterdir()):
        if file.endswith(_CODE):
            kind, _, modality = file.removesuffix(_CODE).partition("-")
            found.setdefault(kind, []).extend([modality] if modality else [])
    return found


def template_of(kind: str, modality: str = "") -> str:
    """How the files of a kind's templates begin.

    Args:
        kind: Such as ``loss``.
        modality: Of a kind that is for one.

    Raises:
        CoviewError: If there is no such kind, no template of it for the modality, or several and none is named.
    """
    kinds = scaffold_kinds()
    if kind not in kinds:
        raise CoviewError(
            f'there is no template for a "{kind}"{did_you_mean(kind, kinds)}', hint=f"kinds: {', '.join(kinds)}"
        )
    modalities = kinds[kind]
    if not modalities:
        if modality:
            raise CoviewError(f"a new {kind} has no modality: leave out --modality {modality}")
        return kind
    if not modality:
        raise CoviewError(
            f"a new {kind} is for one modality: say which by --modality", hint=f"modalities: {', '.join(modalities)}"
        )
    if modality not in modalities:
        raise CoviewError(
            f'there is no template for {kind}s of the modality "{modality}"{did_you_mean(modality, modalities)}',
            hint=f"modalities: {', '.join(modalities)}",
        )
    return f"{kind}-{modality}"
