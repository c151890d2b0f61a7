"""The conformance kit: whether a component keeps the promises that its kind makes. For plugin authors' own tests.

from coview.testing import check_loss

def test_my_loss():
    check_loss(MyLoss)
"""

from __future__ import annotations

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
from coview.testing.example_views import example_cases as example_cases
from coview.testing.example_views import example_views as example_views
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

__all__ = [
    "AUGMENTATION_CHECKS",
    "BATCH_AUGMENTATION_CHECKS",
    "CALLBACK_CHECKS",
    "CONTEXT_AUGMENTATION_CHECKS",
    "DATASET_CHECKS",
    "DECODER_CHECKS",
    "ENCODER_CHECKS",
    "EVALUATOR_CHECKS",
    "LOSS_CHECKS",
    "MASK_CHECKS",
    "MODALITY_CHECKS",
    "OPTIMIZER_CHECKS",
    "PROJECTOR_CHECKS",
    "RESOURCE_CHECKS",
    "SAMPLER_CHECKS",
    "SCHEDULE_CHECKS",
    "TARGET_CHECKS",
    "ConformanceError",
    "Outcome",
    "check_augmentation",
    "check_batch_augmentation",
    "check_callback",
    "check_context_augmentation",
    "check_dataset",
    "check_decoder",
    "check_encoder",
    "check_evaluator",
    "check_loss",
    "check_mask",
    "check_modality",
    "check_optimizer",
    "check_predictor",
    "check_projector",
    "check_resource",
    "check_sampler",
    "check_schedule",
    "check_target",
    "example_cases",
    "example_features",
    "example_views",
    "outcome_of",
]
