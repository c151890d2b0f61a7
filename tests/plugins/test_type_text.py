from pathlib import Path
from typing import Annotated, Any, Literal, Union

import annotated_types as at
import pytest
from pydantic import Field

from coview.plugins.type_text import type_text


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (float, "float"),
        (int, "int"),
        (bool, "bool"),
        (str, "string"),
        (Path, "path"),
        (Any, "any value"),
        (dict, "table"),
        (dict[str, int], "table of int"),
        (Literal["a", "b", 3], '"a" | "b" | 3'),
        (Literal["a", None], '"a"'),
        (int | None, "int"),
        (Union[int, str, None], "int | string"),  # noqa: UP007 - the old spelling is an annotation too
        (tuple[float, float], "[float, float]"),
        (tuple[int, ...], "[int, …]"),
        (list[Literal["x"]], '["x", …]'),
        (list, "list"),
        (Annotated[float, at.Gt(0)], "float > 0"),
        (Annotated[float, at.Ge(0), at.Lt(1)], "float ≥ 0 and < 1"),
        (Annotated[float, at.Interval(gt=0, le=10)], "float > 0 and ≤ 10"),
        (Annotated[int, Field(ge=1, le=64)], "int ≥ 1 and ≤ 64"),
        (Annotated[int, at.MultipleOf(2)], "int a multiple of 2"),
        (Annotated[list[int], at.MinLen(1)], "[int, …] (at least 1)"),
        (Annotated[list[int], at.Len(1, 3)], "[int, …] (at least 1) and (at most 3)"),
        (Annotated[str, Field(pattern="x")], "string"),
        (Annotated[str, "a remark"], "string"),
        (tuple[Annotated[float, at.Gt(0)], int] | Literal["auto"], '[float > 0, int] | "auto"'),
    ],
)
def test_a_type_in_the_words_of_a_recipe(annotation, text):
    assert type_text(annotation) == text
