"""Every page is run from top to bottom, as a reader would, in a folder with a copy of ``recipes/``.

Every command is a process of its own, forked from one that has imported coview, which saves five seconds for each.
What is checked otherwise, since a test must not do it: ``make`` and ``tensorboard``, and ``pip install``, which for
a plugin of the page is done by hand.

The recipes are made small first, by the substitutions in ``SMALLER`` and nothing else: the same commands, the same
recipes, fewer epochs, narrower encoders, shorter texts, linear probes that choose nothing, and no loader processes but
where the data are a reader's own. The recipe of a new plugin extends the copy of what it extends.
"""

import os
import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
from docs_pages import PAGES, REPOSITORY, blocks, commands, first_not_printed

from forked import Forked

SMALLER = {
    r"(?m)^epochs = \d+": "epochs = 1",
    r"train\.epochs=\d+": "train.epochs=2",
    r'(?m)^warmup = ".*?"': "warmup = 0",
    r"(?m)^width = 16": "width = 8",
    r"(?m)^width = 128$": "width = 32",
    r"(?m)^size = 16": "size = 8",
    r"(?m)^steps = 20$": "steps = 4",
    # of 6,000 texts a run of seconds need not embed all
    r'(?m)^(evaluate = \[\{ use = "knn", k = 5) \}\]$': r"\1, labels_per_class = [10] }]",
    r"(?m)^max_length = 48": "max_length = 16",
    # starting loader processes takes longer than loading so little
    r'(?m)^use = "(digits|scipy_docs)"$': r'use = "\1"\nworkers = 0',
    # most of the time of a small run goes into choosing penalties
    r'(?m)^use = "linear_probe"$': 'use = "linear_probe"\nstandardise = true\nc = 1.0\ndraws = 1',
}

SLOW = {"README.md", "callbacks.md", "first-loss.md", "first-modality.md", "command-line.md", "python.md", "scale.md"}
MOST_SECONDS = 300


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(REPOSITORY / "recipes", tmp_path / "recipes")
    for path in (tmp_path / "recipes").rglob("*.toml"):
        path.write_text(smaller(path.read_text()))
    return tmp_path


def smaller(text):
    for before, after in SMALLER.items():
        text = re.sub(before, after, text)
    return text


def run(folder, words):
    status, printed, _ = Forked(words, folder, environment={"COLUMNS": "120"}, together=True).finish(MOST_SECONDS)
    return status, printed


def is_checked_otherwise(words, folder):
    """Whether the command is one that a test must not run; what it names has to be there."""
    program, *rest = words
    if program == "make":
        targets = re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
        asked = {word for word in rest if "=" not in word}  # the others are variables
        assert asked <= set(targets), f"make {rest}: there are {targets}"
    elif program == "pip" and words[:3] == ["pip", "install", "-e"] and words[3].startswith("./"):
        install_editable(folder, folder / words[3])
    elif program == "pip":
        extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        assert rest[0] == "install"
        for extra in re.findall(r"\[(.*?)\]", " ".join(rest)):
            assert set(extra.split(",")) <= set(extras), extra
    elif program in ("tensorboard", "torchrun"):  # what torchrun comes to is tested in tests/train/test_two_ranks.py
        assert shutil.which(program, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    else:
        return False
    return True


def install_editable(folder, project):
    """What pip would write for a plugin of the page, in the folder that its commands find packages in."""
    table = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    info = folder / f"{table['name'].replace('-', '_')}-{table['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {table['name']}\nVersion: {table['version']}\n")
    points = table["entry-points"]["coview"]
    (info / "entry_points.txt").write_text("[coview]\n" + "".join(f"{n} = {v}\n" for n, v in points.items()))
    for package in {value.partition(":")[0].partition(".")[0] for value in points.values()}:
        (folder / package).symlink_to(project / package)


def test_smaller_makes_the_quickstart_small():
    recipe = tomllib.loads(smaller((REPOSITORY / "recipes" / "quickstart.toml").read_text()))
    assert (recipe["train"]["epochs"], recipe["encoder"]["width"]) == (1, 8)
    probe = recipe["evaluate"][-1]
    assert (probe["use"], probe["c"], probe["draws"]) == ("linear_probe", 1.0, 1)


@pytest.mark.parametrize(
    "page", [pytest.param(page, id=page.name, marks=[pytest.mark.slow] * (page.name in SLOW)) for page in PAGES]
)
@pytest.mark.usefixtures("forks")
def test_a_page_does_what_it_says(page, folder):
    python = []

    def run_python():
        """The Python since the last command is one program."""
        if python:
            (folder / "page.py").write_text("\n".join(smaller(block.text) for block in python))
            status, printed = run(folder, ["python", str(folder / "page.py")])
            assert status == 0, f"{page.name}: the Python of lines {[block.line for block in python]}:\n{printed}"
            python.clear()

    for block in blocks(page.read_text()):
        where = f"{page.name}:{block.line}"
        if block.language in ("sh", "console"):
            run_python()
            for command in commands(block):
                if not is_checked_otherwise(command.words, folder):
                    run_command(folder, command, where)
        elif block.title:
            path = folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(smaller(block.text))
        elif block.language == "python":
            python.append(block)
        else:
            assert block.language == "text", f"{where}: {block.language} without a title: what is meant?"
    run_python()


def run_command(folder, command, where):
    said = " ".join(command.words)
    assert command.words[0] == "coview", f"{where}: {said} is no command of coview's"
    status, printed = run(folder, [smaller(word) for word in command.words])
    assert status == command.status, f"{where}: {said} exits {status}:\n{printed}"
    if command.words[:3] == ["coview", "plugins", "new"]:
        for path in folder.glob("*/recipe.toml"):
            text = re.sub(r'(?m)^extends = "(.*?)"', rf'extends = "{folder}/recipes/\1.toml"', path.read_text())
            path.write_text(smaller(text))
    missing = first_not_printed(command.shown, printed)
    assert not missing, f"{where}: {said} does not print {missing!r}, but\n{printed}"
