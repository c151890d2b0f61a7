"""Blocks of encoders that keep only their inputs for the backward pass, and are computed again in it.

Chen et al., arXiv:1604.06174, section 4: the memory of a deep model falls to that of its blocks' inputs and of one
block, for one more forward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

from coview.errors import CoviewError
from coview.model.buffers import buffers_kept
from coview.model.tower import Towers
from coview.recipe.recipe import Recipe


def repeated_blocks(encoder: nn.Module) -> list[nn.Module]:
    """The outermost blocks of a network that come several times: the layers of a transformer, the blocks of a ResNet.

    They stand beside others of their class in a list or a sequence, are made of parts, and have parameters.
    """
    found: list[nn.Module] = []

    def look(module: nn.Module) -> None:
        children = list(module.children())
        classes = [type(child) for child in children]
        holds_blocks = isinstance(module, nn.ModuleList | nn.Sequential)
        for child in children:
            composite = any(True for _ in child.children()) and any(True for _ in child.parameters())
            if holds_blocks and composite and classes.count(type(child)) > 1 and not _is_container(child):
                found.append(child)
            else:
                look(child)

    look(encoder)
    return found


def _is_container(module: nn.Module) -> bool:
    """A sequence of sequences is looked into; a list has no forward pass."""
    return type(module) in (nn.Sequential, nn.ModuleList)


def check_activations(recipe: Recipe, student: Towers) -> None:
    """Refuses ``train.checkpoint_activations`` where it would change nothing, or is compiled away.

    Raises:
        CoviewError: With file and line.
    """
    if not recipe.train.checkpoint_activations:
        return
    at = recipe.where("train", "checkpoint_activations")
    if recipe.train.compile:
        raise CoviewError(f"{at}: it does not go together with train.compile", hint="remove one of them")
    for name in student.towers:
        if not repeated_blocks(student.encoder(name)):
            use = recipe.encoder[recipe.owner_of_encoder(name)].use
            raise CoviewError(
                f'{at}: the {name} encoder "{use}" has no repeated blocks, which could be computed again',
                hint="remove the key; train.grad_cache takes less memory with any encoder",
            )


def blocks_of(student: Towers) -> list[nn.Module]:
    """The repeated blocks of a student's encoders; those of an encoder that several modalities share once."""
    return list(dict.fromkeys(block for name in student.towers for block in repeated_blocks(student.encoder(name))))


@contextmanager
def checkpointed(blocks: Iterable[nn.Module]) -> Iterator[None]:
    """While the student encodes, some blocks of it keep only their inputs.

    Its modules are as before afterwards: copies of them, their names and their weights are no other.
    """
    with ExitStack() as stack:
        for block in blocks:
            stack.enter_context(_checkpointed(block))
        yield


@contextmanager
def _checkpointed(block: nn.Module) -> Iterator[None]:
    own = block.__dict__.get("forward")
    forward: Callable[..., Any] = block.forward

    def twice(*given: Any, **named: Any) -> Any:
        # batch norm has taken the batch into its statistics already
        return checkpoint(
            forward, *given, use_reentrant=False, context_fn=lambda: (nullcontext(), buffers_kept(block)), **named
        )

    block.forward = twice
    try:
        yield
    finally:
        if own is None:
            del block.forward
        else:
            block.forward = own
