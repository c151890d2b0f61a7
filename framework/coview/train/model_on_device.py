"""The model of a run as it is trained: on its device, in its memory layout, whole or in shards."""

from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from coview.model.topology import Topology
from coview.recipe.recipe import Recipe
from coview.train.device import trains_channels_last
from coview.train.sharding import Shards


class WholeModel:
    """A model that each rank has whole: what is trained is what others look at.

    Args:
        topology: The run's.
        device: Of this rank.
        channels_last: Whether weights of convolutions lie so.

    Attributes:
        trained: The same, on the device.
        in_shards: False.
        not_in_shards: Parameters whose gradients nobody else averages over ranks: none.
    """

    in_shards = False

    def __init__(self, topology: Topology, device: torch.device, *, channels_last: bool) -> None:
        layout: Any = {"memory_format": torch.channels_last} if channels_last else {}
        self.channels_last = channels_last
        self.trained = topology.to(device, **layout)
        self.not_in_shards: list[nn.Parameter] = []

    def bring_whole_up_to_date(self) -> None:
        """It always is."""

    def take_whole(self) -> None:
        """It is the whole."""


def model_on_device(recipe: Recipe, topology: Topology, accelerator: Accelerator) -> WholeModel | Shards:
    """What is trained, with batch norm over all ranks.

    Args:
        recipe: The recipe.
        topology: The run's, on the CPU.
        accelerator: For the device and the number of ranks.
    """
    device, ranks = accelerator.device, accelerator.num_processes
    if ranks > 1:
        topology.synchronise_batch_norm()
    if recipe.train.shard and recipe.trains and ranks > 1:
        return Shards(topology, device)
    channels_last = trains_channels_last(topology, device, asked=recipe.train.channels_last)
    return WholeModel(topology, device, channels_last=channels_last)
