"""What a shell is told that the words typed so far may go on with."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from coview.cli.main import COMPLETE


def asked(words, instruction="bash_complete"):
    """As the script asks that click writes for bash: by variables, of a process of its own."""
    typed = words.split(" ")
    environment = {COMPLETE: instruction, "COMP_WORDS": words, "COMP_CWORD": str(len(typed) - 1)}
    code = "import sys; from coview.cli.main import main; main()\nassert 0"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("coview ru", ["plain,run"]),
        ("coview run quick", ["plain,quickstart", "file,quick"]),
        ("coview recipe diff base/mae base/i-", ["plain,base/i-jepa", "file,base/i-"]),
        ("coview plugins show nt_x", ["plain,nt_xent"]),
        ("coview plugins new mine --kind lo", ["plain,loss"]),
        ("coview data fetch wordn", ["plain,wordnet"]),
        ("coview evaluate --encoder tim", ["plain,timm:"]),
        ("coview evaluate --encoder timm:res --data fashion", ["plain,fashion_mnist"]),
    ],
)
def test_names_are_completed(words, found):
    assert asked(words) == found


def test_the_script_for_a_shell_calls_coview():
    assert "_COVIEW_COMPLETE=bash_complete" in " ".join(asked("coview ", "bash_source"))
