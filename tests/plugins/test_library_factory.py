"""A class of a library as a component: a small library here, of which each part that can differ is known."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import pytest
from annotated_types import Ge
from pydantic import BaseModel, ConfigDict

import coview
from coview.plugins.parameters import Parameters


class Gain:
    """Makes louder.

    Args:
        factor: How much.
    """

    def __init__(
        self,
        factor: float,
        limit: int | None = None,
        folder: str | Path = ".",
        shape: Callable[[float], float] | None = None,
        untyped=3,
        **others: int,
    ):
        if factor >= 100:
            raise AssertionError
        if limit == 7:
            raise TypeError("seven is no limit")
        if limit == 8:
            raise ImportError("no module named nothing")
        self.given = (factor, limit, folder, shape, untyped)


def listed(factory):
    return {
        parameter.name: (parameter.type, parameter.default)
        for parameter in Parameters.of(factory, "augmentation").parameters
    }


def test_the_signature_is_the_schema_without_what_no_recipe_can_give():
    factory = coview.library_factory(Gain, lambda gain: ("step", gain.given))
    assert listed(factory) == {
        "factor": ("a number", None),
        "limit": ("an integer", None),
        "folder": ("a path", "."),
        "untyped": ("an integer", 3),
    }
    parameters = Parameters.of(factory, "augmentation")
    assert parameters.doc == "Makes louder."
    assert parameters.parameters[0].doc == "How much."
    assert [problem.message for problem in parameters.check({"factor": 1.0, "shape": 1})] == [
        "unknown key (takes: factor, limit, folder, untyped)"
    ]
    assert factory(factor=2.0, limit=1) == ("step", (2.0, 1, ".", None, 3))
    assert factory.__name__ == "Gain"
    assert factory.batch is False


def test_types_and_defaults_in_place_of_the_librarys():
    factory = coview.library_factory(
        Gain,
        lambda gain: gain.given,
        annotations={"factor": Annotated[float, Ge(0)], "untyped": None},
        defaults={"limit": 5},
        doc="Another.",
        batch=True,
    )
    assert listed(factory) == {
        "factor": ("a number of at least 0", None),
        "limit": ("an integer", 5),
        "folder": ("a path", "."),
    }
    assert factory(factor=2.0) == (2.0, 5, ".", None, 3)
    assert Parameters.of(factory, "augmentation").doc == "Another."
    assert factory.batch is True


def test_an_instance_made_in_another_way_and_a_schema_of_its_own():
    class Strict(BaseModel):
        model_config = ConfigDict(extra="forbid", strict=True)

        factor: int

    factory = coview.library_factory(
        Gain, lambda gain: gain.given, construct=lambda factor: Gain(factor * 2), model=Strict
    )
    assert factory(factor=3)[0] == 6
    assert Parameters.of(factory, "augmentation").model is Strict


@pytest.mark.parametrize(
    ("given", "message"),
    [({"factor": 100.0}, "out of its range"), ({"factor": 1.0, "limit": 7}, "refuses this: seven is no limit")],
)
def test_what_the_library_refuses_is_a_value_error(given, message):
    with pytest.raises(ValueError, match=message):
        coview.library_factory(Gain, lambda gain: gain)(**given)


def test_what_the_library_lacks_is_for_the_plugin_to_say():
    def missing(error):
        return coview.CoviewError(f"it needs a package: {error}")

    with pytest.raises(coview.CoviewError, match="needs a package: no module named nothing"):
        coview.library_factory(Gain, lambda gain: gain, missing=missing)(factor=1.0, limit=8)
    with pytest.raises(ImportError, match="no module named nothing"):
        coview.library_factory(Gain, lambda gain: gain)(factor=1.0, limit=8)


def test_a_name_means_a_member_or_says_why_not():
    def found(name):
        return coview.library_member("lib", name, {"Gain": Gain}, what="gain of sounds", unusable={"Old": "it is old"})

    assert found("Gain") is Gain
    with pytest.raises(LookupError, match='"lib:Old" cannot be used: it is old'):
        found("Old")
    with pytest.raises(LookupError, match='lib has no gain of sounds "gain", did you mean "Gain"'):
        found("gain")


def test_what_sizes_follow_from_is_limited_however_it_is_nested():
    limits = {"factor": (0.5, 10), "limit": (0, 8192), "of another class": (0, 0)}
    factory = coview.library_factory(Gain, lambda made: made, construct=dict, limits=limits)
    assert factory(factor=10, limit=8192) == {"factor": 10, "limit": 8192}
    assert factory(factor=[0.5, 3], limit=None) == {"factor": [0.5, 3], "limit": None}
    for given, said in (
        ({"factor": 1, "limit": 10**9}, r"limit has to be from 0 to 8,192, got 1000000000"),
        ({"factor": [1, {"x": [0.1]}]}, r"factor has to be from 0\.5 to 10, got 0\.1"),
        ({"factor": float("nan")}, r"factor has to be from 0\.5 to 10, got nan"),
    ):
        with pytest.raises(ValueError, match=said):
            factory(**given)
