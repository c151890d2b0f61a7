"""A plugin that does all that a first-party one can."""

import json
from pathlib import Path

import coview


@coview.hookimpl
def coview_register(registry: coview.Registrar) -> None:
    for modality in ("point", "curve"):
        registry.modality(modality, f"{__name__}.parts:Vectors", summary="vectors")
        registry.encoder("linear", f"{__name__}.parts:Linear", modality=modality, summary="a linear map")
    registry.dataset("pairs", f"{__name__}.parts:Pairs", summary="a point and a curve of one cause")
    registry.augmentation("jitter", f"{__name__}.parts:Jitter", modality="point", summary="noise")
    registry.projector("scaled", f"{__name__}.parts:Scaled", summary="a number for all")
    registry.loss("pull", f"{__name__}.parts:Pull", summary="mean squared distance, and spread", source="none")
    registry.sampler("neighbours", f"{__name__}.parts:Neighbours", summary="rows at equal distances")
    registry.evaluator("nearest_mean", f"{__name__}.parts:NearestMean", summary="accuracy of the nearest class mean")
    registry.optimizer("signed", f"{__name__}.parts:signed", summary="goes by the sign of the gradient")
    registry.schedule("zigzag", f"{__name__}.parts:Zigzag", summary="the peak, and less at every second step")
    registry.callback("largest_weight", f"{__name__}.parts:LargestWeight", summary="notes the largest weight")
    registry.callback("enough", f"{__name__}.parts:Enough", summary="stops where the loss is small enough")
    registry.family(
        "augmentation",
        "stranger",
        f"{__name__}.parts:family",
        summary="any",
        example="stranger:shift",
        modality="curve",
    )


class Diary:
    path: Path


def note(line, path=None):
    with ((path or Diary.path) / "diary.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


@coview.hookimpl
def coview_run_start(context):
    Diary.path = context.path
    note(["start", context.recipe["name"], context.total_steps, context.resumed_at])


@coview.hookimpl
def coview_step_end(context):
    note(["step", context.step, context.epoch, "distance" in context.metrics])


@coview.hookimpl
def coview_epoch_end(context):
    note(["epoch", context.step, context.epoch])


@coview.hookimpl
def coview_evaluated(context):
    note(["evaluated", [[result.kind, result.metric, result.n] for result in context.results]], context.path)


@coview.hookimpl
def coview_run_end(context):
    note(["end", context.status])
