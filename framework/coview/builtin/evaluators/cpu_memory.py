"""The most memory that a computation on the CPU held at once."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch.profiler import ProfilerActivity, profile


def peak_bytes_on_cpu(compute: Callable[[], Any]) -> int:
    """Bytes of tensors that PyTorch's allocator handed out during the call, at their most.

    What was there before is not among them, nor what a library allocates for itself, as oneDNN does for some
    convolutions. Counted by the profiler and so exact, the same each time.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # it calls a machine without a GPU an error, on the terminal
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        compute()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        seen.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text(encoding="utf-8"))["traceEvents"]
    changes = [event for event in events if event.get("name") == "[memory]" and event["args"]["Device Type"] == 0]
    held = most = 0
    for event in sorted(changes, key=lambda event: (event["ts"], event["args"]["Ev Idx"])):
        held += event["args"]["Bytes"]
        most = max(most, held)
    return most
