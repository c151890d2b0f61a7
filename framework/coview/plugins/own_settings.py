"""coview's own keys in a component's table, beside ``use`` and the component's parameters.

The one place where they stand. From here come the check of a recipe, the keys that stay when a recipe changes ``use``,
the names that a component cannot give a parameter of its own, the JSON Schema and the recipe reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from coview.plugins.component import Kind
from coview.plugins.duration import CurveInterval, TrainingLength

OF_A_TABLE = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True, defer_build=True)
"""How strictly a table of coview's own is checked. Its model is built when a recipe first has the table."""


Role = Annotated[str, Field(min_length=1)]
"""The name of a view, such as "user"."""

Roles = Annotated[tuple[Role, ...], Field(max_length=64)]
"""The views by their names."""


class DataSettings(BaseModel):
    """``[data]``, beside ``use`` and the data set's own parameters.

    Of several ``[[data]]`` the first has them, and they hold for all; ``weight`` is each one's own.
    """

    model_config = OF_A_TABLE

    views: Annotated[int, Field(ge=1, le=64)] | Roles | dict[str, Annotated[int, Field(ge=0, le=64)] | Roles] = Field(
        2,
        description="The views of each sample, for all modalities or for each by name: their number, or their "
        "names, which augmentations and losses refer to.",
    )
    local_views: Annotated[int, Field(ge=0, le=64)] | dict[str, Annotated[int, Field(ge=0, le=64)]] = Field(
        0, description="Further views that only the student sees, usually of small crops (multi-crop)."
    )
    workers: Annotated[int, Field(ge=0, le=512)] | Literal["auto"] = Field(
        "auto",
        description='Loader processes; 0 loads in the main one. "auto" is the number of CPU cores, at most 8 for '
        "each process that trains. It changes nothing but the speed.",
    )
    keep_gb: Annotated[float, Field(ge=0, le=1e6)] = Field(
        0.5,
        description="How much memory the samples may take that are kept as they were read, in all loader processes of "
        "a process that trains: a picture's file is then decoded once and not in every epoch. It changes nothing but "
        "the speed.",
    )
    augment_on: Literal["worker", "device"] = Field(
        "worker",
        description="Where samples are augmented: one by one in the loader's processes, or as whole batches on the "
        "device that trains. The views differ, but come from the same distribution. A step may say otherwise.",
    )
    weight: Annotated[float, Field(gt=0, le=1e9)] | None = Field(
        None,
        description="In one of several `[[data]]`: how often its samples come, relative to the others. Absent in "
        "all of them: in proportion to the number of samples, so that each sample comes once in an "
        "epoch.",
    )


class AugmentSettings(BaseModel):
    """``[[augment]]``, beside ``use`` and the augmentation's own parameters."""

    model_config = OF_A_TABLE

    views: Literal["all", "global", "local"] | tuple[Annotated[int, Field(ge=0)] | Role, ...] = Field(
        "all",
        description="The views it helps to make: all, the global ones (which a teacher sees too), the local ones, or "
        "some by number or by name.",
    )
    on: Literal["worker", "device"] | None = Field(
        None,
        description="Where it works; absent: where `data.augment_on` says. Steps on the device come after those "
        "in the workers.",
    )
    shared: bool = Field(
        False,
        description="Whether all its views of a sample share one draw in each epoch, such as one excerpt; else each "
        "view has its own.",
    )


class LoraTable(BaseModel):
    """``[encoder.lora]``: small matrices beside some of the encoder's linear layers, which alone are trained (LoRA).

    Beside a weight W of rank r the layer computes W·x + alpha / r · B·A·x (Hu et al., arXiv:2106.09685, section 4.1).
    """

    model_config = OF_A_TABLE

    rank: Annotated[int, Field(ge=1, le=4096)] = Field(8, description="The rank r of the matrices A and B.")
    alpha: Annotated[float, Field(gt=0, le=1e9)] = Field(
        16.0, description="Their product is multiplied by alpha / rank."
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="The dropout of A's input, in training.")
    match: Annotated[str, Field(min_length=1)] | Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        "*",
        description="Which linear layers: names such as `encoder.*.query` or `encoder.*.mlp.*`, as in "
        "`[[optimizer.group]]` without the parameter's own, or several of them.",
    )

    @property
    def globs(self) -> tuple[str, ...]:
        """The names."""
        return (self.match,) if isinstance(self.match, str) else self.match


class EncoderSettings(BaseModel):
    """``[encoder]``, beside ``use`` and the encoder's own parameters, or in place of them."""

    model_config = OF_A_TABLE

    shared: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="Instead of `use`, in a recipe of several modalities: the modality whose encoder this "
        "modality uses too, with the same weights.",
    )
    lora: LoraTable | None = Field(
        None,
        description="Trains LoRA's matrices, while the encoder's own weights stay as they are. Absent: the "
        "encoder's own weights are trained.",
    )


class ProjectorSettings(BaseModel):
    """``[projector]``, beside ``use`` and the projector's own parameters."""

    model_config = OF_A_TABLE

    evaluated_layers: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="How many of its layers count as part of the encoder in evaluations and embeddings, as SimCLR "
        "v2 fine-tunes from the first layer (arXiv:2006.10029); absent: none.",
    )


class MaskSettings(BaseModel):
    """``[mask]``, beside ``use`` and the mask's own parameters."""

    model_config = OF_A_TABLE

    hide: Literal["replace", "drop"] = Field(
        "replace",
        description='What the encoder sees of a hidden token: "replace": a learnt token in its place (BERT, SimMIM); '
        '"drop": nothing, which saves the work for it (MAE).',
    )
    views: Literal["all", "global", "local"] | tuple[Annotated[int, Field(ge=0)] | Role, ...] = Field(
        "global",
        description="The views that are masked: all, the global ones, the local ones, or some by number or by name.",
    )
    probability: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="The probability that a view of a sample is masked at all; DINOv2: 0.5."
    )
    swapped: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0,
        description="Share of the hidden tokens in whose place the encoder sees another token, drawn from all "
        "tokens; BERT: 0.1.",
    )
    kept: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="Share of the hidden tokens that the encoder sees as they are; BERT: 0.1."
    )


class LossSettings(BaseModel):
    """``[loss]``, beside ``use`` and the loss's own parameters."""

    model_config = OF_A_TABLE

    weight: Annotated[float, Field(gt=0, le=1e9)] = Field(1.0, description="Its weight in the sum of several losses.")
    prefixes: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] | None = Field(
        None,
        description="Widths, such as `[768, 256, 64]`: the loss is computed once for each width, on that many "
        "first dimensions of the projections, and summed (Matryoshka). Absent: on all dimensions.",
    )
    between: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)] | None = Field(
        None,
        description='The modalities whose views it sees, such as `["image", "text"]`, or `["image"]` alone where there '
        "are two views of it. Absent: those of all modalities.",
    )


class GroupTable(BaseModel):
    """``[[optimizer.group]]``: what is special about some parameters, beside the optimiser's own settings for them."""

    model_config = OF_A_TABLE | ConfigDict(extra="allow")

    match: Annotated[str, Field(min_length=1)] = Field(
        description="Which parameters: names such as `encoder.*` or `projector.*.bias`, in which `*` stands for "
        "anything, or `bias_and_norm` for those of fewer than two dimensions.",
    )
    lr_scale: Annotated[float, Field(gt=0, le=1e9)] | None = Field(None, description="Multiplies the learning rate.")
    layer_decay: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None,
        description="Multiplies the learning rate of an encoder's layers, once more for each layer further from the "
        "last.",
    )
    schedule: Annotated[str, Field(min_length=1)] | dict[str, Any] | None = Field(
        None, description="A schedule of its own, by its name or as in `[schedule]`; absent: that of the recipe."
    )
    freeze: bool | TrainingLength | None = Field(
        None,
        description='`true`: never trained. Or for how long they are not trained at the start: steps, or "1 epoch".',
    )

    @property
    def options(self) -> Mapping[str, Any]:
        """The optimiser's own settings."""
        return dict(self.model_extra or {})


class OptimizerSettings(BaseModel):
    """``[optimizer]``, beside ``use`` and the optimiser's own parameters."""

    model_config = OF_A_TABLE

    group: tuple[GroupTable, ...] = Field(
        (),
        description="Settings for some of the parameters. Where several groups match, the last one that gives a "
        "key counts.",
    )


class ScheduleSettings(BaseModel):
    """``[schedule]``, beside ``use`` and the schedule's own parameters."""

    model_config = OF_A_TABLE

    warmup: TrainingLength = Field(
        0, description='How long the learning rate rises linearly before the schedule: steps, or "10 epochs".'
    )
    warmup_start: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="The share of the peak that it rises from; at the first step it is already one step above it."
    )


class ValueScheduleSettings(BaseModel):
    """``[schedule."TABLE.KEY"]``, beside ``use`` and the schedule's own parameters."""

    model_config = OF_A_TABLE

    end: float = Field(
        description="The value at the end; it starts at the value in its own table. The schedule says how it "
        "changes from one to the other."
    )
    over: TrainingLength | None = Field(
        None,
        description='How long the change takes: steps, or "30 epochs"; after that the value stays at its end. '
        "Absent: the whole run.",
    )


class EvaluateSettings(BaseModel):
    """``[[evaluate]]``, beside ``use`` and the evaluator's own parameters."""

    model_config = OF_A_TABLE

    data: dict[str, Any] | None = Field(
        None,
        description='Other data to measure on, as in `[data]`: `{ use = "…", … }`, of the modality of the encoder. '
        "Absent: what the recipe trains on.",
    )
    modality: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="In a model of several modalities, the one whose encoder it measures, such as `text`. Absent: "
        "the first.",
    )
    projector: bool = Field(
        False,
        description="Whether it measures the output of the projector, where all modalities share a space, instead "
        "of the output of the encoder.",
    )
    every: CurveInterval | None = Field(
        None,
        description="How often it measures on validation while training, besides before the first step and after "
        'the last: steps, or "5 epochs". A time is not allowed, because no two runs divide it alike. '
        "Absent: only at the end, on test.",
    )
    test: bool = Field(
        True,
        description="Whether it measures on test at the end. False: only on validation, by `every`, for what is "
        "still being chosen.",
    )


class CallbackSettings(BaseModel):
    """``[[callback]]``, beside ``use`` and the callback's own parameters."""

    model_config = OF_A_TABLE

    changes_run: bool | None = Field(
        None,
        description="Whether it changes the run, so that it counts in the recipe's hash. The callback declares "
        "this, and a resolved recipe records it; there is no need to set it.",
    )


OWN_SETTINGS: Mapping[Kind, type[BaseModel]] = {
    "dataset": DataSettings,
    "augmentation": AugmentSettings,
    "encoder": EncoderSettings,
    "projector": ProjectorSettings,
    "mask": MaskSettings,
    "loss": LossSettings,
    "optimizer": OptimizerSettings,
    "schedule": ScheduleSettings,
    "evaluator": EvaluateSettings,
    "callback": CallbackSettings,
}
"""By kind of component; the tables of other kinds have ``use`` and the component's parameters only."""


def own_keys(kind: Kind) -> tuple[str, ...]:
    """The keys of a component's table that are coview's own, besides ``use``."""
    return tuple(OWN_SETTINGS[kind].model_fields) if kind in OWN_SETTINGS else ()
