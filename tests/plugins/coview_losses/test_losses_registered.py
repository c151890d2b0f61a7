from __future__ import annotations

import subprocess
import sys

import pytest

import coview


@pytest.mark.parametrize("name", ["nt_xent", "info_nce"])
def test_built_through_the_registry(name: str) -> None:
    registry = coview.load_plugins()
    loss = registry.build("loss", name, temperature=0.25)
    assert loss.temperature == 0.25
    assert loss.needs == coview.Needs(views=2, queue="optional", local_views=True, smallest_batch=2, negatives="queue")
    for temperature in (0, 0.009, -1.0, 11.0, "warm"):
        with pytest.raises(coview.CoviewError, match="temperature"):
            registry.build("loss", name, temperature=temperature)


def test_declaring_imports_no_torch() -> None:
    code = "import sys, coview_losses; print(sorted({'torch', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
