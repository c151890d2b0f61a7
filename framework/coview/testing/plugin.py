"""Whether an installed plugin keeps its promises: each of its components by the checks of its kind."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from coview.data.building import build_dataset
from coview.data.dataset import Dataset, HasContext
from coview.data.values import readable_values
from coview.errors import CoviewError
from coview.evaluate.evaluator import Evaluator
from coview.model.decoder import takes_batch
from coview.plugins.component import Component, in_one_line
from coview.plugins.registry import Registry
from coview.recipe.abilities import FindsSplits, works_on_context
from coview.recipe.recipe import ComponentTable, Recipe
from coview.testing.augmentation import check_augmentation
from coview.testing.callback import check_callback
from coview.testing.conformance import ConformanceError, UnknownCheckError
from coview.testing.context_augmentation import check_context_augmentation
from coview.testing.dataset import check_dataset
from coview.testing.decoder import check_decoder
from coview.testing.encoder import check_encoder
from coview.testing.evaluator import check_evaluator
from coview.testing.loss import check_loss
from coview.testing.mask import check_mask
from coview.testing.modality import check_modality
from coview.testing.optimizer import check_optimizer
from coview.testing.projector import check_predictor, check_projector
from coview.testing.reasons import Reason
from coview.testing.resource import check_resource
from coview.testing.sampler import check_sampler
from coview.testing.schedule import check_schedule
from coview.testing.target import check_target

_VALUES = 6
"""How many values of a data set an augmentation, an encoder or a modality is tried on."""

_ALONE: Mapping[str, Callable[..., list[str] | None]] = {
    "projector": check_projector,
    "predictor": check_predictor,
    "loss": check_loss,
    "mask": check_mask,
    "decoder": check_decoder,
    "target": check_target,
    "optimizer": check_optimizer,
    "schedule": check_schedule,
    "sampler": check_sampler,
    "callback": check_callback,
    "dataset": check_dataset,
}
"""Kinds that need nothing but their parameters."""


@dataclass(frozen=True)
class CheckedComponent:
    """What came of a component.

    Attributes:
        kind, name, modality: Which; the name with its plugin's.
        status: ``ok``; ``problems``; or ``not tried``, with the reason.
        problems: What is wrong, each with the check that found it.
        reason: Why it was not tried.
        notes: What is not wrong but worth knowing, such as that it is tried out on the CPU.
        parameters: What it was tried with; the rest are its defaults.
        reasons: Of the checks that failed, why they matter and what helps.
    """

    kind: str
    name: str
    modality: str | None
    status: Literal["ok", "problems", "not tried"]
    problems: Sequence[str] = ()
    reason: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    reasons: Mapping[str, Reason] = field(default_factory=dict)
    notes: Sequence[str] = ()


class _NotTriedError(Exception):
    """Why a component is not tried."""


def check_plugin(
    name: str,
    registry: Registry,
    *,
    recipe: Recipe | None = None,
    except_for: Mapping[str, str] | None = None,
) -> list[CheckedComponent]:
    """Tries every component of a plugin by the conformance kit.

    Args:
        name: A plugin, or one of its components as a recipe's ``use`` has it.
        registry: What is installed.
        recipe: Where the parameters of the components that it names, and values of a modality, come from. Otherwise
            components are tried with their defaults, and values come from a data set that can be built without
            parameters, of the plugin itself if it has one.
        except_for: Checks that are meant to fail, each with the reason: of a single component.

    Raises:
        CoviewError: If there is no such plugin or component, or the plugin could not be loaded.
    """
    broken = next((one for one in registry.plugins if one.name == name and one.status != "ok"), None)
    if broken is not None:
        raise CoviewError(f"the plugin {name} is {broken.status}: {broken.reason}", hint=f"coview plugins show {name}")
    asked = components_of(name, registry)
    if not asked:
        raise CoviewError(f'there is no plugin or component "{name}"', hint="coview plugins list shows them all")
    if except_for and len(asked) > 1:
        raise CoviewError(
            f"checks can be excepted of one component, and {name} names {len(asked)}",
            hint=f"such as {asked[0].qualified}",
        )
    trying = _Trying(registry, recipe, except_for or {})
    return [trying(component) for component in asked]


def components_of(name: str, registry: Registry) -> list[Component]:
    """The components of a plugin, or those that a name means, of whatever kind and modality."""
    return [one for one in registry.components if name in (one.plugin, one.name, one.qualified)]


class _Trying:
    """Tries components, and keeps the values that several are tried on."""

    def __init__(self, registry: Registry, recipe: Recipe | None, except_for: Mapping[str, str]) -> None:
        self._registry, self._recipe, self._except_for = registry, recipe, except_for
        self._values: dict[tuple[str, str], list[Any]] = {}
        self._contexts: dict[tuple[str, str], Any] = {}
        self._given = {} if recipe is None else dict(_parameters(recipe, registry))

    def __call__(self, component: Component) -> CheckedComponent:
        parameters = self._given.get((component.kind, component.qualified, component.modality), {})
        who = component.kind, component.qualified, component.modality
        try:
            notes = self._try(component, parameters)
        except _NotTriedError as error:
            return CheckedComponent(*who, "not tried", reason=str(error))
        except ConformanceError as error:
            return CheckedComponent(*who, "problems", error.problems, parameters=parameters, reasons=error.reasons)
        except CoviewError as error:
            return CheckedComponent(*who, "not tried", reason=error.message, parameters=parameters)
        except UnknownCheckError as error:
            raise CoviewError(f"{component.kind} {component.qualified}: {error}") from error
        except Exception as error:  # whatever its code raises: that is what is wrong with it
            where = "; ".join(getattr(error, "__notes__", ()))
            said = f"it raises {in_one_line(error)}" + (f" ({where})" if where else "")
            return CheckedComponent(*who, "problems", [said], parameters=parameters)
        return CheckedComponent(*who, "ok", parameters=parameters, notes=notes)

    def _try(self, component: Component, parameters: Mapping[str, Any]) -> Sequence[str]:
        """Runs the checks of its kind, and returns their notes."""
        if component.is_family:
            raise _NotTriedError("a family: its members are the library's")
        factory = component.load()
        if lacking := self._lacking(component, parameters):
            raise _NotTriedError(f"it needs {', '.join(lacking)}: --recipe FILE says what they are")
        options: dict[str, Any] = {"except_for": self._except_for}
        if component.kind == "resource":
            check_resource(factory, **options)
            return ()
        options["parameters"] = parameters
        if component.kind == "evaluator":
            if not isinstance(factory(**parameters), Evaluator):
                raise _NotTriedError("evaluators of encoders and of several modalities need a model")
            check_evaluator(factory, **options)
        elif component.kind == "modality":
            check_modality(factory, self._values_of(component.name, component.plugin), **options)
        elif component.kind in ("augmentation", "encoder"):
            assert component.modality is not None
            values = self._values_of(component.modality, component.plugin)
            context = self._contexts[component.modality, component.plugin]
            if component.kind == "encoder":
                modality = self._modality(component.modality)
                return check_encoder(factory, modality, values, context=context, **options)
            if works_on_context(factory):
                if context is None:
                    raise _NotTriedError("the data have no context: --recipe FILE names others")
                check_context_augmentation(factory, context, **options)
            else:
                check_augmentation(factory, values, **options)
        elif component.kind == "decoder" and takes_batch(factory):
            raise _NotTriedError("it takes the batch of an encoder: see check_decoder(…, around=…)")
        else:
            return _ALONE[component.kind](factory, **options) or ()
        return ()

    def _lacking(self, component: Component, parameters: Mapping[str, Any]) -> list[str]:
        known = self._registry.parameters(component.kind, component.qualified, modality=component.modality)
        return [one.name for one in known.parameters if one.required and one.name not in parameters]

    def _modality(self, name: str) -> Any:
        parameters = {} if self._recipe is None else self._recipe.modality.get(name, {})
        return self._registry.build("modality", name, **parameters)

    def _values_of(self, modality: str, plugin: str) -> list[Any]:
        """A few values of a modality, of the recipe's data or of some data set that is at hand."""
        if (modality, plugin) not in self._values:
            fewer = ""
            for dataset in self._datasets(modality, plugin):
                if modality in dataset.modalities:
                    found = list(itertools.islice(readable_values(dataset, modality), _VALUES))
                    if len(found) > 1:
                        self._values[modality, plugin] = found
                        self._contexts[modality, plugin] = dataset.context if isinstance(dataset, HasContext) else None
                        break
                    fewer = fewer or f" with two values or more (found: {type(dataset).__name__} with {len(found)})"
            else:
                raise _NotTriedError(f"no data set of {modality} values{fewer} is at hand: --recipe FILE names one")
        return self._values[modality, plugin]

    def _datasets(self, modality: str, plugin: str) -> Iterator[Dataset]:
        if self._recipe is not None and modality in self._recipe.modalities:
            yield build_dataset(self._recipe.data, "train", self._registry)
        known = [one for one in self._registry.of_kind("dataset") if not one.is_family]
        for component in sorted(known, key=lambda one: one.plugin != plugin):
            try:
                factory: Any = component.load()
                splits = factory.find_splits() if isinstance(factory, FindsSplits) else factory.splits
                yield self._registry.build("dataset", component.qualified, supplied={"split": splits[0]})
            except (CoviewError, TypeError, AttributeError):
                continue  # it needs parameters, or files that have not been fetched


def _parameters(recipe: Recipe, registry: Registry) -> Iterator[tuple[tuple[str, str, str | None], Mapping[str, Any]]]:
    """What a recipe says of the components that it names, by kind, qualified name and modality."""
    tables: list[tuple[str, str | None, ComponentTable | None]] = [("dataset", None, recipe.data)]
    tables += [("encoder", name, table) for name, table in recipe.encoder.items()]
    tables += [("augmentation", name, step) for name, steps in recipe.augment.items() for step in steps]
    tables += [("projector", None, table) for table in recipe.projector.values()]
    tables += [("predictor", None, table) for table in recipe.predictor.values()]
    tables += [("loss", None, table) for table in recipe.loss]
    tables += [("evaluator", None, table) for table in recipe.evaluate]
    tables += [("callback", None, table) for table in recipe.callback]
    alone = {"mask": recipe.mask, "decoder": recipe.decoder, "target": recipe.target, "optimizer": recipe.optimizer,
             "schedule": recipe.schedule, "sampler": recipe.sampler}  # fmt: skip
    tables += [(kind, None, table) for kind, table in alone.items()]
    for kind, modality, table in tables:
        if table is not None:
            component = registry.resolve(kind, table.use, modality=modality).component  # type: ignore[arg-type]
            yield (component.kind, component.qualified, component.modality), table.parameters
    for name, parameters in recipe.modality.items():
        component = registry.resolve("modality", name).component
        yield ("modality", component.qualified, component.modality), parameters
