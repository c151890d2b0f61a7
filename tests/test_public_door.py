"""What comes with coview goes through the door that a stranger has: public names, which the reference lists."""

import ast
import inspect
from pathlib import Path

import pytest

import coview
from coview import evaluating, testing

FRAMEWORK = Path(coview.__file__).resolve().parent
REPOSITORY = FRAMEWORK.parents[1]
REFERENCE = (REPOSITORY / "docs" / "reference" / "python.md").read_text()
OWN = [*sorted((FRAMEWORK / "builtin").rglob("*.py")), *sorted((REPOSITORY / "plugins").rglob("*.py"))]


def taken_from_coview(path):
    """Module and name of each import, those of the plugin's own modules left out."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "coview":
            if not node.module.startswith("coview.builtin"):
                yield from ((node.module, alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (("coview", a.name, node.lineno) for a in node.names if a.name.startswith("coview."))


def is_public(module, name):
    """Whether a stranger can have the same thing by a public name."""
    if module == "coview.evaluating":
        return name in evaluating.__all__
    if module == "coview.testing":
        return name in testing.__all__
    if module == "coview":
        return name in coview.__all__ or name in ("evaluating", "testing")
    taken = getattr(__import__(module, fromlist=[name]), name)
    return name in coview.__all__ and getattr(coview, name) is taken


@pytest.mark.parametrize("path", OWN, ids=lambda path: "/".join(path.parts[-3:]))
def test_what_comes_with_coview_uses_public_names_only(path):
    assert [(module, name, line) for module, name, line in taken_from_coview(path) if not is_public(module, name)] == []


def test_attributes_of_coview_that_plugins_use_are_public():
    for path in OWN:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "coview":
                assert node.attr in coview.__all__, f"{path}:{node.lineno} uses coview.{node.attr}"


def test_public_names_are_in_the_reference():
    for name in evaluating.__all__:
        assert f"### `evaluating.{name}`" in REFERENCE, name
    for name in coview.__all__:
        assert name == "__version__" or f"### `{name}`" in REFERENCE or f"`coview.{name}`" in REFERENCE, name


def test_public_functions_say_what_they_take():
    for name in (*coview.__all__, *evaluating.__all__):
        thing = getattr(coview, name, None) or getattr(evaluating, name)
        if inspect.isfunction(thing):
            documented = inspect.getdoc(thing) or ""
            parameters = [p for p in inspect.signature(thing).parameters if not p.startswith("_")]
            assert documented, name
            if len(parameters) > 2:
                assert "Args:" in documented, name
