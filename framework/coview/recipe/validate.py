"""From merged layers to a valid recipe, or to every mistake that is in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from coview.plugins.own_settings import AugmentSettings
from coview.plugins.registry import Registry
from coview.recipe.check_batch_steps import check_order, works_on_device
from coview.recipe.check_callbacks import check_callbacks
from coview.recipe.check_component import Checked, ComponentChecker, as_json, beside_use
from coview.recipe.check_curves import as_measured_once, check_keep_best, without_curves
from coview.recipe.check_data import check_data, views_of
from coview.recipe.check_evaluators import check_evaluators
from coview.recipe.check_losses import check_losses, default_projector
from coview.recipe.check_masked import check_masked
from coview.recipe.check_needs import check_needs
from coview.recipe.check_optimizer import check_optimizer, check_schedule
from coview.recipe.check_paper import check_paper
from coview.recipe.check_projector import CheckedProjector, check_projector, random_layers
from coview.recipe.check_queue import check_queue
from coview.recipe.check_roles import roles_of, with_numbers
from coview.recipe.check_scheduled import CheckedParts, check_scheduled, without_scheduled
from coview.recipe.check_shard import check_shard
from coview.recipe.check_shared_encoder import CheckedEncoder, check_encoder, check_shared_encoders
from coview.recipe.check_start import check_starts
from coview.recipe.check_streamed import check_streamed
from coview.recipe.check_teacher import check_end_momentum, check_teacher, resolved_teacher
from coview.recipe.key import Key, dotted
from coview.recipe.merge import DEFAULT_USE, Layers
from coview.recipe.mistakes import Mistakes
from coview.recipe.moved_keys import MOVED, as_before, moved_in_words
from coview.recipe.place import RELATIVE_TO
from coview.recipe.recipe import (
    AugmentTable,
    ComponentTable,
    EvaluateTable,
    OptimizerTable,
    Recipe,
)
from coview.recipe.sweep import expand
from coview.recipe.tables import (
    CompareTable,
    SweepTable,
    TopTable,
    TrainTable,
)
from coview.recipe.tune_table import TuneTable
from coview.recipe.without_effect import without_effect


def validate(layers: Layers, registry: Registry, path: Path | None = None) -> Recipe:
    """Checks a merged recipe as strictly as it can be without building anything of size.

    Raises:
        RecipeError: With every mistake.
    """
    return _Validation(layers, registry).run(path)


class _Validation:
    def __init__(self, layers: Layers, registry: Registry) -> None:
        self.table = layers.table
        self.layers = layers
        self.mistakes = Mistakes(layers)
        self.components = ComponentChecker(registry, self.mistakes)
        self.warnings: list[str] = [f"{where}: {moved_in_words(key)}" for key, where in layers.moved.items()]
        self.augment_on = "worker"
        self.projector = DEFAULT_USE["projector"]
        self.views, self.roles = 0, tuple[str, ...]()

    def run(self, path: Path | None) -> Recipe:
        top = self._own(TopTable, self.table, ())
        broken = self.mistakes.tables()  # tables of the wrong type are not looked into
        given = None if "data" in broken else self.table.get("data")
        data = check_data(self.components, self.mistakes, given, self.warnings)
        settings = data.settings
        self.augment_on = "worker" if settings is None else settings.augment_on
        views = views_of(self.mistakes, "views", data)
        if settings is not None and data.modalities and not views:
            self.mistakes.add((*data.at, "views"), "at least one view is needed")
        global_views = len(views)
        views += views_of(self.mistakes, "local_views", data)
        roles = self.roles = roles_of(self.mistakes, data, global_views)
        self.views = len(views)
        used = tuple(dict.fromkeys(views)) or data.modalities
        modality = self._by_modality("modality", used, self._modality, {} if "modality" in broken else None)
        augment = self._by_modality("augment", used, self._pipeline, [] if "augment" in broken else None)
        encoder = {} if "encoder" in broken else self._by_modality("encoder", used, self._encoder)
        shared_encoders = check_shared_encoders(self.components, self.mistakes, encoder, self.table.get("encoder"))
        terms = None if "loss" in broken else self.table.get("loss")
        loss = check_losses(self.components, self.mistakes, terms, used)
        self.projector = default_projector([term for term, _ in loss])
        projector = self._by_modality("projector", used, self._projector, {} if "projector" in broken else None)
        predictor = (
            {}
            if "predictor" in broken or self.table.get("predictor") is None
            else self._by_modality("predictor", used, self._predictor)
        )
        start = (
            {} if "start" in broken else check_starts(self.components, self.mistakes, self.table, used, shared_encoders)
        )
        sampler = None if "sampler" in broken else self._sampler(self.table.get("sampler", {}))
        check_streamed(self.components, self.mistakes, data, None if sampler is None else sampler[0])
        given_teacher = None if "teacher" in broken else self.table.get("teacher")
        taught = check_teacher(self.components, self.mistakes, given_teacher, used)
        teacher = taught.table
        queue = (
            None if "queue" in broken else check_queue(self.components, self.mistakes, self.table, global_views, roles)
        )
        train = None if "train" in broken else self._train(self.table.get("train"))
        trains = train is None or train.steps != 0
        if self.table.get("loss") is None and trains:
            self.mistakes.add(("loss",), "is missing; it has to be a table [loss], or several [[loss]]")
        optimizer = None if "optimizer" in broken else self._optimizer(self.table.get("optimizer"), trains)
        rate = without_scheduled(self.table.get("schedule", {}))
        schedule = None if "schedule" in broken else check_schedule(self.components, rate)
        masked = check_masked(
            self.components,
            self.mistakes,
            {key: self.table[key] for key in ("mask", "decoder", "target") if key in self.table and key not in broken},
            [term for term, _ in loss],
            modalities=used,
            views=views,
            global_views=global_views,
            teacher=teacher,
            roles=roles,
        )
        parts = CheckedParts(
            loss=[term for term, _ in loss],
            several=isinstance(self.table.get("loss"), list),
            optimizer=None if optimizer is None else optimizer[0],
            teacher=teacher,
            mask=masked.mask,
        )
        scheduled, of_values = check_scheduled(
            self.components, self.mistakes, self.table.get("schedule", {}), parts, broken=self.mistakes.tables()
        )
        check_end_momentum(self.mistakes, self.table.get("teacher", {}), of_values)
        evaluate = [] if "evaluate" in broken else self._evaluators(self.table.get("evaluate", []), used, train)
        callbacks = [] if "callback" in broken else check_callbacks(self.components, self.mistakes, self.table)
        sweep = SweepTable() if "sweep" in broken else self._sweep(self.table.get("sweep", {}))
        compare = CompareTable() if "compare" in broken else self._compare(self.table.get("compare", {}))
        tune = TuneTable() if "tune" in broken else self._own(TuneTable, self.table.get("tune", {}), ("tune",))
        paper = None if "paper" in broken else check_paper(self.components, self.mistakes, self.layers)
        self._pipelines(augment, views, global_views)
        if train is not None:
            check_shard(self.mistakes, train, self.table)
        if train is not None and train.steps != 0 and settings is not None:
            check_needs(
                self.components,
                self.mistakes,
                [term for term, _ in loss],
                data=data,
                views=views,
                global_views=global_views,
                given={key for key in ("teacher", "predictor", "queue") if self.table.get(key) is not None},
                batch_size=train.batch_size,
                roles=roles,
            )
        self.mistakes.raise_if_any()
        # what is missing has been noted as a mistake, and raised
        assert isinstance(top, TopTable)
        assert data.tables
        assert settings is not None
        assert train is not None
        assert schedule is not None
        assert sampler is not None
        assert sweep is not None
        assert compare is not None
        assert tune is not None
        self.warnings += without_effect(self.mistakes, teacher, parts.optimizer, schedule[0], train, views)
        self.warnings += (
            [] if trains else random_layers(self.mistakes, projector, start, [given for given, _ in evaluate])
        )
        single = len(used) == 1

        def resolved(parts: Mapping[str, Any]) -> Any:
            return parts[used[0]] if single else dict(parts)

        tables: dict[str, Any] = {
            "schema": 1,
            "name": top.name,
            "seed": top.seed,
            "data": data.resolved,
            "modality": resolved(modality),
            "augment": resolved({name: [table for _, table in steps] for name, steps in augment.items()}),
            "encoder": resolved({name: table for name, (_, table) in encoder.items()}),
            "projector": resolved({name: table for name, (_, table) in projector.items()}),
            **({"predictor": resolved({name: table for name, (_, table) in predictor.items()})} if predictor else {}),
            **({"start": resolved({name: table for name, (_, table) in start.items()})} if start else {}),
            **({} if teacher is None else {"teacher": resolved_teacher(taught.resolved, of_values if trains else {})}),
            **({} if queue is None else {"queue": as_json(queue)}),
            **masked.tables,
            **({"loss": self._as_given([table for _, table in loss])} if loss else {}),
            **(
                {"optimizer": optimizer[1], "schedule": {**schedule[1], **of_values}}
                if optimizer is not None and trains
                else {}
            ),
            **({"sampler": sampler[1]} if sampler and trains and sampler[1] != {"use": DEFAULT_USE["sampler"]} else {}),
            "train": {key: value for key, value in as_json(train).items() if train.steps != 0 or key in _WITHOUT_STEPS},
            "evaluate": [table for _, table in evaluate],
            **({"callback": [table for _, table in callbacks]} if callbacks else {}),
        }
        if sweep.grid or sweep.zip:
            tables["sweep"] = {key: value for key, value in as_json(sweep).items() if value}
            tables["compare"] = as_json(compare)
            tables |= {"tune": as_json(tune)} if tune.choose or tune.variants else {}
        if folders := self.components.places.as_table(used[0] if single else None):
            tables[RELATIVE_TO] = folders
        return Recipe(
            name=top.name,
            seed=top.seed,
            data=data.tables[0],
            settings=settings,
            view_modalities=views,
            global_views=global_views,
            modality=modality,
            augment={name: tuple(given for given, _ in steps) for name, steps in augment.items()},
            encoder={name: given for name, (given, _) in encoder.items()},
            projector={name: given for name, (given, _) in projector.items()},
            predictor={name: given for name, (given, _) in predictor.items()},
            teacher=teacher,
            teacher_encoder=taught.encoder,
            queue=queue,
            mask=masked.mask,
            decoder=masked.decoder,
            target=masked.target,
            loss=tuple(term for term, _ in loss),
            optimizer=optimizer[0] if optimizer is not None and trains else None,
            schedule=schedule[0],
            train=train,
            evaluate=tuple(given for given, _ in evaluate),
            sweep=sweep,
            compare=compare,
            tune=tune,
            tables=tables,
            layers=self.layers,
            warnings=tuple(self.warnings),
            path=path,
            start={name: given for name, (given, _) in start.items()},
            sampler=sampler[0],
            callback=tuple(given for given, _ in callbacks),
            mixture=data.tables if len(data.tables) > 1 else (),
            paper=paper,
            scheduled=scheduled if trains else (),
            shared_encoders=shared_encoders,
            roles=(*roles, *[""] * (len(views) - global_views)) if roles else (),
        )

    # ---- coview's own tables -----------------------------------------------------------------------------------

    def _own(self, model: type[BaseModel], table: Any, path: Key) -> Any:
        return self.components.own_table(model, table, path)

    def _train(self, table: Any) -> TrainTable | None:
        if isinstance(table, dict):
            table = {**_OF_NO_STEP, **table} if table.get("steps") == 0 else table
        train: TrainTable | None = self._own(TrainTable, table, ("train",))
        if train is not None and (train.epochs is None) == (train.steps is None):
            both = "both epochs and steps are given" if train.epochs else "epochs (or steps) is missing"
            self.mistakes.add(("train", "steps") if train.epochs else ("train",), f"{both}: give one of them")
        return train

    def _optimizer(self, table: Any, trains: bool) -> tuple[OptimizerTable, dict[str, Any]] | None:
        if table is None and trains:
            self.mistakes.add(("optimizer",), 'is missing; such as [optimizer] with use = "adamw" and lr = 0.001')
        moved = [MOVED[key][1] for key in self.layers.moved if MOVED[key][0] == "optimizer"]
        if moved and isinstance(table, dict):
            table = as_before(table, moved, lambda use: self.components.takes("optimizer", use))
        return check_optimizer(self.components, self.mistakes, table)

    def _sweep(self, table: Any) -> SweepTable | None:
        sweep: SweepTable | None = self._own(SweepTable, table, ("sweep",))
        if sweep is None:
            return None
        try:
            expand(sweep)
        except ValueError as error:
            self.mistakes.add(("sweep",), str(error))
        return sweep

    def _compare(self, table: Any) -> CompareTable | None:
        compare: CompareTable | None = self._own(CompareTable, table, ("compare",))
        if compare is not None and compare.recipes and "encoder" in self.table:
            message = "this file is a recipe itself; a comparison of several has no data and no encoder of its own"
            self.mistakes.add(("compare", "recipes"), message)
        return compare

    # ---- views ---------------------------------------------------------------------------------------------

    def _pipelines(self, augment: Mapping[str, Sequence[Any]], views: tuple[str, ...], global_views: int) -> None:
        """A step on the device comes after those in a worker."""
        split = isinstance(self.table.get("augment"), dict)
        for name, pipeline in augment.items():
            path: Key = ("augment", name) if split else ("augment",)
            steps = [step for step, _ in pipeline]
            own = [view for view, of in enumerate(views) if of == name]
            check_order(self.mistakes, path, steps, own, global_views)

    # ---- tables that may be one for each modality ---------------------------------------------------------------

    def _by_modality(self, key: str, used: tuple[str, ...], check: Any, instead: Any = None) -> dict[str, Any]:
        """Checks ``[key]``, or each ``[key.NAME]`` where it is split by modality."""
        nothing: Any = [] if key == "augment" else {}
        value = self.table.get(key, nothing) if instead is None else instead
        if not used:  # the data set is a mistake: what can be checked without knowing its modality still is
            if isinstance(value, list) or not all(isinstance(item, dict | list) for item in value.values()):
                check(None, value, (key,))
            return {}
        if isinstance(value, dict) and value and set(value) <= set(used):
            return {name: check(name, value.get(name, nothing), (key, name)) for name in used}
        if len(used) > 1 and value:
            example = f"[[{key}.{used[0]}]]" if key == "augment" else f"[{key}.{used[0]}]"
            self.mistakes.add((key,), f"the views are of {' and '.join(used)}: give a table for each, {example}")
            return {}
        return {name: check(name, value, (key,)) for name in used}

    def _modality(self, name: str | None, table: Any, path: Key) -> dict[str, Any]:
        if name is None:
            return {}
        checked = self._component("modality", {"use": name, **table}, path, implied_use=True)
        return {} if checked is None else {key: value for key, value in checked[1].items() if key != "use"}

    def _pipeline(self, name: str | None, steps: Any, path: Key) -> list[tuple[AugmentTable, dict[str, Any]]]:
        if isinstance(steps, dict):
            self.mistakes.add(path, f"has to be an array of tables: [[{dotted(path)}]]")
            return []
        found = []
        for index, step in enumerate(steps):
            at: Key = (*path, index)
            settings, rest = self.components.settings(AugmentSettings, step, at)
            checked = self._component("augmentation", rest, at, modality=name, also=tuple(AugmentSettings.model_fields))
            if checked is not None and settings is not None:
                settings = with_numbers(self.mistakes, settings, at, self.views, self.roles)
                given = checked[0]
                on_device = works_on_device(
                    self.components, self.mistakes, given, settings, at, modality=name, augment_on=self.augment_on
                )
                table = AugmentTable(given.use, given.parameters, settings, on_device, as_written=given.as_written)
                found.append((table, beside_use(checked[1], settings)))
        return found

    def _encoder(self, name: str | None, table: Any, path: Key) -> CheckedEncoder:
        return check_encoder(self.components, self.mistakes, table, path, name)

    def _projector(self, name: str | None, table: Any, path: Key) -> CheckedProjector:
        return check_projector(self.components, {"use": self.projector, **table}, path)

    def _predictor(self, name: str | None, table: Any, path: Key) -> Checked:
        given = {"use": DEFAULT_USE["predictor"], **table}
        return self._component("predictor", given, path) or (ComponentTable(""), {})

    def _sampler(self, table: Any) -> Checked | None:
        return self._component("sampler", {"use": DEFAULT_USE["sampler"], **table}, ("sampler",))

    # ---- components --------------------------------------------------------------------------------------------

    def _component(self, kind: Any, table: Any, path: Key, **options: Any) -> Checked | None:
        if table is None:
            return None
        return self.components.check(kind, table, path, **options)

    def _evaluators(
        self, tables: Sequence[Any], used: tuple[str, ...], train: TrainTable | None
    ) -> list[tuple[EvaluateTable, dict[str, Any]]]:
        found = check_evaluators(self.components, self.mistakes, tables, used)
        if train is not None and train.steps == 0:
            self.warnings += without_curves(self.mistakes, found, train)
            return [as_measured_once(given, table) for given, table in found]
        if train is not None:
            check_keep_best(self.mistakes, train, [given for given, _ in found])
        return found

    def _as_given(self, tables: list[dict[str, Any]]) -> Any:
        """The terms as ``[loss]`` or ``[[loss]]``, whichever the recipe has."""
        return tables[0] if isinstance(self.table["loss"], dict) else tables


_OF_NO_STEP = {"batch_size": 1}
"""For what a recipe need not say that takes no step: nothing looks at it."""

_WITHOUT_STEPS = ("steps", "device")
"""What of ``[train]`` has an effect where no step is taken."""
