"""Imports point one way, in no circles and at the top of a file; the framework knows no plugin of its own distribution."""

import ast
import functools
import graphlib
from pathlib import Path

import pytest

import coview

FRAMEWORK = Path(coview.__file__).resolve().parent
PLUGINS = sorted(path.name for path in (FRAMEWORK.parents[1] / "plugins").iterdir() if (path / "__init__.py").exists())

LAYERS = (
    "cli", "api", "compare", "launch", "experiment", "builtin", "evaluating", "testing", "train", "track", "evaluate", "model", "scaffold", "data", "recipe",
    "plugins", "pages", "errors",
)  # fmt: skip
"""Each may import from those after it."""

EXEMPT = {"__init__.py", "__main__.py"}

FOR_TYPE_CHECKERS = {
    ("plugins/callback.py", "coview.evaluate.result"),
    ("plugins/lifecycle.py", "coview.evaluate.result"),
}
"""A hook is told of results: their type is the one name that the plugin system takes from above, and never imports."""

NAMES_OF_OTHER_THINGS = {"experiment/report/safe_html.py": {"audio"}}
"""The element of a page that plays a sound is called like a modality."""

LATE = ("cli",)
"""Layers whose functions import what they need: no command pays for what another one imports."""


def modules():
    return [path.relative_to(FRAMEWORK).as_posix() for path in sorted(FRAMEWORK.rglob("*.py"))]


@functools.cache
def text_of(module):
    return (FRAMEWORK / module).read_text()


@functools.cache
def nodes_of(module):
    """Every node of its tree."""
    return list(ast.walk(ast.parse(text_of(module))))


def imported(nodes):
    """Every imported module, wherever in the file, with the node."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            names = [f"coview.{alias.name}" for alias in node.names] if node.module == "coview" else [node.module]
            yield from ((name, node) for name in names)


def for_type_checkers(nodes):
    return {
        inner
        for node in nodes
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }


def test_imports_point_one_way():
    wrong = []
    for module in modules():
        if module in EXEMPT:
            continue
        nodes = nodes_of(module)
        own = module.split("/")[0].removesuffix(".py")
        assert own in LAYERS, f"{own} has no place in the order of layers"
        only_types = for_type_checkers(nodes) if "TYPE_CHECKING" in text_of(module) else set()
        for name, node in imported(nodes):
            package, _, rest = name.partition(".")
            if package != "coview" or name == "coview.__version__":
                continue
            if (module, name) in FOR_TYPE_CHECKERS and node in only_types:
                continue
            layer = rest.split(".")[0]
            if LAYERS.index(layer) < LAYERS.index(own):
                wrong.append(f"{module}:{node.lineno} imports {name}")
            if layer == "builtin" and own != "builtin":
                wrong.append(f"{module}:{node.lineno} imports {name}, a plugin's")
    assert wrong == []


def imports_of(module, known):
    """The modules of the framework that one imports, for whatever reason and wherever in it."""
    for node in nodes_of(module):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "coview":
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield known.get(inner) or known.get(node.module)


def test_no_modules_import_each_other_in_a_circle():
    names = {
        "coview." + module.removesuffix(".py").removesuffix("/__init__").replace("/", "."): module
        for module in modules()
        if module not in EXEMPT
    }
    graph = {module: {m for m in imports_of(module, names) if m and m != module} for module in names.values()}
    assert sum(map(len, graph.values())) > 500
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_an_import_inside_of_a_function_says_why():
    """By a comment behind it: what the import costs, or which extra brings it."""
    silent = set()
    for module in modules():
        if module.split("/")[0] in LATE:
            continue
        lines = text_of(module).splitlines()
        silent |= {
            f"{module}:{node.lineno}"
            for function in nodes_of(module)
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
            for node in ast.walk(function)
            if isinstance(node, ast.Import | ast.ImportFrom) and "  # " not in lines[node.end_lineno - 1]
        }
    assert silent == set()


def test_no_ability_is_asked_for_by_name():
    """Optional abilities are Protocols or fields: ``hasattr``, and ``getattr`` with a default, hide a contract."""
    asked = [
        f"{module}:{node.lineno}"
        for module in modules()
        for node in nodes_of(module)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and (node.func.id == "hasattr" or (node.func.id == "getattr" and len(node.args) == 3 and not _dunder(node)))
    ]
    assert asked == []


def _dunder(node):
    return isinstance(node.args[1], ast.Constant) and str(node.args[1].value).startswith("__")


def test_the_framework_names_no_plugin_of_its_own_distribution():
    assert PLUGINS
    assert [(module, name) for module in modules() for name in PLUGINS if name in text_of(module)] == []


def test_the_framework_decides_nothing_by_a_component_that_is_not_its_own(registry):
    names = {
        component.name
        for component in registry.components
        if component.target.split(".")[0] in PLUGINS
        and not component.is_family  # named after the library that it wraps
        and component.kind in ("modality", "dataset", "loss", "augmentation")
    }
    decides = []
    for module in modules():
        constants = {node.value for node in nodes_of(module) if isinstance(node, ast.Constant)}
        named = names & {value for value in constants if isinstance(value, str)}
        decides += [(module, name) for name in named - NAMES_OF_OTHER_THINGS.get(module, set())]
    assert names
    assert decides == []
