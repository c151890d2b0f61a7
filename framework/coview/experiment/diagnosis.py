"""What works on this machine."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, metadata, version
from pathlib import Path

import torch
from packaging.requirements import Requirement

from coview import __version__
from coview.data.cache import data_folder
from coview.data.cores import available_cores
from coview.errors import CoviewError
from coview.experiment.environment import device_name, library_versions
from coview.plugins.home import user_cache
from coview.plugins.registry import Registry
from coview.train.device import cpu_has_bf16


def diagnose_machine(registry: Registry) -> dict[str, dict[str, str]]:
    """By topic: names and what to know about them."""
    return {
        "versions": {"coview": __version__, "python": platform.python_version(), **library_versions()},
        "devices": _devices(),
        "extras": _extras(),
        "plugins": _plugins(registry),
        "data": _data(),
    }


def _data() -> dict[str, str]:
    try:
        folder = data_folder()
        hub = Path(os.environ.get("HF_HOME") or user_cache() / "huggingface")
    except CoviewError as error:
        return {"cache": ": ".join(filter(None, (error.message, error.hint)))}
    kept = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return {
        "cache": f"{folder} ({', '.join(kept) or 'nothing in it'}); set COVIEW_DATA to move it",
        "hub cache": f"{hub} ({'there' if hub.is_dir() else 'not there'}); set HF_HOME to move it",
    }


def _devices() -> dict[str, str]:
    cores = available_cores()
    bf16 = "computes in bf16" if cpu_has_bf16() else "does not compute in bf16: precision auto is fp32"
    devices = {"cpu": f"{device_name(torch.device('cpu'))}, {cores} cores, {bf16}"}
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            devices[f"cuda:{index}"] = f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"
    else:
        devices["cuda"] = "none" if torch.version.cuda else "none: this torch was built without CUDA"
    devices["mps"] = "there" if torch.backends.mps.is_available() else "none"
    return devices


def _extras() -> dict[str, str]:
    """Each extra: installed, or the packages that are missing and the line that brings them."""
    extras: dict[str, str] = {}
    for extra in metadata("coview").get_all("Provides-Extra") or []:
        missing = [name for name in _requirements(extra) if not _installed(name)]
        wrong = f"missing {', '.join(missing)}: pip install 'coview[{extra}]'"
        extras[extra] = wrong if missing else "works"
    return extras


def _requirements(extra: str) -> list[str]:
    names = []
    for text in metadata("coview").get_all("Requires-Dist") or []:
        requirement = Requirement(text)
        if requirement.marker is not None and requirement.marker.evaluate({"extra": extra}):
            names.append(requirement.name)
    return [name for name in names if name != "coview"]


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _plugins(registry: Registry) -> dict[str, str]:
    """Each plugin, with the components whose target cannot be imported."""
    rows = {}
    for plugin in registry.plugins:
        text = f"{plugin.status}, {plugin.distribution} {plugin.version}"
        if plugin.reason:
            text += f": {plugin.reason}"
        for component in registry.components:
            if component.plugin == plugin.name:
                try:
                    component.load()
                except CoviewError as error:
                    text += f"; {component.name} does not work: {' '.join(str(error).split())}"
        rows[plugin.name] = text
    return rows
