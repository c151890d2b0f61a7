"""Which layer each parameter of a network is in, where its layers are a list."""

from __future__ import annotations

from torch import nn


def stacked_layers(network: nn.Module, part: str = "") -> dict[str, int]:
    """The number of the layer of each parameter, as :class:`coview.HasLayers` gives it.

    The layers are the longest ``nn.ModuleList`` in the network. What is registered before it, such as embeddings, is
    layer 0; its n-th element is layer n, from 1; what is registered after it, such as a last norm, is one more than the
    last of them.

    Args:
        network: The network.
        part: The last name of a part, such as "vision_model". If the network has this part, only its layers count, and
            parameters outside of it are with those that come after the layers.

    Raises:
        ValueError: If there is no list in it.
    """
    for name, module in network.named_modules() if part else ():
        if name.rpartition(".")[2] == part:
            inner = stacked_layers(module)
            found = {f"{name}.{own}": number for own, number in inner.items()}
            return {own: found.get(own, max(inner.values())) for own, _ in network.named_parameters()}
    stacks = [(len(part), name) for name, part in network.named_modules() if isinstance(part, nn.ModuleList)]
    if not stacks:
        raise ValueError(f"{type(network).__name__} has no nn.ModuleList")
    size, stack = max(stacks, key=lambda found: found[0])
    prefix = f"{stack}." if stack else ""
    numbers: dict[str, int] = {}
    behind = False
    for name, _ in network.named_parameters():
        inside = name.startswith(prefix) and name[len(prefix) :].split(".")[0].isdecimal()
        behind = behind or inside
        numbers[name] = int(name[len(prefix) :].split(".")[0]) + 1 if inside else (size + 1 if behind else 0)
    return numbers
