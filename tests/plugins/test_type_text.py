from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union

import annotated_types as at
import pytest
from pydantic import Field

from coview.plugins.type_text import type_text


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (float, "a number"),
        (int, "an integer"),
        (bool, "true or false"),
        (str, "a string"),
        (Path, "a path"),
        (Any, "any value"),
        (dict, "a table"),
        (dict[str, int], "a table of integers"),
        (Literal["a", "b", 3], '"a", "b" or 3'),
        (Literal["a", None], '"a"'),
        (int | None, "an integer"),
        (Union[int, str, None], "an integer or a string"),  # noqa: UP007 - the old spelling is an annotation too
        (tuple[float, float], "an array of 2 numbers"),
        (tuple[int, ...], "an array of integers"),
        (list[Literal["x"]], 'an array of "x"'),
        (list, "an array"),
        (Annotated[float, at.Gt(0)], "a number above 0"),
        (Annotated[float, at.Ge(0), at.Lt(1)], "a number of at least 0 and below 1"),
        (Annotated[float, at.Interval(gt=0, le=10)], "a number above 0 and at most 10"),
        (Annotated[int, Field(ge=1, le=64)], "an integer from 1 to 64"),
        (Annotated[int, at.MultipleOf(2)], "an integer that is a multiple of 2"),
        (Annotated[list[int], at.MinLen(1)], "an array of integers with at least 1 entry"),
        (Annotated[list[int], at.Len(1, 3)], "an array of integers with 1 to 3 entries"),
        (Annotated[str, Field(pattern="x")], "a string"),
        (Annotated[str, "a remark"], "a string"),
        (dict[str, Any], "a table"),
        (Sequence[str], "an array of strings"),
        (set[int], "an array of integers"),
        (list[int | Literal["all"]], 'an array of (integers or "all")'),
        (list[tuple[int, int]], "an array of arrays of 2 integers"),
        (Annotated[int, Field(ge=0, le=512)] | Literal["auto"], 'an integer from 0 to 512 or "auto"'),
        (Annotated[int, at.Ge(0), at.Lt(2**63)], "an integer of at least 0 and below 2⁶³"),
        (Annotated[int, at.Ge(1), at.MultipleOf(8)], "an integer of at least 1 that is a multiple of 8"),
        (Annotated[int, at.Le(10**6)], "an integer of at most 1,000,000"),
        (Annotated[str, at.MinLen(1)], "a string with at least 1 character"),
        (Annotated[list[int], at.MaxLen(2)], "an array of integers with at most 2 entries"),
        (Annotated[list[int], at.Len(2, 2)], "an array of integers with 2 entries"),
        (
            tuple[Annotated[float, at.Gt(0)], int] | Literal["auto"],
            'an array of a number above 0, then an integer or "auto"',
        ),
    ],
)
def test_a_type_in_the_words_of_a_recipe(annotation, text):
    assert type_text(annotation) == text


def test_whole_numbers_are_written_alike_whichever_of_two_equal_annotations_typing_keeps():
    assert type_text(Annotated[float, at.Ge(0.0), at.Le(1.0)]) == "a number from 0 to 1"
    assert type_text(Annotated[float, at.Gt(0.5)]) == "a number above 0.5"
