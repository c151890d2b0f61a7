"""The constructor is the schema: strict, with one message for each mistake, in a recipe author's words."""

import dataclasses
import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import annotated_types as at
import pytest
from pydantic import BaseModel, ConfigDict

from coview.errors import CoviewError
from coview.plugins.component import KINDS
from coview.plugins.own_settings import own_keys
from coview.plugins.parameters import Parameters


class Everything:
    """Does something.

    And says more about it.

    Args:
        rate: How fast, above 0; the
            paper's is 0.5.
        steps: How often.
        mode: Which way.
    """

    def __init__(
        self,
        rate: Annotated[float, at.Gt(0), at.Le(10)],
        steps: Annotated[int, at.Ge(1)] = 3,
        mode: Literal["fast", "slow"] = "fast",
        channels: Literal[1, 3] = 3,
        flag: bool = False,
        name: str = "",
        scale: tuple[float, float] = (0.2, 1.0),
        sizes: tuple[Annotated[int, at.Ge(1)], ...] = (),
        pairs: list[tuple[int, int]] = [],  # noqa: B006
        labels: int | Literal["all"] | tuple[int | Literal["all"], ...] = "all",
        folder: Path | None = None,
        table: dict[str, int] = {},  # noqa: B006
    ) -> None:
        self.given = {key: value for key, value in locals().items() if key != "self"}


PARAMETERS = Parameters.of(Everything, "loss")


def problems(**given):
    return [(problem.path, problem.message) for problem in PARAMETERS.check({"rate": 1.0, **given})]


@pytest.mark.parametrize(
    "given",
    [
        {"rate": 1},
        {"scale": [1, 2]},
        {"scale": [0.5, 2]},
        {"labels": 3},
        {"labels": [1, "all"]},
        {"labels": []},
        {"folder": "some/where"},
        {"pairs": [[1, 2], [3, 4]]},
        {"table": {"a": 1}},
        {"mode": "slow", "channels": 1, "flag": True, "name": "x"},
    ],
    ids=str,
)
def test_what_fits_is_taken(given):
    assert problems(**given) == []


@pytest.mark.parametrize(
    ("given", "path", "says"),
    [
        ({"rate": "1"}, "rate", 'has to be a number, got "1"'),
        ({"rate": True}, "rate", "has to be a number, got true"),
        ({"rate": [1.0]}, "rate", "has to be a number, got [1.0]"),
        ({"rate": 0}, "rate", "has to be greater than 0, got 0"),
        ({"rate": 11.5}, "rate", "has to be less than or equal to 10, got 11.5"),
        ({"rate": math.nan}, "rate", "has to be a finite number"),
        ({"rate": -math.inf}, "rate", "has to be a finite number"),
        ({"steps": 1.0}, "steps", "has to be an integer, got 1.0"),
        ({"steps": True}, "steps", "has to be an integer, got true"),
        ({"steps": "1"}, "steps", 'has to be an integer, got "1"'),
        ({"mode": "fst"}, "mode", "has to be 'fast' or 'slow', got \"fst\""),
        ({"channels": 2}, "channels", "has to be 1 or 3, got 2"),
        ({"channels": True}, "channels", "has to be 1 or 3, got true"),
        ({"channels": 1.0}, "channels", "has to be 1 or 3, got 1.0"),
        ({"flag": 1}, "flag", "has to be a boolean, got 1"),
        ({"name": 1}, "name", "has to be a string, got 1"),
        ({"scale": [1.0]}, "scale", "has to be an array of 2 numbers, got [1.0]"),
        ({"scale": [1, 2, 3]}, "scale", "has to be an array of 2 numbers, got [1, 2, 3]"),
        ({"scale": 1.0}, "scale", "has to be an array, got 1.0"),
        ({"scale": ["a", 1.0]}, "scale.0", 'has to be a number, got "a"'),
        ({"sizes": [1, 0]}, "sizes.1", "has to be greater than or equal to 1, got 0"),
        ({"pairs": [[1, 2], [1, 2.5]]}, "pairs.1.1", "has to be an integer, got 2.5"),
        ({"pairs": [[1]]}, "pairs", "has to be an array of arrays of 2 integers, got [[1]]"),
        ({"labels": "some"}, "labels", 'has to be an integer, "all" or an array of (integers or "all"), got "some"'),
        (
            {"labels": [1, 1.5]},
            "labels",
            'has to be an integer, "all" or an array of (integers or "all"), got [1, 1.5]',
        ),
        ({"folder": 3}, "folder", "has to be a string, got 3"),
        ({"table": {"a": "b"}}, "table.a", 'has to be an integer, got "b"'),
        ({"table": 1}, "table", "has to be a table, got 1"),
        ({"stepz": 1}, "stepz", 'unknown key, did you mean "steps"? (takes: rate, steps, mode, '),
    ],
    ids=str,
)
def test_what_does_not_fit_is_one_message(given, path, says):
    ((found, message),) = problems(**given)
    assert found == path
    assert says in message


def test_what_is_missing_is_said_with_its_type():
    (problem,) = PARAMETERS.check({})
    assert (problem.path, problem.message) == ("rate", "is missing; it has to be a number above 0 and at most 10")


def test_all_mistakes_come_at_once():
    assert [path for path, _ in problems(steps=0, mode="x", scale=[1.0], nothing=1)] == [
        "steps", "mode", "scale", "nothing"
    ]  # fmt: skip


def test_a_date_is_a_mistake_of_its_own_key_only():
    import datetime

    found = problems(name=datetime.date(2020, 1, 2), steps=0)
    assert [path for path, _ in found] == ["name", "steps"]


def test_a_long_value_is_cut():
    ((_, message),) = problems(steps="x" * 1000)
    assert len(message) < 120


def test_the_table_is_resolved_with_every_default_as_json():
    assert PARAMETERS.resolved({"rate": 1, "scale": [0, 1]}) == {
        "rate": 1.0,
        "steps": 3,
        "mode": "fast",
        "channels": 3,
        "flag": False,
        "name": "",
        "scale": [0.0, 1.0],
        "sizes": [],
        "pairs": [],
        "labels": "all",
        "table": {},
    }


def test_the_constructor_gets_its_own_types_and_only_what_is_given():
    arguments = PARAMETERS.arguments({"rate": 1, "scale": [0, 1], "folder": "x", "pairs": [[1, 2]]})
    assert arguments == {"rate": 1.0, "scale": (0.0, 1.0), "folder": Path("x"), "pairs": [(1, 2)]}
    assert isinstance(arguments["rate"], float)
    assert Everything(**arguments).given["steps"] == 3


def test_the_docstring_is_the_documentation():
    assert PARAMETERS.doc == "Does something.\n\nAnd says more about it."
    rate, steps, *_ = PARAMETERS.parameters
    assert (rate.name, rate.type, rate.default, rate.required) == (
        "rate",
        "a number above 0 and at most 10",
        None,
        True,
    )
    assert rate.doc == "How fast, above 0; the paper's is 0.5."
    assert (steps.default, steps.required, steps.doc) == (3, False, "How often.")
    assert PARAMETERS.model.model_json_schema()["properties"]["rate"]["description"] == rate.doc


def test_a_component_without_docstring_or_parameters():
    def build():
        pass

    parameters = Parameters.of(build, "loss")
    assert (parameters.doc, parameters.parameters, parameters.check({})) == ("", (), [])
    assert parameters.check({"x": 1})[0].message == "unknown key (takes: no parameters)"


def test_one_that_cannot_be_hashed_is_read_too():
    @dataclasses.dataclass(frozen=True)
    class Factory:
        names: list

        def __call__(self, size: int = 1) -> None:
            pass

    factory = Factory([])
    with pytest.raises(TypeError):
        hash(factory)
    assert [parameter.name for parameter in Parameters.of(factory, "loss").parameters] == ["size"]


def test_what_coview_passes_itself_is_no_parameter():
    class Data:
        def __init__(self, split: str, root: str = ".") -> None:
            pass

    assert [parameter.name for parameter in Parameters.of(Data, "dataset").parameters] == ["root"]
    assert [parameter.name for parameter in Parameters.of(Data, "loss").parameters] == ["split", "root"]


def test_a_partial_and_a_parameter_without_annotation():
    def build(size, share=0.5, *args, anything=None, **rest):
        """Builds."""

    parameters = Parameters.of(functools.partial(build, share=0.25), "loss")
    assert [(p.name, p.type, p.default) for p in parameters.parameters] == [
        ("size", "any value", None), ("share", "a number", 0.25), ("anything", "any value", None)
    ]  # fmt: skip
    assert parameters.doc == "Builds."


def test_a_default_that_is_no_value_of_toml_does_not_get_into_a_recipe():
    def build(function: Callable[[float], float] = math.exp, size: int = 1):
        pass

    parameters = Parameters.of(build, "loss")
    assert parameters.resolved({}) == {"size": 1}
    assert "has to be" in parameters.check({"function": "exp"})[0].message


def test_a_component_can_bring_its_model():
    class Model(BaseModel):
        model_config = ConfigDict(extra="forbid", strict=True)
        size: int

    def build(**given):
        return given

    build.parameters_model = Model
    parameters = Parameters.of(build, "loss")
    assert [problem.path for problem in parameters.check({"size": "x"})] == ["size"]
    assert parameters.arguments({"size": 3}) == {"size": 3}


def _unknown_annotation(x: "Nowhere"):  # noqa: F821
    pass


def _no_schema(_x: int = 1):
    pass


def _by_position(x: int, /):
    pass


@pytest.mark.parametrize(
    ("factory", "says"),
    [
        (_unknown_annotation, "a type annotation cannot be evaluated: name 'Nowhere' is not defined"),
        (_no_schema, "its parameters do not form a schema"),
        (_by_position, "parameter 'x' cannot be given by keyword"),
        (lambda use: None, "parameter 'use' needs another name"),
        (lambda modality: None, "parameter 'modality' needs another name"),
        (range, "it has no signature"),
    ],
)
def test_a_constructor_that_is_no_schema_is_a_message(factory, says):
    with pytest.raises(CoviewError, match=says):
        Parameters.of(factory, "loss")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("dataset", "views"),
        ("dataset", "local_views"),
        ("dataset", "workers"),
        ("dataset", "keep_gb"),
        ("dataset", "augment_on"),
        ("dataset", "weight"),
        ("augmentation", "views"),
        ("augmentation", "on"),
        ("encoder", "shared"),
        ("encoder", "lora"),
        ("loss", "weight"),
        ("optimizer", "group"),
        ("schedule", "warmup"),
        ("evaluator", "data"),
        ("callback", "changes_run"),
    ],
)
def test_a_component_leaves_coview_its_keys(kind, name):
    scope = {}
    exec(f"def build({name}=1): pass", scope)
    with pytest.raises(CoviewError, match=rf"(?s){name!r} needs another name.*names that are taken: .*\b{name}\b"):
        Parameters.of(scope["build"], kind)


def test_the_keys_above_are_all_that_are_coviews_own():
    assert {kind: own_keys(kind) for kind in KINDS if own_keys(kind)} == {
        "dataset": ("views", "local_views", "workers", "keep_gb", "augment_on", "weight"),
        "augmentation": ("views", "on", "shared"),
        "encoder": ("shared", "lora"),
        "projector": ("evaluated_layers",),
        "optimizer": ("group",),
        "schedule": ("warmup", "warmup_start"),
        "evaluator": ("data", "modality", "projector", "every", "test"),
        "callback": ("changes_run",),
        "loss": ("weight", "prefixes", "between"),
        "mask": ("hide", "views", "probability", "swapped", "kept"),
    }


def test_a_whole_number_as_the_default_of_a_float_is_written_out_as_one():
    """As in ``torch.optim.Adam``: a snapshot is read as 0.0, and both are one recipe."""

    def made(*, decay: float = 0, either: float | int = 0, count: int = 0, flag: bool | float = False): ...

    written = Parameters.of(made, "optimizer").resolved({})
    assert {name: type(value) for name, value in written.items()} == {
        "decay": float, "either": int, "count": int, "flag": bool,
    }  # fmt: skip
    assert type(Parameters.of(made, "optimizer").resolved({"decay": 0})["decay"]) is float
