"""The conformance kit: whether a component keeps the promises that its kind makes. For plugin authors' own tests.

from coview.testing import check_loss

def test_my_loss():
    check_loss(MyLoss)

The public names are imported on first use (PEP 562), so that another interpreter, in which a check calls a function,
imports what that function needs and no other check.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coview.testing.augmentation import AUGMENTATION_CHECKS as AUGMENTATION_CHECKS
    from coview.testing.augmentation import check_augmentation as check_augmentation
    from coview.testing.batch_augmentation import BATCH_AUGMENTATION_CHECKS as BATCH_AUGMENTATION_CHECKS
    from coview.testing.batch_augmentation import check_batch_augmentation as check_batch_augmentation
    from coview.testing.callback import CALLBACK_CHECKS as CALLBACK_CHECKS
    from coview.testing.callback import check_callback as check_callback
    from coview.testing.conformance import ConformanceError as ConformanceError
    from coview.testing.context_augmentation import CONTEXT_AUGMENTATION_CHECKS as CONTEXT_AUGMENTATION_CHECKS
    from coview.testing.context_augmentation import check_context_augmentation as check_context_augmentation
    from coview.testing.dataset import DATASET_CHECKS as DATASET_CHECKS
    from coview.testing.dataset import check_dataset as check_dataset
    from coview.testing.decoder import DECODER_CHECKS as DECODER_CHECKS
    from coview.testing.decoder import check_decoder as check_decoder
    from coview.testing.encoder import ENCODER_CHECKS as ENCODER_CHECKS
    from coview.testing.encoder import check_encoder as check_encoder
    from coview.testing.evaluator import EVALUATOR_CHECKS as EVALUATOR_CHECKS
    from coview.testing.evaluator import check_evaluator as check_evaluator
    from coview.testing.evaluator import example_features as example_features
    from coview.testing.examples import example_cases as example_cases
    from coview.testing.examples import example_views as example_views
    from coview.testing.loss import LOSS_CHECKS as LOSS_CHECKS
    from coview.testing.loss import check_loss as check_loss
    from coview.testing.mask import MASK_CHECKS as MASK_CHECKS
    from coview.testing.mask import check_mask as check_mask
    from coview.testing.modality import MODALITY_CHECKS as MODALITY_CHECKS
    from coview.testing.modality import check_modality as check_modality
    from coview.testing.optimizer import OPTIMIZER_CHECKS as OPTIMIZER_CHECKS
    from coview.testing.optimizer import check_optimizer as check_optimizer
    from coview.testing.outcome import Outcome as Outcome
    from coview.testing.outcome import outcome_of as outcome_of
    from coview.testing.projector import PROJECTOR_CHECKS as PROJECTOR_CHECKS
    from coview.testing.projector import check_predictor as check_predictor
    from coview.testing.projector import check_projector as check_projector
    from coview.testing.resource import RESOURCE_CHECKS as RESOURCE_CHECKS
    from coview.testing.resource import check_resource as check_resource
    from coview.testing.sampler import SAMPLER_CHECKS as SAMPLER_CHECKS
    from coview.testing.sampler import check_sampler as check_sampler
    from coview.testing.schedule import SCHEDULE_CHECKS as SCHEDULE_CHECKS
    from coview.testing.schedule import check_schedule as check_schedule
    from coview.testing.target import TARGET_CHECKS as TARGET_CHECKS
    from coview.testing.target import check_target as check_target

_CHECKED = (
    "augmentation",
    "batch_augmentation",
    "callback",
    "context_augmentation",
    "dataset",
    "decoder",
    "encoder",
    "evaluator",
    "loss",
    "mask",
    "modality",
    "optimizer",
    "projector",
    "resource",
    "sampler",
    "schedule",
    "target",
)
"""What has a module of its name, with the checks and the function that runs them."""

_HOME = {
    **{f"{kind.upper()}_CHECKS": kind for kind in _CHECKED},
    **{f"check_{kind}": kind for kind in _CHECKED},
    "ConformanceError": "conformance",
    "Outcome": "outcome",
    "check_predictor": "projector",
    "example_cases": "examples",
    "example_features": "evaluator",
    "example_views": "examples",
    "outcome_of": "outcome",
}
"""Name to module of this package."""

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    try:
        home = _HOME[name]
    except KeyError:
        raise AttributeError(f"module 'coview.testing' has no attribute {name!r}") from None
    value = getattr(import_module(f"coview.testing.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
