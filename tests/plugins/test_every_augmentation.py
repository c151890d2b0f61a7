"""Promise 1 for every augmentation that any installed plugin registers, and for an example of every wrapped library."""

from __future__ import annotations

from functools import partial

import pytest
from augmentation_cases import CASES, build

import coview
from coview.testing import check_augmentation, check_batch_augmentation

COMPONENTS = coview.load_plugins().of_kind("augmentation")


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda c: c.example or c.qualified)
def test_its_views_are_a_function_of_the_key(component, registry):
    case, use, factory = tried(component, registry)
    if getattr(factory, "batch", False):
        pytest.skip("it works on batches, on the device: below")
    check_augmentation(
        partial(build, use, modality=component.modality),
        case.values(),
        parameters=case.parameters.get(component.name),
        except_for=case.except_for.get(component.name),
    )


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda c: c.example or c.qualified)
def test_what_it_makes_of_a_batch_is_a_function_of_the_keys(component, registry):
    case, use, factory = tried(component, registry)
    if not (getattr(factory, "batch", False) or hasattr(factory, "batched")):
        pytest.skip("it works on one sample at a time: above")
    check_batch_augmentation(
        partial(build, use, modality=component.modality),
        case.batch(component.name),
        parameters=case.parameters.get(component.name),
        except_for=case.except_for.get(component.name),
    )


def tried(component, registry):
    case = CASES[component.modality]
    if component.name in case.tried_elsewhere:
        pytest.skip(case.tried_elsewhere[component.name])
    use = component.example if component.is_family else component.qualified
    return case, use, registry.resolve("augmentation", use, modality=component.modality).factory()


@pytest.mark.parametrize(
    ("modality", "use", "given"),
    [
        ("image", "albumentations:RandomCrop", {"height": 10**9, "width": 8}),
        ("image", "albumentations:PadIfNeeded", {"min_width": 10**9}),
        ("image", "albumentations:RandomResizedCrop", {"size": [8, 10**9]}),
        ("image", "albumentations:CropAndPad", {"px": [0, 10**9, 0, 0]}),
        ("image", "albumentations:RandomScale", {"scale_limit": 1e6}),
        ("audio", "audiomentations:AdjustDuration", {"duration_seconds": 1e9}),
        ("audio", "audiomentations:RepeatPart", {"max_repeats": 10**9}),
        ("audio", "torchaudio:Fade", {"fade_in_len": 10**12}),
        ("audio", "torchaudio:SpeedPerturbation", {"orig_freq": 16000, "factors": [1e-9]}),
    ],
)
def test_a_librarys_sizes_are_limited_before_anything_is_allocated(registry, modality, use, given):
    with pytest.raises(coview.CoviewError, match=r"(" + "|".join(given) + r") has to be from .* to .*, got"):
        registry.build("augmentation", use, modality=modality, **given)
