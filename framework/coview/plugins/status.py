"""What became of one plugin that was found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

State = Literal["ok", "disabled", "broken", "incompatible"]


@dataclass(frozen=True)
class PluginStatus:
    """What became of one plugin.

    Attributes:
        name: The entry point's name, and the plugin's in ``plugin/name``.
        distribution, version: The installed package that brings it.
        module: The entry point's value.
        status: ``ok``, ``disabled``, ``broken`` or ``incompatible``.
        reason: Why it is not ``ok``.
        warnings: What its author should mend.
        components: How many components it registered.
        hooks: The lifecycle hooks that it implements.
        traceback: Of a broken plugin.
    """

    name: str
    distribution: str
    version: str
    module: str
    status: State
    reason: str = ""
    warnings: tuple[str, ...] = ()
    components: int = 0
    hooks: tuple[str, ...] = ()
    traceback: str = field(default="", repr=False)
