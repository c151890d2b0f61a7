"""Makes an environment, or goes on with the one that is there, and installs coview in it with the tested versions.

    python3 .ci/install.py .venv all,test,docs

uv unpacks on all cores what pip unpacks on one. It does not read pip's settings, such as a company's index, and so is
told of them. Where it cannot install by them, pip does.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OF_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "constraint": "UV_CONSTRAINT",
}
"""A setting of pip's, and the variable by which uv takes the same."""
SECTIONS = ("global", "install", ":env:")
"""Of pip's settings, the ones that win last."""


def settings_of_pip(listed: str) -> dict[str, str]:
    """What ``pip config list`` has printed, by the setting's name."""
    found: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if section in found and value[:1] in ("'", '"'):
            found[section][name] = str(ast.literal_eval(value))
    return {name: value for section in SECTIONS for name, value in found[section].items()}


def as_uv_takes_them(settings: Mapping[str, str]) -> dict[str, str]:
    """The same as variables for uv; pip takes the best version of all indexes, and uv does if it is told to."""
    of_uv = {
        OF_UV[name]: ("," if name == "find-links" else " ").join(value.split())
        for name, value in settings.items()
        if name in OF_UV and value
    }
    return {"UV_INDEX_STRATEGY": "unsafe-best-match", **of_uv} if "UV_INDEX" in of_uv else of_uv


def main() -> int:
    """Installs, and gives the exit status of what did."""
    folder, extras = sys.argv[1:]
    if subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder]).returncode:
        return 1
    python = str(Path(folder, "bin", "python").absolute())
    pip = pip_for(python)
    what = ["-c", "constraints.txt", "-e", f".[{extras}]"]
    listed = subprocess.run([*pip, "config", "list"], capture_output=True, text=True).stdout
    uv = [python, "-m", "uv", "pip", "install", "--python", python]
    environment = {**as_uv_takes_them(settings_of_pip(listed)), **os.environ}
    if not subprocess.run([*pip, "install", "--quiet", "uv"], cwd=ROOT).returncode:
        if not subprocess.run([*uv, "pip", *what], cwd=ROOT, env=environment).returncode:
            return 0
        print("uv could not install: pip does", flush=True)
    if not subprocess.run([*pip, "install", "--quiet", "--upgrade", "pip"], cwd=ROOT).returncode:
        pip = [python, "-m", "pip"]
    return subprocess.run([*pip, "install", "--no-compile", *what], cwd=ROOT).returncode


def pip_for(python: str) -> list[str]:
    """A pip that installs for another Python: that of the Python that runs this, if it has one that can (22.3).

    Else the one that Python brings, which takes seconds to be unpacked. Where there is none, this ends with a message.
    """
    ours = [sys.executable, "-m", "pip", "--python", python]
    if not subprocess.run([*ours, "--version"], capture_output=True).returncode:
        return ours
    if subprocess.run([python, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL).returncode:
        sys.exit(f"{sys.executable} has no pip: install one for it (on Debian: apt install python3-venv)")
    return [python, "-m", "pip"]


if __name__ == "__main__":
    sys.exit(main())
