"""The tables that are coview's own, and not a component's: their keys, types, ranges, defaults and meaning.

The recipe reference in ``docs/`` and the JSON Schema are made from here, and from ``plugins/own_settings.py``,
which has coview's own keys in the tables of components.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal, Self, get_type_hints

from pydantic import BaseModel, Field, model_validator

from coview.plugins.component import Kind
from coview.plugins.duration import MOST_STEPS, Duration, Interval
from coview.plugins.own_settings import OF_A_TABLE, Role
from coview.plugins.type_text import type_text

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


class TopTable(BaseModel):
    """The top of a recipe; each table is checked by itself."""

    model_config = OF_A_TABLE

    schema_: Literal[1] = Field(alias="schema", description="Version of the recipe format.")
    name: Name = Field(description="Names the run's folder: letters, digits, '.', '_' and '-'.")
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(
        0, description="The seed of the weights, of the order of samples and of every view."
    )
    data: dict[str, Any] | list[dict[str, Any]] = Field(
        description="The data set, or several in `[[data]]`, which are mixed."
    )
    modality: dict[str, Any] = Field({}, description="Settings of the data's modality, or of each by name.")
    augment: list[dict[str, Any]] | dict[str, list[dict[str, Any]]] = Field(
        [], description="The augmentation pipeline, or one for each modality by name."
    )
    encoder: dict[str, Any] = Field(description="The encoder, or one for each modality by name.")
    projector: dict[str, Any] = Field({}, description='The projector ("mlp" by default), or one for each modality.')
    predictor: dict[str, Any] | None = Field(
        None, description='Follows the projector, in the student only ("mlp" by default); or one for each modality.'
    )
    start: dict[str, Any] | None = Field(
        None, description="Trained weights to start from, or those of each modality by name; absent: none."
    )
    teacher: dict[str, Any] | None = Field(None, description="A target branch; absent: none.")
    queue: dict[str, Any] | None = Field(None, description="Earlier projections as further candidates; absent: none.")
    mask: dict[str, Any] | None = Field(None, description="Which tokens of the views are hidden; absent: none.")
    decoder: dict[str, Any] = Field(
        {}, description='Predicts each hidden token from what was seen ("linear" by default).'
    )
    target: dict[str, Any] = Field({}, description='What has to be predicted for a hidden token ("input" by default).')
    loss: dict[str, Any] | list[dict[str, Any]] | None = Field(
        None, description="The loss, or several, which are added up. Not needed where `train.steps` is 0."
    )
    optimizer: dict[str, Any] | None = Field(None, description="The optimiser. Not needed where `train.steps` is 0.")
    schedule: dict[str, Any] = Field(
        {},
        description='The schedule of the learning rate ("cosine" by default), and by `[schedule."TABLE.KEY"]` '
        "that of other values.",
    )
    sampler: dict[str, Any] = Field({}, description='Which samples are in which batch ("uniform" by default).')
    train: dict[str, Any] = Field(description="The training.")
    evaluate: list[dict[str, Any]] = Field([], description="What is measured on the frozen encoder.")
    callback: list[dict[str, Any]] = Field([], description="Reports about the run, and rules that may end it.")
    paper: dict[str, Any] | None = Field(
        None, description="Which published method the recipe is, and where it differs."
    )
    sweep: dict[str, Any] = Field({}, description="Values to try: the recipe is then a comparison.")
    compare: dict[str, Any] = Field({}, description="What a comparison asks.")
    tune: dict[str, Any] = Field({}, description="What each variant of a comparison may choose on validation.")


class StartTable(BaseModel):
    """``[start]``: trained weights that the model starts from, of one of ``run``, ``checkpoint``, ``export``."""

    model_config = OF_A_TABLE

    run: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="A run's folder, or a folder of runs, of which the latest counts. The weights are those of "
        "its last complete checkpoint; those of the teacher if the run evaluates the teacher.",
    )
    step: Annotated[int, Field(ge=0)] | None = Field(
        None, description="The step of the run; absent: the last one that it has kept."
    )
    checkpoint: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="A checkpoint's folder, `step-N`, or the `weights.safetensors` in it: the student's weights."
    )
    export: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="A folder that `coview export` has written."
    )
    parts: tuple[Literal["encoder", "projector", "predictor", "decoder", "mask_token"], ...] = Field(
        ("encoder",), description="The parts that start from them; all other parts start as they do without this table."
    )


class TeacherTable(BaseModel):
    """``[teacher]``: what the student's projections are compared with."""

    model_config = OF_A_TABLE

    encoder: dict[str, Any] | None = Field(
        None,
        description="Another encoder, `use` and its parameters, frozen as it comes: its representations are the "
        "target branch, instead of a moving average of the student. Absent: none.",
    )
    stop_gradient: bool = Field(
        False, description="The student's own projections, before the predictor and without gradient (SimSiam)."
    )
    momentum: Annotated[float, Field(ge=0, le=1)] = Field(
        0.996,
        description="The momentum of the moving average of the student's weights and buffers, at the first "
        "optimiser step.",
    )
    end_momentum: Annotated[float, Field(ge=0, le=1)] = Field(
        1.0, description="The momentum at the last step; between the two it follows a cosine."
    )
    shuffle_groups: Annotated[int, Field(ge=1)] = Field(
        1,
        description="The teacher encodes the shuffled batch in so many parts, each batch-normalised by itself: "
        "its statistics then say nothing about which sample is whose (MoCo's shuffled batch norm). "
        "With several processes a multiple of their number.",
    )
    evaluate: bool = Field(False, description="Evaluate the teacher's encoder instead of the student's.")

    @property
    def averages(self) -> bool:
        """Whether it is a moving average of the student."""
        return not self.stop_gradient and self.encoder is None


class QueueTable(BaseModel):
    """``[queue]``: the teacher's projections of earlier batches, or the student's where there is no teacher."""

    model_config = OF_A_TABLE

    size: Annotated[int, Field(ge=1)] = Field(
        65_536, description="Rows kept; each batch adds one for each sample and view that is put in."
    )
    views: Literal["all"] | Annotated[tuple[Annotated[int, Field(ge=0)] | Role, ...], Field(min_length=1)] = Field(
        "all",
        description="The teacher's views whose projections are put in: all, or some by number or by name. MoCo's queue "
        "takes the keys, `[1]`: one row a sample.",
    )

    @property
    def numbers(self) -> tuple[int, ...] | None:
        """The views as numbers, once names have been found; None: all."""
        return None if self.views == "all" else tuple(view for view in self.views if isinstance(view, int))


class TrainTable(BaseModel):
    """``[train]``."""

    model_config = OF_A_TABLE

    epochs: Annotated[int, Field(ge=1, le=10**9)] | None = Field(
        None, description="Passes over the training split. Or `steps`."
    )
    steps: Annotated[int, Field(ge=0, le=MOST_STEPS)] | None = Field(
        None,
        description="Optimiser steps. Or `epochs`. 0 trains nothing: the encoder is evaluated as it is loaded, and "
        "neither a loss, an optimiser nor `batch_size` is needed.",
    )
    batch_size: Annotated[int, Field(ge=1)] = Field(description="Samples in a batch, over all ranks.")
    accumulate: Annotated[int, Field(ge=1, le=10**6)] = Field(
        1,
        description="Batches for each optimiser step; each batch has only its own negatives, so their number does "
        "not grow.",
    )
    grad_cache: Annotated[int, Field(ge=1)] | Literal["auto"] | None = Field(
        None,
        description="Samples that a process encodes at a time; absent: all. The gradient is that of the whole "
        "batch (arXiv:2101.06983), with the memory of a part and a second forward pass. Batch norm "
        'sees one part at a time. "auto": as many as fit into the memory of the GPU, and 64 on a CPU.',
    )
    batch_norm: Literal["all_views", "per_view"] = Field(
        "all_views",
        description="What batch norm of encoder, projector and predictor sees at a time, in student and teacher. "
        '"all_views": all views of a modality together (the encoder sees local ones apart, because of '
        'their size). "per_view": each view by itself, global or local, as in BYOL, SimSiam, MoCo v3, '
        "Barlow Twins and VICReg.",
    )
    clip_norm: Annotated[float, Field(gt=0, le=1e30)] | None = Field(
        None, description="Largest gradient norm; absent: none."
    )
    clip_norm_of: Literal["all", "each"] = Field(
        "all",
        description="Whose norm is limited: that of all gradients together, or that of each parameter's gradient "
        "by itself (DINO).",
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto",
        description='The precision of the forward pass; the loss is always computed in fp32. "auto" is bf16 where '
        "the device computes in it (Ampere and newer; CPUs with AVX-512 BF16 or AMX), fp16 on older "
        "CUDA cards, else fp32.",
    )
    channels_last: bool = Field(True, description="Memory layout of convolutional weights and pictures.")
    compile: bool = Field(False, description="torch.compile the model.")
    checkpoint_activations: bool = Field(
        False,
        description="Whether the repeated blocks of the encoders keep only their inputs for the backward pass, and are "
        "computed again in it (arXiv:1604.06174): less memory, for about a third more time. The weights are the same.",
    )
    shard: bool = Field(
        False,
        description="Whether each of several processes holds only a share of every parameter of the encoders, their "
        "heads and the teacher, of its gradient and of the optimiser's state (FSDP2). The weights are the same but for "
        "rounding, checkpoints hold whole tensors, and one process ignores it.",
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", description="The device that trains. Choose a card by CUDA_VISIBLE_DEVICES."
    )
    checkpoint_every: Interval = Field(
        "10m", description='How often a checkpoint is written: steps, "2 epochs", "10m" or "1h".'
    )
    keep: Annotated[int, Field(ge=1)] = Field(
        2, description="How many of the latest checkpoints are kept, besides the one of lowest training loss."
    )
    keep_best: str | None = Field(
        None,
        description='A curve, such as "knn/accuracy" of an evaluator with `every`: the checkpoint of its best '
        "point is kept too, and `checkpoints/best` and `--step best` mean this one. The evaluation at "
        "the end still measures the last one.",
    )
    log_every: Annotated[int, Field(ge=1)] = Field(10, description="Steps between two lines of metrics.")


class ResultTable(BaseModel):
    """``[paper.result]``: a number that somebody has published, which ``coview reproduce`` holds runs against."""

    model_config = OF_A_TABLE

    metric: Annotated[str, Field(min_length=1)] = Field(
        description="Which number: `EVALUATOR/METRIC`, or `EVALUATOR/METRIC@LABELS`."
    )
    value: float = Field(description="The published value, on the scale of the metric: 0.847, not 84.7.")
    source: Annotated[str, Field(min_length=1)] = Field(
        description="Where it was published, and how it was measured there."
    )
    tolerance: Annotated[float, Field(gt=0)] = Field(
        description="How far below the published value a mean still counts as reproduced, since published values "
        "also differ from run to run."
    )
    step: Literal["last", "best"] = Field(
        "last",
        description="The weights that it belongs to: those of the last step, or the best by `train.keep_best`, "
        "which `coview reproduce` then measures as well, as `coview evaluate RUN --step best` does.",
    )
    seeds: Annotated[int, Field(ge=2, le=1000)] = Field(3, description="How many runs are made.")
    hours: Annotated[float, Field(gt=0)] | None = Field(
        None, description="The hours that a run takes on the card below; absent: not measured."
    )
    needs: str = Field("", description="What has to be fetched by hand before a run, and from where; empty: nothing.")
    card: str = Field("", description="The card that the hours refer to, and who has measured or estimated them.")


class PaperTable(BaseModel):
    """``[paper]``: what a recipe is held against by ``coview recipe diff --paper``."""

    model_config = OF_A_TABLE

    record: str = Field(
        "",
        description="What the authors have set: a file relative to this one, or one that comes with coview, such "
        "as `published/mae`. Empty: there is no record of the method. A recipe that names another "
        "record than the recipe that it extends takes over nothing else of that recipe's [paper].",
    )
    differs: dict[str, str] = Field(
        {},
        description='Dotted key to the reason why it is not as published: `"encoder.positions" = "…"`; '
        '`"augment.*"` for all keys that begin so, except those that have their own reason. An empty '
        "reason removes the one of the recipe that this one extends.",
    )
    besides: list[str] = Field([], description="Differences from the publication that no key shows, one sentence each.")
    result: ResultTable | None = Field(None, description="A published number, to be reproduced; absent: none.")


class SweepTable(BaseModel):
    """``[sweep]``: every combination of ``grid`` with every entry of ``zip``."""

    model_config = OF_A_TABLE

    grid: dict[str, list[Any]] = Field({}, description="Dotted key to the values it takes.")
    zip: list[dict[str, Any]] = Field(
        [], description="Each entry sets several dotted keys at once; `label` names it in tables and figures."
    )


Test = Literal["model", "paired_t", "wilcoxon"]
"""What tells variants of a comparison apart."""


class CompareTable(BaseModel):
    """``[compare]``: what a comparison asks, and of which recipes."""

    model_config = OF_A_TABLE

    question: str = Field(
        "", description="The question that the comparison answers, in one sentence; it heads the report."
    )
    recipes: list[str] = Field(
        [],
        description="The recipes that are swept over, one for each modality: paths relative to this file, or names of "
        "recipes that come with coview; the other tables "
        "of this file are merged over each. Absent: this file is the recipe.",
    )
    variant: str = Field("variant", description="What the entries of `sweep.zip` vary, such as `loss`.")
    metric: str | None = Field(
        None,
        description="The number that ranks: `EVALUATOR/METRIC`, or `EVALUATOR/METRIC@LABELS` such as "
        "`linear_probe/accuracy@10`. By default the first one of the first evaluator.",
    )
    baseline: str | None = Field(
        None,
        description="The variant that every other one is tested against, such as `all` where one thing at a time "
        "is left out. Fewer tests find smaller differences. By default every pair is tested.",
    )
    bank_gb: float = Field(
        4.0,
        ge=0,
        allow_inf_nan=False,
        description="Gigabytes of disk, while cells run, for views that several cells need and only the first one "
        "makes. 0: each cell makes its own. It changes no number.",
    )
    test: Test = Field(
        "model",
        description="The test that tells variants apart: `model`, one model of all cells of a modality, with "
        "intervals that hold for all pairs together; or `paired_t` and `wilcoxon`, which look at two "
        "variants at a time, with Holm's correction. These assume less, but find far less with few "
        "seeds.",
    )
    margin: float = Field(
        0.0,
        ge=0,
        description="Differences up to this do not matter: variants whose interval lies within it count as the "
        'same. By default every difference matters. Only for `test = "model"`.',
    )

    until: Literal["decided"] | None = Field(
        None,
        description="`decided`: the seeds of the sweep are used in their order, and only for variants with an "
        "undecided pair; coview looks after 3, 5, 8, 12, 18, … seeds. Absent: every cell is run.",
    )
    budget: Annotated[int, Field(ge=1)] | Annotated[str, Field(pattern=r"^\d{1,12}(?:\.\d{1,12})? ?[smh]$")] | None = (
        Field(
            None,
            description="What `until` may spend: a number of cells, or a time of training such as `2h`, existing "
            "cells included. By default the seeds of the sweep are the limit.",
        )
    )

    @property
    def spent_at_most(self) -> int | float | None:
        """The budget: cells as an ``int``, seconds as a ``float``."""
        return Duration.parse(self.budget).amount if isinstance(self.budget, str) else self.budget

    @model_validator(mode="after")
    def _has_intervals_of_all_pairs(self) -> Self:
        if self.margin and self.test != "model":
            raise ValueError(
                f'margin needs intervals that hold for all pairs together: test = "model", not "{self.test}"'
            )
        if self.until and self.test != "model":
            raise ValueError(f'until looks several times, which test = "model" alone allows for, not "{self.test}"')
        if self.budget is not None and self.until is None:
            raise ValueError('budget is what until may spend: until = "decided"')
        return self


KIND_OF_TABLE: Mapping[str, Kind] = {
    "data": "dataset",
    "modality": "modality",
    "augment": "augmentation",
    "encoder": "encoder",
    "projector": "projector",
    "predictor": "predictor",
    "mask": "mask",
    "decoder": "decoder",
    "target": "target",
    "loss": "loss",
    "optimizer": "optimizer",
    "schedule": "schedule",
    "sampler": "sampler",
    "evaluate": "evaluator",
    "callback": "callback",
}
"""The kind of component in each top-level table, or in its elements, or in its tables by modality."""


@cache
def key_types(model: type[BaseModel]) -> dict[str, str]:
    """Each key of a table with its type in words."""
    hints = get_type_hints(model, include_extras=True)
    return {(f.alias or name): type_text(hints[name]) for name, f in model.model_fields.items()}
