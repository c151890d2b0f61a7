"""Promise 1 for every augmentation that any installed plugin registers, and for an example of every wrapped library."""

from __future__ import annotations

from functools import partial

import pytest
from augmentation_cases import CASES

import coview
from coview.testing import check_augmentation


@pytest.mark.parametrize(
    "component", coview.load_plugins().of_kind("augmentation"), ids=lambda c: c.example or c.qualified
)
def test_its_views_are_a_function_of_the_key(component, registry):
    case = CASES[component.modality]
    if component.name in case.tried_elsewhere:
        pytest.skip(case.tried_elsewhere[component.name])
    use = component.example if component.is_family else component.qualified
    if getattr(registry.resolve("augmentation", use, modality=component.modality).factory(), "batch", False):
        pytest.skip("it works on batches, on the device")
    check_augmentation(
        partial(registry.build, "augmentation", use, modality=component.modality),
        case.values(),
        parameters=case.parameters.get(component.name),
        except_for=case.except_for.get(component.name),
    )
