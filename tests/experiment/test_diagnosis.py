"""What ``coview doctor`` says of this machine, and of one on which something is missing."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version

import numpy
import torch

import coview
from coview.experiment import diagnosis


def report(call, *arguments):
    done = call(*arguments, "doctor", "--json")
    assert done.status == 0, done.err
    return json.loads(done.out)


def test_versions_and_devices(call):
    told = report(call)
    assert told["versions"]["coview"] == coview.__version__
    assert (told["versions"]["torch"], told["versions"]["numpy"]) == (version("torch"), numpy.__version__)
    assert ("cuda:0" in told["devices"]) == torch.cuda.is_available()
    threads = torch.get_num_threads()
    assert f"{threads} thread{'s' if threads > 1 else ''} (cpu)" in told["devices"]["cpu"]


def test_data_that_is_kept(call, monkeypatch, tmp_path):
    monkeypatch.setenv("COVIEW_DATA", str(tmp_path / "data"))
    assert report(call)["data"]["cache"] == f"{tmp_path / 'data'} (nothing in it); set COVIEW_DATA to move it"
    (tmp_path / "data" / "fashion_mnist").mkdir(parents=True)
    assert report(call)["data"]["cache"] == f"{tmp_path / 'data'} (fashion_mnist); set COVIEW_DATA to move it"


def test_an_extra_that_is_missing_is_named_with_the_line_that_brings_it(call, monkeypatch):
    assert report(call)["extras"]["image"] == "works"

    def without_timm(name):
        if name == "timm":
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(diagnosis, "version", without_timm)
    told = report(call)["extras"]
    assert told["image"] == "missing timm: pip install 'coview[image]'"
    assert told["report"] == "works"


def test_a_component_that_does_not_work_and_a_plugin_that_is_left_out(call, monkeypatch, registry):
    component = next(c for c in registry.components if c.name == "timm")
    told = report(call)["plugins"]
    assert set(told) == {plugin.name for plugin in registry.plugins}
    assert all("does not work" not in text for text in told.values())
    broken = type(component)

    def load(self):
        if self.name == "timm":
            raise coview.CoviewError("timm is broken\nin two lines")
        return object

    monkeypatch.setattr(broken, "load", load)
    told = report(call, "--no-plugin", "losses")["plugins"]
    assert told["image"].endswith("; timm does not work: timm is broken in two lines")
    assert told["losses"].startswith("disabled, coview ")
    assert "--no-plugin" in told["losses"]


def test_it_is_readable(call):
    lines = call("doctor").out.splitlines()
    titles = [line for line in lines if not line.startswith(" ")]
    assert titles == ["versions:", "devices:", "extras:", "plugins:", "data:"]
    assert any(line.split() == ["coview", coview.__version__] for line in lines)
