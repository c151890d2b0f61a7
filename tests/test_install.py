"""What make installs with: uv, by the settings that pip has."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

INSTALL = runpy.run_path(str(Path(__file__).resolve().parents[1] / ".ci" / "install.py"))

SETTINGS = """
[global]
index-url = https://a.example/simple
extra-index-url =
    https://b.example/simple
    https://c.example/simple
find-links = /wheels /more
timeout = 9
trusted-host = a.example

[install]
index-url = https://d.example/simple
"""


def of(listed: str) -> dict[str, str]:
    return INSTALL["as_uv_takes_them"](INSTALL["settings_of_pip"](listed))


def test_uv_is_told_of_pips_settings_and_the_nearest_wins(tmp_path):
    (tmp_path / "pip.conf").write_text(SETTINGS)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        env={**os.environ, "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "PIP_FIND_LINKS": "/own /other"},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = {
        "UV_DEFAULT_INDEX": "https://d.example/simple",
        "UV_INDEX": "https://b.example/simple https://c.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/own,/other",
        "UV_INSECURE_HOST": "a.example",
    }
    found = of(done.stdout)  # and what this machine's own settings say besides
    assert expected.items() <= found.items()
    assert set(found) - set(expected) <= {*INSTALL["OF_UV"].values()}


def test_one_index_needs_no_strategy_and_what_is_no_setting_of_uvs_is_left_out():
    assert of("global.index-url='https://a.example'\nglobal.timeout='9'\nlist.format='columns'\n") == {
        "UV_DEFAULT_INDEX": "https://a.example"
    }
    assert of("") == of("WARNING: no such file\n") == {}
