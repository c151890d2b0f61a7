import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coview.errors import RecipeError
from coview.recipe.read import key_lines, read_document

TEXT = """\
a = 1
[data]
use = "x"
b.c = {d = 1, "e f" = 2}

[[augment]]
use = "q"
z = [1,
  2]
[augment.inner]
deep = true
[[augment]]
use = "r"
["quoted key".x]
y = 0
"""


def test_every_key_and_element_has_the_line_it_is_written_on():
    lines = key_lines(TEXT)
    assert lines["a",] == 1
    assert lines["data", "use"] == 3
    assert lines["data", "b", "c", "d"] == 4
    assert lines["data", "b", "c", "e f"] == 4
    assert lines["augment", 0, "use"] == 7
    assert lines["augment", 0, "z", 0] == 8
    assert lines["augment", 0, "z", 1] == 9
    assert lines["augment", 0, "inner", "deep"] == 11
    assert lines["augment", 1, "use"] == 13
    assert lines["quoted key", "x", "y"] == 15


def test_no_value_of_the_table_is_without_a_line():
    lines = key_lines(TEXT)

    def walk(value, path):
        assert path == () or path in lines
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, item in items:
            walk(item, (*path, key))

    walk(tomllib.loads(TEXT), ())


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"a = = 1", ":1: is not valid TOML"),
        (b"a = 1\nb = [1,\n", ":2: is not valid TOML"),
        (b"a = 1\na = 2\n", "is not valid TOML"),
        (b"a = 1\n\xff = 2\n", ":2: is not UTF-8"),
        (b"a = " + b"[" * 3000 + b"]" * 3000, "nested too deeply"),
        (b"a = " + b"1" * 5000, "cannot be read"),
    ],
)
def test_a_file_that_is_no_recipe_is_one_message(tmp_path, data, says):
    path = tmp_path / "r.toml"
    path.write_bytes(data)
    with pytest.raises(RecipeError, match=says):
        read_document(path)


def test_a_missing_file_and_a_folder_are_messages(tmp_path):
    with pytest.raises(RecipeError, match="no such file"):
        read_document(tmp_path / "none.toml")
    with pytest.raises(RecipeError, match="is a folder"):
        read_document(tmp_path)


@given(st.text())
def test_any_text_is_a_document_or_a_recipe_error(text):
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.toml"
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        try:
            document = read_document(path)
        except RecipeError:
            return
        assert isinstance(document.table, dict)


def test_about_is_the_first_comment(write_recipe):
    text = "#:schema x.json\n# What it is,\n# in two lines.\nschema = 1\n# another\n"
    assert read_document(write_recipe(text)).about == "What it is, in two lines."
