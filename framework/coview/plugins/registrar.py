"""What a plugin is given to name its components with: staging, of which nothing is seen unless all of it succeeds."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from coview.plugins.component import KINDS, Component, Kind

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_MAY_BE_NONE = ("modality", "extra")


@dataclass
class Registrar:
    """Takes down what one plugin registers. The loader commits it to the registry once the plugin has registered all.

    Attributes:
        plugin: The name that the components are registered under.
        components: In order of registration.
    """

    plugin: str
    components: list[Component] = field(default_factory=list)

    def loss(self, name: str, target: str, *, summary: str, source: str = "", extra: str | None = None) -> None:
        """Registers a loss: ``target(**parameters)(views) -> scalar or mapping with "loss"``.

        One that takes ``width`` is given the width of the projections, and one that takes ``token_width`` that of the
        predictions of hidden tokens; they are not a recipe's to set.
        """
        self._add("loss", name, target, summary=summary, source=source, extra=extra)

    def augmentation(
        self,
        name: str,
        target: str,
        *,
        modality: str,
        summary: str,
        source: str = "",
        extra: str | None = None,
    ) -> None:
        """Registers an augmentation: ``target(**parameters)(value, rng) -> value``."""
        self._add("augmentation", name, target, summary=summary, source=source, extra=extra, modality=modality)

    def encoder(
        self,
        name: str,
        target: str,
        *,
        modality: str,
        summary: str,
        source: str = "",
        extra: str | None = None,
    ) -> None:
        """Registers an encoder: ``target(**parameters)(batch) -> Encoding``."""
        self._add("encoder", name, target, summary=summary, source=source, extra=extra, modality=modality)

    def projector(self, name: str, target: str, *, summary: str, source: str = "", extra: str | None = None) -> None:
        """Registers a projector: ``target(in_width=…, **parameters)(x_ND) -> z_ND``."""
        self._add("projector", name, target, summary=summary, source=source, extra=extra)

    def predictor(self, name: str, target: str, *, summary: str, source: str = "", extra: str | None = None) -> None:
        """Registers a predictor: ``target(in_width=…, width=…, **parameters)(z_ND) -> z_ND`` of that width."""
        self._add("predictor", name, target, summary=summary, source=source, extra=extra)

    def mask(self, name: str, target: str, *, summary: str, source: str = "", extra: str | None = None) -> None:
        """Registers a mask: ``target(**parameters)(layout, rng) -> Hidden``."""
        self._add("mask", name, target, summary=summary, source=source, extra=extra)

    def decoder(self, name: str, target: str, *, summary: str, source: str = "", extra: str | None = None) -> None:
        """Registers a decoder: ``target(in_width=…, width=…, **parameters)(decoder_input) -> predictions``.

        One that takes ``encoder`` is given the encoder whose tokens are hidden.
        """
        self._add("decoder", name, target, summary=summary, source=source, extra=extra)

    def target(self, name: str, target: str, *, summary: str, source: str = "", extra: str | None = None) -> None:
        """Registers what hidden tokens have to be: ``target(**parameters)(target_input) -> numbers or classes``.

        One that takes ``in_width``, ``values`` or ``classes`` is given what the encoder's tokens have.
        """
        self._add("target", name, target, summary=summary, source=source, extra=extra)

    def optimizer(self, name: str, target: str, *, summary: str, source: str = "", extra: str | None = None) -> None:
        """Registers an optimiser: ``target(params=…, lr=…, **parameters) -> torch.optim.Optimizer``.

        ``params`` are groups as PyTorch has them: what a recipe sets for some parameters only is in their group under
        the name of the target's parameter.
        """
        self._add("optimizer", name, target, summary=summary, source=source, extra=extra)

    def schedule(self, name: str, target: str, *, summary: str, source: str = "", extra: str | None = None) -> None:
        """Registers a schedule: ``target(**parameters)(moment) -> share of the peak learning rate``."""
        self._add("schedule", name, target, summary=summary, source=source, extra=extra)

    def sampler(self, name: str, target: str, *, summary: str, source: str = "", extra: str | None = None) -> None:
        """Registers a sampler: ``target(**parameters)(rows, batch_size, rng) -> the batches of an epoch``."""
        self._add("sampler", name, target, summary=summary, source=source, extra=extra)

    def modality(self, name: str, target: str, *, summary: str, source: str = "", extra: str | None = None) -> None:
        """Registers a modality under the name that data sets and components refer to it by."""
        self._add("modality", name, target, summary=summary, source=source, extra=extra)

    def dataset(self, name: str, target: str, *, summary: str, source: str = "", extra: str | None = None) -> None:
        """Registers a data set: ``target(split=…, **parameters) -> Dataset``."""
        self._add("dataset", name, target, summary=summary, source=source, extra=extra)

    def evaluator(self, name: str, target: str, *, summary: str, source: str = "", extra: str | None = None) -> None:
        """Registers an evaluator: ``target(**parameters)``, an ``Evaluator`` or an ``EncoderEvaluator``."""
        self._add("evaluator", name, target, summary=summary, source=source, extra=extra)

    def callback(self, name: str, target: str, *, summary: str, source: str = "", extra: str | None = None) -> None:
        """Registers a callback: ``target(**parameters)``, a ``Callback``."""
        self._add("callback", name, target, summary=summary, source=source, extra=extra)

    def resource(self, name: str, target: str, *, summary: str, licence: str, source: str, installed: str = "") -> None:
        """Registers files to be fetched: ``target(folder)`` writes them into an empty folder.

        ``coview data fetch NAME`` calls it, and ``coview.resource_folder(NAME)`` is where they are then. ``installed``
        is the folder in which the system's own package manager puts the same files, where it does.
        """
        self._add("resource", name, target, summary=summary, source=source, licence=licence, installed=installed)

    def family(
        self,
        kind: Kind,
        prefix: str,
        target: str,
        *,
        summary: str,
        example: str,
        modality: str | None = None,
        source: str = "",
        extra: str | None = None,
    ) -> None:
        """Registers all components of a library at once, as ``use = "prefix:NAME"``.

        ``target(NAME)`` returns a factory whose signature is the schema, or raises ``LookupError`` with a message.
        """
        self._add(
            kind, prefix, target, summary=summary, source=source, extra=extra, modality=modality,
            is_family=True, example=example,
        )  # fmt: skip

    def _add(self, kind: Kind, name: str, target: str, **details: Any) -> None:
        if kind not in KINDS:
            raise ValueError(f"unknown kind {kind!r}; kinds are {', '.join(KINDS)}")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"{kind} name {name!r} has to be lower-case letters, digits, '_' and '-'")
        if not isinstance(target, str) or not _TARGET.fullmatch(target):
            raise ValueError(f"{kind} {name!r}: target {target!r} has to be 'module:attribute'")
        for key, value in details.items():
            if not isinstance(value, bool if key == "is_family" else str) and not (
                key in _MAY_BE_NONE and value is None
            ):
                raise TypeError(f"{kind} {name!r}: {key} has to be text, got {value!r}")
        component = Component(kind=kind, name=name, plugin=self.plugin, target=target, **details)
        if any(other.name == name and _same_door(other, component) for other in self.components):
            raise ValueError(f"{kind} {name!r} is registered twice")
        self.components.append(component)


def _same_door(a: Component, b: Component) -> bool:
    return (a.kind, a.name, a.is_family, a.modality) == (b.kind, b.name, b.is_family, b.modality)
