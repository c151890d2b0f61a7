"""Whether a modality has an encoder of its own, and what of it is trained, or that of another one, by ``shared``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from coview.errors import CoviewError
from coview.plugins.nearest import did_you_mean
from coview.plugins.own_settings import EncoderSettings, LoraTable
from coview.recipe.check_component import ComponentChecker, beside_use
from coview.recipe.key import Key
from coview.recipe.mistakes import Mistakes
from coview.recipe.recipe import EncoderTable

_SHARED, _LORA = "shared", "lora"

CheckedEncoder = tuple[EncoderTable, dict[str, Any]]
"""As given, and its resolved table."""


def check_encoder(
    components: ComponentChecker, mistakes: Mistakes, table: Any, path: Key, modality: str | None
) -> CheckedEncoder:
    """One modality's table: the component, or for now nothing but the name of the modality that has it.

    Args:
        components: What checks tables against the components.
        mistakes: Where to note what is wrong.
        table: As given.
        path: Where it is in the recipe.
        modality: That it is for; None if that is not known.
    """
    nothing = EncoderTable("")
    if not isinstance(table, dict) or _SHARED not in table:
        return _own(components, mistakes, table, path, modality) or (nothing, {})
    settings, rest = components.settings(EncoderSettings, table, path)
    for key in (*rest, *([_LORA] if _LORA in table else [])):
        message = f"has no effect beside {_SHARED}: the table of the other modality describes the encoder"
        mistakes.add((*path, key), message)
    return nothing, {} if settings is None else {_SHARED: settings.shared}


def _own(
    components: ComponentChecker, mistakes: Mistakes, table: Any, path: Key, modality: str | None
) -> CheckedEncoder | None:
    """The table of an encoder that a modality has for itself; None if something is wrong with it, which is noted."""
    is_given = isinstance(table, dict) and _LORA in table
    rest = {key: value for key, value in table.items() if key != _LORA} if is_given else table
    checked = components.check("encoder", rest, path, modality=modality, also=(_LORA,))
    lora = components.own_table(LoraTable, table[_LORA], (*path, _LORA)) if is_given else None
    if is_given and not isinstance(table[_LORA], dict):
        mistakes.add(
            (*path, _LORA), f"has to be a table, such as {{ rank = 8 }}, got {json.dumps(table[_LORA], default=str)}"
        )
    if checked is None or (is_given and not isinstance(lora, LoraTable)):
        return None
    given, resolved = checked
    settings = EncoderSettings(lora=lora if isinstance(lora, LoraTable) else None)
    found = EncoderTable(given.use, given.parameters, settings, as_written=given.as_written)
    return found, beside_use(resolved, settings)


def check_shared_encoders(
    components: ComponentChecker, mistakes: Mistakes, encoders: dict[str, CheckedEncoder], table: Any
) -> dict[str, str]:
    """Gives each modality that shares an encoder the component of the one that has it.

    Args:
        components: Where the components come from.
        mistakes: Where to note what is wrong.
        encoders: By modality what :func:`check_encoder` made of it; those that are shared are filled in.
        table: ``[encoder]`` as given.

    Returns:
        By modality the one whose encoder it has.
    """
    shared = {name: str(resolved[_SHARED]) for name, (_, resolved) in encoders.items() if _SHARED in resolved}
    for name, of in shared.items():
        at: Key = ("encoder", name, _SHARED) if name in table else ("encoder", _SHARED)
        if problem := _problem(components, name, of, encoders, shared):
            mistakes.add(at, problem)
        elif of in encoders:
            encoders[name] = (encoders[of][0], encoders[name][1])
    return shared


def _problem(
    components: ComponentChecker, name: str, of: str, encoders: Mapping[str, CheckedEncoder], shared: Mapping[str, str]
) -> str:
    """Why a modality cannot have the encoder of another one; empty if it can."""
    if of not in encoders:
        views = f"the views are of {' and '.join(encoders)}{did_you_mean(of, encoders)}"
        return f'there is no encoder of "{of}" to share: {views}'
    if of == name:
        return f"names {of} itself; it has to be another modality, whose table says which encoder it is"
    if of in shared:
        return f"{of} has no encoder of its own either, it shares that of {shared[of]}: name one that has `use`"
    if not (use := encoders[of][0].use):
        return ""  # a mistake that has been noted
    try:
        theirs, own = (components.resolved("encoder", use, modality).component.target for modality in (of, name))
    except CoviewError as mistake:
        return f"{mistake.message}; an encoder can be shared by modalities that it is registered for"
    return "" if theirs == own else f'"{use}" is another encoder for {name} ({own}) than for {of} ({theirs})'
