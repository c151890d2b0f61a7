"""How the framework is put together: imports point one way, and it knows no plugin of its own distribution by name."""

import ast
from pathlib import Path

import pytest

import coview

FRAMEWORK = Path(coview.__file__).resolve().parent
PLUGINS = sorted(path.name for path in (FRAMEWORK.parents[1] / "plugins").iterdir() if (path / "__init__.py").exists())

LAYERS = (
    "cli", "compare", "experiment", "testing", "train", "track", "evaluate", "model", "data", "recipe", "plugins", "errors"
)  # fmt: skip
"""Each may import from those after it."""

EXEMPT = {"__init__.py", "__main__.py", "builtin.py"}

FOR_TYPE_CHECKERS = {("plugins/lifecycle.py", "coview.evaluate.result")}
"""A hook is told of results: their type is the one name that the plugin system takes from above, and never imports."""


def modules():
    return [path.relative_to(FRAMEWORK).as_posix() for path in sorted(FRAMEWORK.rglob("*.py"))]


def imported(tree):
    """Every imported module, wherever in the file, with the node."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            names = [f"coview.{alias.name}" for alias in node.names] if node.module == "coview" else [node.module]
            yield from ((name, node) for name in names)


def for_type_checkers(tree):
    return {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }


@pytest.mark.parametrize("module", [name for name in modules() if name not in EXEMPT])
def test_imports_point_one_way(module):
    tree = ast.parse((FRAMEWORK / module).read_text())
    own = module.split("/")[0].removesuffix(".py")
    assert own in LAYERS, f"{own} has no place in the order of layers"
    only_types = for_type_checkers(tree)
    for name, node in imported(tree):
        package, _, rest = name.partition(".")
        if package != "coview" or name == "coview.__version__":
            continue
        if (module, name) in FOR_TYPE_CHECKERS and node in only_types:
            continue
        assert LAYERS.index(rest.split(".")[0]) >= LAYERS.index(own), f"{module}:{node.lineno} imports {name}"


@pytest.mark.parametrize("module", modules())
def test_the_framework_names_no_plugin_of_its_own_distribution(module):
    assert PLUGINS
    text = (FRAMEWORK / module).read_text()
    assert [name for name in PLUGINS if name in text] == []


@pytest.mark.parametrize("module", modules())
def test_the_framework_decides_nothing_by_a_component_that_is_not_its_own(registry, module):
    names = {
        component.name
        for component in registry.components
        if component.target.split(".")[0] in PLUGINS
        and not component.is_family  # named after the library that it wraps
        and component.kind in ("modality", "dataset", "loss", "augmentation")
    }
    constants = {
        node.value for node in ast.walk(ast.parse((FRAMEWORK / module).read_text())) if isinstance(node, ast.Constant)
    }
    assert names
    assert names & {value for value in constants if isinstance(value, str)} == set()
