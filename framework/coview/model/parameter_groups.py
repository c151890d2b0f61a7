"""Which settings of the optimiser each parameter of a model gets, from the groups of a recipe."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import takewhile
from typing import Any, cast

from torch import nn

from coview.errors import CoviewError
from coview.model.encoder import HasLayers
from coview.model.loss_terms import LossTerms
from coview.model.tower import Tower, Towers
from coview.plugins.duration import Duration
from coview.plugins.nearest import did_you_mean
from coview.plugins.own_settings import GroupTable
from coview.plugins.registry import Registry
from coview.recipe.recipe import ParameterGroup, Recipe, ScheduleTable

BIAS_AND_NORM = "bias_and_norm"
"""Matches parameters of fewer than two dimensions: by name it could not, since every library names norms otherwise."""

_WITHOUT_DECAY = {"weight_decay": 0.0, "adapt": False}
"""What biases and norms get of an optimiser that has it, unless a recipe says otherwise."""

_SHOWN = 6


@dataclass(frozen=True)
class ParameterSettings:
    """How some parameters are trained.

    Attributes:
        lr_scale: Multiplies the learning rate, with the decay by layer in it.
        options: The optimiser's own parameters for them.
        schedule: Theirs; absent: that of the recipe.
        freeze: True where they are never trained; steps or a length for which they are not; absent: trained.
    """

    lr_scale: float = 1.0
    options: Mapping[str, Any] = field(default_factory=dict)
    schedule: ScheduleTable | None = None
    freeze: bool | int | str | None = None

    @property
    def is_frozen_for_good(self) -> bool:
        """Whether they are never trained."""
        return self.freeze is True

    @property
    def frozen_for(self) -> Duration | None:
        """How long they are not trained, of those that are later; None where they are trained from the first step."""
        length = None if self.freeze is None or isinstance(self.freeze, bool) else Duration.parse(self.freeze)
        return length if length is not None and length.amount > 0 else None


@dataclass(frozen=True)
class GroupOfParameters:
    """Parameters that are trained alike.

    Attributes:
        settings: How.
        parameters: By name, such as ``encoder.conv1.weight``.
    """

    settings: ParameterSettings
    parameters: Mapping[str, nn.Parameter]


def named_parameters(student: Towers, loss: LossTerms) -> dict[str, nn.Parameter]:
    """All parameters by the names that a recipe matches; one that is shared, by the first.

    Those of an encoder that several modalities share are called by the one whose table says which encoder it is.

    They begin as the tables of the recipe do: ``encoder.``, ``projector.``, ``predictor.`` and ``decoder.``, or
    ``encoder.text.`` where there are several modalities; ``loss.``, or ``loss.0.`` where there are several. What stands
    for a hidden token is ``mask_token``.
    """
    return {name: parameter for name, (parameter, _) in _named(student, loss).items()}


def parameter_groups(
    recipe: Recipe, registry: Registry, student: Towers, loss: LossTerms
) -> tuple[GroupOfParameters, ...]:
    """The parameters of a model in groups of equal settings: each parameter in one, also those that are frozen.

    Of the recipe's groups that match a parameter, the last one that gives a key counts for the key. Before all of them
    comes what coview does by itself: biases and norms get neither weight decay nor adaptation.

    Raises:
        CoviewError: If a group matches nothing, or asks for the layers of an encoder that has not said what they are.
    """
    named = _named(student, loss)
    settings = dict.fromkeys(named, ParameterSettings())
    for at, group in enumerate(_with_own(recipe, registry), -1):
        matched = [name for name, (parameter, _) in named.items() if _matches(group.settings.match, name, parameter)]
        if not matched and at >= 0:
            raise CoviewError(
                f"{recipe.where('optimizer', 'group', at, 'match')}: no parameter is called "
                f'"{group.settings.match}"{did_you_mean(group.settings.match, _parts(named))}',
                hint=f"they are {_listed(named)}{_of_others(recipe)}",
            )
        layers = _share_by_layer(recipe, at, group.settings, named, matched)
        for name in matched:
            settings[name] = _changed(settings[name], group, layers.get(name))
    found: list[tuple[ParameterSettings, dict[str, nn.Parameter]]] = []
    for name, (parameter, _) in named.items():
        if not parameter.requires_grad:  # the encoder itself has frozen it
            settings[name] = replace(settings[name], freeze=True)
        alike = next((members for other, members in found if other == settings[name]), None)
        if alike is None:
            found.append((settings[name], alike := {}))
        alike[name] = parameter
    return tuple(GroupOfParameters(of, members) for of, members in found)


def freeze_for_good(groups: Iterable[GroupOfParameters]) -> None:
    """Takes the parameters that are never trained out of everything that asks for a gradient."""
    for group in groups:
        if group.settings.is_frozen_for_good:
            for parameter in group.parameters.values():
                parameter.requires_grad_(False)


def wholly_of(module: nn.Module, parameters: Collection[nn.Parameter]) -> Iterator[nn.Module]:
    """The largest parts of a module all of whose parameters are among some."""
    among = {id(parameter) for parameter in parameters}
    own = list(module.parameters())
    if own and all(id(parameter) in among for parameter in own):
        yield module
        return
    for child in module.children():
        yield from wholly_of(child, parameters)


def _named(student: Towers, loss: LossTerms) -> dict[str, tuple[nn.Parameter, nn.Module]]:
    """Each parameter by its name, with the part of the model that it belongs to."""
    several = len(student.towers) > 1
    found: dict[str, tuple[nn.Parameter, nn.Module]] = {}
    seen: set[int] = set()
    for modality, tower in student.towers.items():
        for part, module in cast(Tower, tower).named_children():
            prefix = f"{part}.{modality}" if several else part
            _add(found, seen, prefix, module)
        for name, parameter in tower.named_parameters(recurse=False):  # what stands for a hidden token
            found[f"{name}.{modality}" if several else name] = parameter, tower
    for index, term in enumerate(loss.terms):
        if isinstance(term.loss, nn.Module):
            _add(found, seen, "loss" if len(loss.terms) == 1 else f"loss.{index}", term.loss)
    return found


def _add(found: dict[str, tuple[nn.Parameter, nn.Module]], seen: set[int], prefix: str, module: nn.Module) -> None:
    for name, parameter in module.named_parameters():
        if id(parameter) not in seen:
            seen.add(id(parameter))
            found[f"{prefix}.{name}"] = parameter, module


def _with_own(recipe: Recipe, registry: Registry) -> Iterator[ParameterGroup]:
    """coview's own group, then those of the recipe."""
    assert recipe.optimizer is not None
    takes = {parameter.name for parameter in registry.parameters("optimizer", recipe.optimizer.use).parameters}
    options = {key: value for key, value in _WITHOUT_DECAY.items() if key in takes}
    yield ParameterGroup(GroupTable(match=BIAS_AND_NORM), options)
    yield from recipe.optimizer.groups


def _matches(match: str, name: str, parameter: nn.Parameter) -> bool:
    return parameter.ndim < 2 if match == BIAS_AND_NORM else fnmatchcase(name, match)


def _changed(of: ParameterSettings, group: ParameterGroup, layer: float | None) -> ParameterSettings:
    table = group.settings
    scale = of.lr_scale if table.lr_scale is None else table.lr_scale
    return ParameterSettings(
        scale * (1.0 if layer is None else layer),
        {**of.options, **group.options},
        of.schedule if group.schedule is None else group.schedule,
        of.freeze if table.freeze is None else table.freeze,
    )


def _share_by_layer(
    recipe: Recipe,
    at: int,
    group: GroupTable,
    named: Mapping[str, tuple[nn.Parameter, nn.Module]],
    matched: list[str],
) -> dict[str, float]:
    """What ``layer_decay`` multiplies the learning rate of each matched parameter of an encoder by."""
    if group.layer_decay is None:
        return {}
    if not any(name.startswith("encoder.") for name in matched):
        raise CoviewError(
            f"{recipe.where('optimizer', 'group', at, 'layer_decay')}: it is for the layers of an encoder, and "
            f'"{group.match}" matches none of its parameters',
            hint="lr_scale multiplies the learning rate of other parts",
        )
    shares: dict[str, float] = {}
    layers: dict[int, Mapping[str, int]] = {}
    for name in matched:
        _, module = named[name]
        if not name.startswith("encoder."):
            continue
        if not isinstance(module, HasLayers):
            raise CoviewError(
                f"{recipe.where('optimizer', 'group', at, 'layer_decay')}: the encoder {type(module).__name__} does "
                "not say which layer a parameter is in",
                hint="take an encoder that does, such as timm:vit_tiny_patch16_224, or lr_scale for parts of this one",
            )
        of = layers.setdefault(id(module), module.layer_numbers())
        inner = next(inner for inner, parameter in module.named_parameters() if parameter is named[name][0])
        shares[name] = group.layer_decay ** (max(of.values()) - of[inner])
    return shares


def _of_others(recipe: Recipe) -> str:
    return "".join(f"; the encoder of {name} is encoder.{of}" for name, of in recipe.shared_encoders.items())


def _listed(named: Collection[str]) -> str:
    parts = _parts(named)
    shown = parts[:_SHOWN]
    return ", ".join(shown) + (", …" if len(parts) > _SHOWN else "")


def _parts(named: Collection[str]) -> list[str]:
    """The parts that the names begin with, as globs."""
    parts: dict[str, None] = {}
    for name in named:
        words = takewhile(lambda word: not word.isdecimal(), name.split(".")[:2])
        parts[".".join(words) + ".*"] = None
    return list(parts)
