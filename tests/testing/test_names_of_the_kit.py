"""The kit's public names are imported on first use, and are those that a type checker sees."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from coview import testing


def names_for_type_checkers():
    """Name to module, as the stub has them."""
    stub = ast.parse(Path(testing.__file__).with_suffix(".pyi").read_text())
    return {
        alias.asname: f"coview.testing.{node.module}"
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_every_name_is_there_and_is_what_a_type_checker_sees():
    homes = names_for_type_checkers()
    assert sorted(homes) == sorted(testing.__all__)
    assert set(homes) <= set(dir(testing))
    modules = {home: import_module(home) for home in homes.values()}  # all of them first: some are called like a name
    for name, home in homes.items():
        assert getattr(testing, name) is getattr(modules[home], name)


def test_every_check_of_a_kind_is_public():
    """Each module of the package that defines ``check_NAME`` and ``NAME_CHECKS``, but for those of whole plugins."""
    defined = {
        node.name
        for path in Path(testing.__file__).parent.glob("*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("check_")
    }
    assert defined - {"check_plugin"} == {name for name in testing.__all__ if name.startswith("check_")}


def test_another_name_is_an_error():
    with pytest.raises(AttributeError, match=r"No coview\.testing attribute check_nothing"):
        _ = testing.check_nothing
    with pytest.raises(ImportError, match="cannot import name 'check_nothing'"):
        from coview.testing import check_nothing  # noqa: F401


def test_nothing_heavy_is_imported_before_a_name_is_used():
    code = "import sys, coview.testing.other_interpreter; print({'torch', 'numpy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
