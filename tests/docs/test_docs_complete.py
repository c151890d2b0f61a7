"""Nothing that a user can type or implement is missing from the guide, and nothing in it leads nowhere."""

import os
import re
from pathlib import Path
from typing import get_args

import click
import pytest
from docs_pages import DOCS, PAGES, REPOSITORY

import coview
from coview.cli.main import cli
from coview.plugins.component import KINDS
from coview.plugins.hookspecs import Hooks
from coview.plugins.own_settings import own_keys
from coview.plugins.status import State
from coview.recipe.tables import TopTable
from coview.track.run_folder import RunFolder

GUIDE = {path.name: path.read_text() for path in PAGES}


def all_commands(group=cli, path="coview"):
    for name, command in group.commands.items():
        here = f"{path} {name}"
        if isinstance(command, click.Group):
            yield from all_commands(command, here)
        else:
            yield here, command


@pytest.mark.parametrize(("path", "command"), [*all_commands(), ("coview", cli)], ids=lambda value: str(value)[:40])
def test_every_command_and_option_is_on_the_page(path, command):
    prose = re.sub(r"```.*?```", "", GUIDE["command-line.md"], flags=re.DOTALL)
    sections = prose.split("\n## ")
    named = [text for text in sections[1:] if f"`{path} " in text or f"`{path}`" in text]
    (section,) = sections[:1] if command is cli else named
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            for option in parameter.opts:
                assert re.search(rf"`[^`\n]*{option}\b[^`\n]*`", section), f"{path} {option}"


def test_every_option_on_the_page_is_there():
    known = {option for _, command in [*all_commands(), ("", cli)] for p in command.params for option in p.opts}
    said = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", GUIDE["command-line.md"]))
    assert said - known == {"--help", "--nproc-per-node"}


@pytest.mark.parametrize("hook", [name for name in vars(Hooks) if name.startswith("coview_")])
def test_every_hook_is_on_the_page(hook):
    assert f"| `{hook}` |" in GUIDE["plugins.md"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_that_is_taken_is_where_plugins_are_explained(kind):
    section = GUIDE["plugins.md"].partition("## The constructor is the schema")[2].partition("\n## ")[0]
    assert own_keys(kind) == () or ", ".join(f"`{key}`" for key in own_keys(kind)) in " ".join(section.split())


@pytest.mark.parametrize("method", [name for name, value in vars(coview.Registrar).items() if callable(value)])
def test_every_method_of_the_registrar_is_on_the_page(method):
    if not method.startswith("_"):
        assert f"`{method}`" in GUIDE["plugins.md"]


@pytest.mark.parametrize("name", coview.__all__)
def test_every_public_name_is_in_the_guide(name):
    page = GUIDE["python.md"] + "".join(text for name, text in GUIDE.items() if name.startswith("plugins"))
    assert name == "__version__" or re.search(rf"coview\.{name}\b", page)


@pytest.mark.parametrize("contract", ["Dataset", "Modality", "Evaluator"])
def test_every_member_of_a_contract_is_on_the_page(contract):
    protocol = getattr(coview, contract)
    for member in {*protocol.__annotations__, *(name for name in vars(protocol) if not name.startswith("_"))}:
        assert re.search(rf"`{member}`", GUIDE["plugins.md"]), member


def test_every_table_is_explained():
    for name, field in TopTable.model_fields.items():
        key = field.alias or name
        assert re.search(rf"`\[*{key}\]*`", GUIDE["concepts.md"]), key


def test_every_file_of_a_run_is_explained():
    folder = RunFolder(Path("run"))
    for name, value in vars(RunFolder).items():
        if isinstance(value, property) and name != "lock":
            assert getattr(folder, name).name in GUIDE["concepts.md"], name


def test_every_status_of_a_plugin_is_explained():
    states = get_args(State)
    assert len(states) == 4
    assert all(f"| `{state}` |" in GUIDE["plugins.md"] for state in states)


def test_every_environment_variable_is_on_the_page():
    sources = [path.read_text() for path in Path(coview.__file__).parent.rglob("*.py")]
    variables = {name for text in sources for name in re.findall(r'environ[^\n]*"(COVIEW_\w+|HF_HOME)"', text)}
    assert "COVIEW_DATA" in variables
    assert all(f"`{name}`" in GUIDE["command-line.md"] for name in variables)


@pytest.mark.parametrize("page", [*PAGES, *(DOCS / "reference").glob("*.md")], ids=lambda path: path.name)
def test_every_link_leads_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r'\]\(([^)\s]+)\)|src="([^"]+)"', text):
        path = "".join(target).partition("#")[0]
        if path and not path.startswith(("http://", "https://")):
            assert (page.parent / path).exists(), f"{page.name}: {path}"


def test_every_make_target_and_file_that_is_named_is_there():
    for page, text in GUIDE.items():
        for path in re.findall(r"`((?:recipes|tests|docs|framework|plugins)/[\w./-]+)`", text):
            inside = [REPOSITORY, REPOSITORY / "framework" / "coview"]
            assert any(os.path.exists(folder / path) for folder in inside), f"{page}: {path}"


def test_the_site_builds(tmp_path):
    pytest.importorskip("material", reason="pip install 'coview[docs]'")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    config = load_config(str(REPOSITORY / "mkdocs.yml"), site_dir=str(tmp_path / "site"), strict=True)
    build(config)
    assert (tmp_path / "site" / "reference" / "recipe" / "index.html").exists()
    assert not list((tmp_path / "site").rglob("*.py"))
