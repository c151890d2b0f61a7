"""Optimisers: PyTorch's SGD and AdamW, timm's LARS, and all others of the two libraries by their names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeGuard, get_type_hints

import torch
from annotated_types import Ge, Gt, Le, Lt

from coview.errors import CoviewError
from coview.plugins.library_factory import library_factory, library_member

LearningRate = Annotated[float, Gt(0), Le(1e9)]
Decay = Annotated[float, Ge(0), Le(1e9)]
Share = Annotated[float, Ge(0), Lt(1)]
Groups = list[dict[str, Any]]


def sgd(
    params: Groups,
    *,
    lr: LearningRate,
    momentum: Share = 0.9,
    weight_decay: Decay = 1e-4,
    nesterov: bool = False,
) -> torch.optim.Optimizer:
    """Stochastic gradient descent with momentum.

    Args:
        params: Groups of parameters.
        lr: Peak learning rate.
        momentum: Share of the earlier steps in each step.
        weight_decay: L2.
        nesterov: Whether the gradient is looked at ahead of the momentum.
    """
    # not fused: in fp16 a first step that overflows leaves its momentum uninitialised
    return torch.optim.SGD(params, lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov)


def adamw(
    params: Groups,
    *,
    lr: LearningRate,
    betas: tuple[Share, Share] = (0.9, 0.999),
    eps: Annotated[float, Gt(0), Le(1)] = 1e-8,
    weight_decay: Decay = 1e-4,
) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay (arXiv:1711.05101, algorithm 2).

    Args:
        params: Groups of parameters.
        lr: Peak learning rate.
        betas: Decay of the moving averages of the gradient and of its square.
        eps: Added to the denominator.
        weight_decay: Decoupled: times the learning rate, whatever the gradient.
    """
    # one kernel in place of a dozen for each kind of tensor: small models on a GPU wait for kernels to be started, and
    # a CPU reads and writes large ones once instead of a dozen times
    devices = {parameter.device.type for group in params for parameter in group["params"]}
    fused = devices <= {"cpu", "cuda"}
    return torch.optim.AdamW(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=fused)


def lars(
    params: Groups,
    *,
    lr: LearningRate,
    momentum: Share = 0.9,
    weight_decay: Decay = 1e-4,
    trust_coefficient: Annotated[float, Gt(0), Le(1e9)] = 0.001,
    adapt: bool = True,
) -> torch.optim.Optimizer:
    """Layer-wise adaptive rates for large batches (arXiv:1708.03888, algorithm 1), by timm.

    Args:
        params: Groups of parameters.
        lr: Peak learning rate.
        momentum: Share of the earlier steps in each step.
        weight_decay: L2.
        trust_coefficient: How far a parameter may move, as a share of its norm.
        adapt: Whether the rate is adapted to the norms of a parameter and its gradient. timm adapts all parameters with
            weight decay, so that weight decay has to be 0 without adaptation.
    """
    try:
        from timm.optim.lars import Lars  # of the extra "image"
    except ModuleNotFoundError:
        raise CoviewError("lars comes from timm, which is not installed", hint="pip install timm") from None
    groups = [_timms_names(group, adapt=adapt, weight_decay=weight_decay) for group in params]
    optimizer: torch.optim.Optimizer = Lars(
        groups, lr=lr, momentum=momentum, weight_decay=weight_decay, trust_coeff=trust_coefficient
    )
    return optimizer


def _timms_names(group: Mapping[str, Any], *, adapt: bool, weight_decay: float) -> dict[str, Any]:
    renamed = {_TIMMS.get(key, key): value for key, value in group.items()}
    adapts = renamed.setdefault("always_adapt", adapt)
    if not adapts and renamed.get("weight_decay", weight_decay):
        raise ValueError("adapt = false needs weight_decay = 0: timm's LARS adapts all parameters with weight decay")
    return renamed


_TIMMS = {"adapt": "always_adapt", "trust_coefficient": "trust_coeff"}
"""What timm calls a setting of LARS."""

_TIMMS_MOMENTUM = 0.9
"""Which timm's own factory gives to those that have one."""

_NO_RECIPES = ("foreach", "fused", "capturable", "differentiable", "maximize")
"""How a library computes, or which way it goes: not what a recipe says."""

_UNUSABLE_TORCH = {
    "LBFGS": "it takes several steps in one, and needs the loss again for each",
    "SparseAdam": "it takes sparse gradients only",
    "Muon": "it takes matrices only, and a model has biases and norms besides (timm:muon takes those too)",
    "Optimizer": "it is the base class of all others",
}


def torch_optimizer(name: str) -> Callable[..., torch.optim.Optimizer]:
    """The factory of ``torch:NAME``.

    Args:
        name: Of a class in ``torch.optim``, such as ``RAdam``.

    Raises:
        LookupError: If PyTorch has none of that name, or no recipe can use it.
    """
    classes = {name: value for name, value in vars(torch.optim).items() if _is_optimizer(value)}
    chosen = library_member("torch", name, classes, what="optimizer", unusable=_UNUSABLE_TORCH)
    return _factory(chosen, {})


def timm_optimizer(name: str) -> Callable[..., torch.optim.Optimizer]:
    """The factory of ``timm:NAME``.

    Args:
        name: As ``timm.optim.list_optimizers`` has it, such as ``lion``.

    Raises:
        LookupError: If timm has none of that name, or no recipe can use it.
    """
    import timm.optim as library  # of the extra "image"

    named: Any = library  # which does not say to type checkers what it exports
    known = {name: named.get_optimizer_info(name) for name in named.list_optimizers()}
    usable = {name: info for name, info in known.items() if _is_optimizer(info.opt_class) and not info.second_order}
    unusable = {
        name: "it needs second derivatives"
        if info.second_order
        else f"it comes from {str(info.opt_class).partition('.')[0]}, which timm does not install"
        for name, info in known.items()
        if name not in usable
    }
    info = library_member("timm", name, usable, what="optimizer", unusable=unusable)
    momentum = {"momentum": _TIMMS_MOMENTUM} if info.has_momentum else {}
    return _factory(info.opt_class, momentum | (info.defaults or {}))


def _is_optimizer(value: object) -> TypeGuard[type[torch.optim.Optimizer]]:
    return inspect.isclass(value) and issubclass(value, torch.optim.Optimizer)


def _factory(library_class: type[Any], defaults: Mapping[str, Any]) -> Callable[..., torch.optim.Optimizer]:
    """A factory that takes ``params`` besides what a recipe may give."""
    annotations = {
        **_without_tensors(library_class),
        "params": Groups,
        "lr": LearningRate,
        "weight_decay": Decay,
        **dict.fromkeys(_NO_RECIPES),
    }
    return library_factory(
        library_class, lambda made: made, annotations=annotations, defaults=defaults, doc=_documentation(library_class)
    )


def _without_tensors(library_class: type[Any]) -> dict[str, Any]:
    """Pairs that may hold tensors, which no recipe gives, as the pairs of numbers that they are else."""
    hints = get_type_hints(library_class.__init__)
    return {name: tuple[float, float] for name, hint in hints.items() if hint == _PAIR_OR_TENSORS}


_PAIR_OR_TENSORS = tuple[float | torch.Tensor, float | torch.Tensor]


def _documentation(library_class: type[Any]) -> str:
    """What it is in its first paragraph, and its parameters; the formulas between are for another page."""
    texts = [inspect.getdoc(library_class) or "", inspect.getdoc(library_class.__init__) or ""]
    about = next((text.split("\n\n")[0].split("\n.. ")[0] for text in texts if text), "")
    lists = [text[text.index("Args:") :] for text in texts if "Args:" in text]
    return "\n\n".join([about, *lists[:1]])
