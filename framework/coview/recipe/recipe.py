"""A valid recipe, with every default in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coview.plugins.own_settings import (
    AugmentSettings,
    DataSettings,
    EncoderSettings,
    GroupTable,
    LossSettings,
    MaskSettings,
    ProjectorSettings,
    ScheduleSettings,
)
from coview.recipe.key import Key, dotted
from coview.recipe.merge import Layers
from coview.recipe.needs import Needs
from coview.recipe.snapshot import recipe_hash
from coview.recipe.tables import (
    CompareTable,
    PaperTable,
    QueueTable,
    StartTable,
    SweepTable,
    TeacherTable,
    TrainTable,
)
from coview.recipe.tune_table import TuneTable


@dataclass(frozen=True)
class ComponentTable:
    """A component and its parameters, to be built: relative paths are whole ones.

    Attributes:
        use: Its name.
        parameters: What the recipe gives; the component's own defaults fill in the rest.
        as_written: The resolved table, paths as they are in the recipe: what it is told apart by, on any machine.
    """

    use: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    as_written: Mapping[str, Any] | None = field(default=None, kw_only=True)

    @property
    def written(self) -> Mapping[str, Any]:
        """``use`` and parameters as a resolved recipe has them."""
        return self.as_written or {"use": self.use, **self.parameters}


def is_among(views: str | tuple[int | str, ...], view: int, global_views: int) -> bool:
    """Whether a view is one of those that a table names, of which the first ``global_views`` are global."""
    if isinstance(views, tuple):
        return view in views
    return views == "all" or (views == "global") == (view < global_views)


@dataclass(frozen=True)
class AugmentTable(ComponentTable):
    """A step of the augmentation pipeline.

    Attributes:
        settings: Which views it makes.
        on_device: Whether it works on batches, on the device that trains.
    """

    settings: AugmentSettings = field(default_factory=AugmentSettings)
    on_device: bool = False

    def makes(self, view: int, global_views: int) -> bool:
        """Whether the step is in the pipeline of a view, of which the first ``global_views`` are global."""
        return is_among(self.settings.views, view, global_views)


@dataclass(frozen=True)
class EncoderTable(ComponentTable):
    """An encoder.

    Attributes:
        settings: What of it is trained.
    """

    settings: EncoderSettings = field(default_factory=EncoderSettings)


@dataclass(frozen=True)
class ProjectorTable(ComponentTable):
    """A projector.

    Attributes:
        settings: What of it is evaluated with the encoder.
    """

    settings: ProjectorSettings = field(default_factory=ProjectorSettings)


@dataclass(frozen=True)
class DataTable(ComponentTable):
    """One of the data sets that a recipe trains on.

    Attributes:
        weight: How often its samples come, relative to those of others; None: as often as there are samples.
    """

    weight: float | None = None


@dataclass(frozen=True)
class EvaluateTable(ComponentTable):
    """An evaluator.

    Attributes:
        data: What it measures on; None: what the recipe trains on.
        every: How often it measures on validation while training; None: only at the end, on test.
        test: Whether it measures on test at the end.
        modality: Whose encoder it measures; None: the first's.
        projector: Whether it measures what comes out of the projector.
    """

    data: ComponentTable | None = None
    every: int | str | None = None
    test: bool = True
    modality: str | None = None
    projector: bool = False


@dataclass(frozen=True)
class MaskTable(ComponentTable):
    """A mask.

    Attributes:
        settings: How it hides, and of which views.
    """

    settings: MaskSettings = field(default_factory=MaskSettings)

    def makes(self, view: int, global_views: int) -> bool:
        """Whether it masks a view, of which the first ``global_views`` are global."""
        return is_among(self.settings.views, view, global_views)


@dataclass(frozen=True)
class LossTable(ComponentTable):
    """A term of the loss.

    Attributes:
        settings: Its weight.
        needs: What it needs; None where it does not say.
    """

    settings: LossSettings = field(default_factory=LossSettings)
    needs: Needs | None = None


@dataclass(frozen=True)
class ScheduleTable(ComponentTable):
    """A schedule.

    Attributes:
        settings: Its warm-up.
    """

    settings: ScheduleSettings = field(default_factory=ScheduleSettings)


@dataclass(frozen=True)
class ScheduledTable(ComponentTable):
    """The schedule of a value that is no learning rate.

    Attributes:
        key: Which: ``loss.temperature``.
        start, end: What it is at the first step, and what it comes to.
        over: How long that takes; None: the whole run.
    """

    key: str = field(kw_only=True)
    start: float = field(kw_only=True)
    end: float = field(kw_only=True)
    over: int | str | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class CallbackTable(ComponentTable):
    """A callback.

    Attributes:
        changes_run: Whether the run is another with it.
        every_step: Whether it is told of every step.
    """

    changes_run: bool = False
    every_step: bool = False


@dataclass(frozen=True)
class ParameterGroup:
    """What is special about some parameters.

    Attributes:
        settings: Which they are, and coview's own settings for them.
        options: The optimiser's own parameters for them, as the recipe gives them.
        schedule: Theirs; absent: that of the recipe.
    """

    settings: GroupTable
    options: Mapping[str, Any] = field(default_factory=dict)
    schedule: ScheduleTable | None = None


@dataclass(frozen=True)
class OptimizerTable(ComponentTable):
    """The optimiser.

    Attributes:
        groups: Of parameters that are treated otherwise than the rest, in the order of the recipe.
    """

    groups: tuple[ParameterGroup, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """A valid recipe.

    Attributes:
        name, seed: As in the recipe.
        data: The data set; of several the first, which evaluators measure on.
        settings: The rest of ``[data]``.
        view_modalities: The modality of each view, V of them, the global views before the local ones.
        global_views: How many of them are global: a teacher sees these.
        modality, augment, encoder, projector: For each modality.
        roles: The name of each view, empty for one that has none; nothing where none has one.
        shared_encoders: Of each modality that has no encoder of its own, the one whose encoder it has.
        predictor: For each modality; empty where there is none.
        start: For each modality whose tower starts from trained weights.
        teacher, queue: Absent where there is none.
        teacher_encoder: The encoder that the teacher has of its own; absent where it has none.
        mask: What is hidden of the views; absent: nothing.
        decoder, target: What hidden tokens are predicted by, and what they have to be; absent where they are not.
        loss: The terms of the loss; may be empty where nothing is trained.
        optimizer: The optimiser; absent where nothing is trained.
        schedule: Of the learning rate.
        sampler: Which samples are in which batch.
        train: ``[train]``.
        evaluate: The evaluators.
        sweep: The values to try; empty for a single run.
        compare: What a comparison asks.
        tables: The resolved recipe: nothing extended, every default written out.
        layers: Where each value came from.
        warnings: Settings that have no effect.
        path: Its file.
        callback: What is told of the run, and what may end it.
        scheduled: Schedules of other values than the learning rate.
        mixture: All data sets where there are several, the first among them; else none.
        paper: What it is held against; no part of what is computed.
    """

    name: str
    seed: int
    data: ComponentTable
    settings: DataSettings
    view_modalities: tuple[str, ...]
    global_views: int
    modality: Mapping[str, Mapping[str, Any]]
    augment: Mapping[str, tuple[AugmentTable, ...]]
    encoder: Mapping[str, EncoderTable]
    projector: Mapping[str, ProjectorTable]
    predictor: Mapping[str, ComponentTable]
    teacher: TeacherTable | None
    queue: QueueTable | None
    mask: MaskTable | None
    decoder: ComponentTable | None
    target: ComponentTable | None
    loss: tuple[LossTable, ...]
    optimizer: OptimizerTable | None
    schedule: ScheduleTable
    train: TrainTable
    evaluate: tuple[EvaluateTable, ...]
    sweep: SweepTable
    compare: CompareTable
    tune: TuneTable
    tables: Mapping[str, Any]
    layers: Layers = field(repr=False, compare=False)
    warnings: tuple[str, ...] = ()
    path: Path | None = None
    start: Mapping[str, StartTable] = field(default_factory=dict)
    sampler: ComponentTable = ComponentTable("uniform")
    callback: tuple[CallbackTable, ...] = ()
    mixture: tuple[DataTable, ...] = ()
    scheduled: tuple[ScheduledTable, ...] = ()
    shared_encoders: Mapping[str, str] = field(default_factory=dict)
    roles: tuple[str, ...] = ()
    paper: PaperTable | None = None
    teacher_encoder: ComponentTable | None = None

    @property
    def trains_on(self) -> tuple[tuple[ComponentTable, Key], ...]:
        """Every data set that is trained on, with where in the recipe it stands."""
        if not isinstance(self.layers.table.get("data"), list):
            return ((self.data, ("data",)),)
        return tuple((table, ("data", index)) for index, table in enumerate(self.mixture or (self.data,)))

    @property
    def data_named(self) -> str:
        """The names of the data sets that are trained on, in quotes."""
        return " and ".join(f'"{table.use}"' for table, _ in self.trains_on)

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that have an encoder."""
        return tuple(self.encoder)

    def owner_of_encoder(self, modality: str) -> str:
        """The modality whose table says what the encoder of a modality is: itself, unless it shares another's."""
        return self.shared_encoders.get(modality, modality)

    def sharing_encoder(self, modality: str) -> tuple[str, ...]:
        """All modalities that have one encoder with a modality; none where that has it for itself."""
        owner = self.owner_of_encoder(modality)
        alike = tuple(name for name in self.encoder if self.owner_of_encoder(name) == owner)
        return alike if len(alike) > 1 else ()

    @property
    def extras(self) -> tuple[str, ...]:
        """The samples' extras that a loss sees, each once."""
        named = (name for term in self.loss if term.needs is not None for name in term.needs.extras)
        return tuple(dict.fromkeys(named))

    @property
    def trains(self) -> bool:
        """Whether there is a step to take; else the encoder is evaluated as it is loaded."""
        return self.train.steps != 0

    @property
    def hash(self) -> str:
        """Of everything that can change a result."""
        return recipe_hash(self.tables)

    def below(self, modality: str) -> Key:
        """What stands between the name of a table and the keys of one modality: its name, where there are several."""
        return (modality,) if len(self.modalities) > 1 else ()

    def where(self, *path: str | int) -> str:
        """``file:line: dotted.path``, for a message about what only a run can find out."""
        key: Key = path
        origin = self.layers.where(key)
        return f"{origin}: {dotted(path)}" if origin else dotted(path)
