"""accelerate as coview uses it: the one place that knows of its insides."""

from __future__ import annotations

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast_object_list

from coview.train.device import Precision


def make_accelerator(device: torch.device, precision: Precision) -> Accelerator:
    """Accelerate's handle on device, precision and ranks, independent of any made earlier in this process.

    accelerate keeps one state for each process, and refuses a second handle of another precision. It has no public way
    to start anew; its own tests reset the state as it is done here.
    """
    AcceleratorState._reset_state(reset_partial_state=True)
    mixed = "no" if precision == "fp32" else precision
    return Accelerator(mixed_precision=mixed, cpu=device.type == "cpu")


def as_main_says(accelerator: Accelerator, text: str) -> str:
    """A text of the main process, on every rank: what each would find out by itself could differ by when it looks."""
    said = [text]
    if accelerator.num_processes > 1:
        broadcast_object_list(said)
    return said[0]
