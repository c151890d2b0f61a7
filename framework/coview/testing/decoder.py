"""What every decoder promises, one check each, and all of them at once. A check yields what is wrong, in words."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from coview.data.generators import seeded
from coview.model.decoder import DecoderInput
from coview.plugins.parameters import Parameters
from coview.testing.conformance import Check, Problems, run_checks

_ROWS, _TOKENS, _IN_WIDTH, _WIDTH = 6, 13, 8, 5
_TOLERANCE = 1e-9
"""In fp64."""


class _WithHead(nn.Module):
    """What stands for the encoder: all that a decoder may use of one is its head."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(_IN_WIDTH, _WIDTH)

    def pretraining_head(self) -> nn.Module:
        """As wide as what the others make."""
        return self.head


@dataclass(frozen=True)
class DecoderUnderTest:
    """A decoder, by what builds it.

    Attributes:
        factory, parameters: A fresh instance is ``factory(in_width=…, width=…, **parameters)``.
        around: Puts a batch and a context into an input, for a decoder that takes them.
    """

    factory: Callable[..., Any]
    parameters: Mapping[str, Any]
    around: Callable[[DecoderInput], DecoderInput] | None = None

    def inputs(self) -> Iterator[tuple[str, DecoderInput]]:
        """What it is tried on, and how that is called."""
        for name, given in _inputs():
            yield name, given if self.around is None else self.around(given)

    def fresh(self, seed: int = 0) -> nn.Module:
        """A new instance, in double precision."""
        with seeded(seed):
            offered = {"in_width": _IN_WIDTH, "width": _WIDTH, "encoder": _WithHead()}
            supplied = Parameters.of(self.factory, "decoder").taken(offered)
            built: nn.Module = self.factory(**supplied, **copy.deepcopy(dict(self.parameters)))
        return built.double().eval()


def makes_a_row_for_each_token(tested: DecoderUnderTest) -> Problems:
    """``(K, width)`` of the tokens that are wanted, none of them too, whether they lie in a row or in a grid."""
    widths = set()
    for name, given in tested.inputs():
        made = tested.fresh()(given)
        wanted = int(given.wanted_MT.sum())
        if not isinstance(made, Tensor) or made.ndim != 2 or len(made) != wanted:
            found = tuple(made.shape) if isinstance(made, Tensor) else type(made).__name__
            yield f"{name}: of {wanted} tokens that are wanted it makes {found}, and not a row for each"
        elif not bool(made.isfinite().all()):
            yield f"{name}: its predictions are not finite"
        else:
            widths.add(made.shape[1])
    if len(widths) > 1:
        yield f"its predictions have {' and '.join(map(str, sorted(widths)))} numbers"


def does_not_see_what_was_hidden(tested: DecoderUnderTest) -> Problems:
    """What lies at places that were not seen is of no meaning, and changes no prediction; nor does padding."""
    for name, given in tested.inputs():
        other = torch.where(given.seen_MT[..., None], given.tokens_MTD, given.tokens_MTD + 9)
        difference = _difference(tested, given, replace(given, tokens_MTD=other))
        if difference > _TOLERANCE and not bool((given.wanted_MT & given.seen_MT).any()):
            yield f"{name}: the vectors at places that were not seen change its predictions by {difference:.1e}"


def rows_are_apart(tested: DecoderUnderTest) -> Problems:
    """A row's predictions do not depend on the other rows."""
    for name, given in tested.inputs():
        other = given.tokens_MTD.clone()
        other[1:] += 1
        one, changed = (tested.fresh()(replace(given, tokens_MTD=x)) for x in (given.tokens_MTD, other))
        first = int(given.wanted_MT[0].sum())
        difference = float((one[:first] - changed[:first]).detach().abs().max()) if first else 0.0
        if difference > _TOLERANCE:
            yield f"{name}: the other rows change the predictions of the first by {difference:.1e}"


def tells_places_apart(tested: DecoderUnderTest) -> Problems:
    """Two hidden tokens of a row are not predicted alike: where a token is has to be known."""
    for name, given in tested.inputs():
        made = tested.fresh()(given)
        if len(made) > 1 and float((made[0] - made[1]).detach().abs().max()) < _TOLERANCE:
            yield f"{name}: two hidden tokens of a row get the same prediction: it does not know where they are"


def its_parameters_learn(tested: DecoderUnderTest) -> Problems:
    """Each of them gets a gradient, and so do the tokens that were seen."""
    built = tested.fresh()
    reached = False
    for _, given in tested.inputs():
        tokens_MTD = given.tokens_MTD.clone().requires_grad_()
        built(replace(given, tokens_MTD=tokens_MTD)).square().sum().backward()
        reached = reached or (tokens_MTD.grad is not None and bool(tokens_MTD.grad.any()))
    for name, parameter in built.named_parameters():
        if parameter.requires_grad and (parameter.grad is None or not bool(parameter.grad.any())):
            yield f"the parameter {name} gets no gradient"
    if not reached:
        yield "the tokens that were seen get no gradient"


def leaves_its_input_alone(tested: DecoderUnderTest) -> Problems:
    """It writes into none of the tensors that it is given."""
    for name, given in tested.inputs():
        before = given.tokens_MTD.clone(), given.seen_MT.clone(), given.wanted_MT.clone()
        with torch.no_grad():
            tested.fresh()(given)
        if not all(map(torch.equal, before, (given.tokens_MTD, given.seen_MT, given.wanted_MT))):
            yield f"{name}: it writes into its input"


def comes_back_from_its_state(tested: DecoderUnderTest) -> Problems:
    """One of another seed that loads its ``state_dict`` predicts the same: a run that goes on does so."""
    _, given = next(tested.inputs())
    built, other = tested.fresh(), tested.fresh(seed=1)
    try:
        other.load_state_dict(built.state_dict())
    except RuntimeError as error:
        yield f"another instance does not take its state_dict: {error}"
        return
    with torch.no_grad():
        if not torch.equal(built(given), other(given)):
            yield "another instance that loads its state_dict predicts otherwise: register what it draws as buffers"


def runs_in_mixed_precision(tested: DecoderUnderTest) -> Problems:
    """Under autocast it predicts about the same, whether the tokens come in fp32 or as an encoder leaves them."""
    for dtype, tolerance in ((torch.bfloat16, 0.1), (torch.float16, 0.02)):
        for name, given in tested.inputs():
            built = tested.fresh().float()
            single = replace(given, tokens_MTD=given.tokens_MTD.float())
            for tokens_MTD in (single.tokens_MTD, single.tokens_MTD.to(dtype)):
                with torch.no_grad():
                    expected = built(single)
                    try:
                        with torch.autocast("cpu", dtype=dtype):
                            found = built(replace(given, tokens_MTD=tokens_MTD)).float()
                    except RuntimeError as error:
                        yield f"{name}: under autocast to {dtype} it fails: {str(error).splitlines()[0]}"
                        return
                size = float(expected.abs().max()) if expected.numel() else 0.0
                if not torch.allclose(found, expected, rtol=0, atol=tolerance * max(1.0, size)):
                    yield f"{name}: under autocast to {dtype} its predictions differ from those in fp32"
                    return


def _inputs() -> Iterator[tuple[str, DecoderInput]]:
    """Hidden tokens that are replaced, so that a vector is at their place, and none of the last row's."""
    generator = torch.Generator().manual_seed(0)
    tokens_MTD = torch.randn(_ROWS, _TOKENS, _IN_WIDTH, generator=generator, dtype=torch.float64)
    hidden_MT = torch.rand(_ROWS, _TOKENS, generator=generator) < 0.5
    hidden_MT[:, 0] = False
    hidden_MT[0, 1:3] = True
    hidden_MT[-1] = False
    seen_MT = torch.ones_like(hidden_MT)
    yield "tokens in a row", DecoderInput(tokens_MTD, seen_MT, hidden_MT, (_TOKENS,))
    yield "a grid", DecoderInput(tokens_MTD, seen_MT, hidden_MT, (3, 4))
    yield "dropped tokens", DecoderInput(tokens_MTD, ~hidden_MT, hidden_MT, (3, 4))
    some_MT = hidden_MT & (torch.arange(_TOKENS) % 3 != 0)  # the rest is padding, or of another group
    yield "dropped tokens and padding", DecoderInput(tokens_MTD, ~hidden_MT, some_MT, (3, 4))
    yield "no hidden token", DecoderInput(tokens_MTD, seen_MT, torch.zeros_like(hidden_MT), (3, 4))


def _difference(tested: DecoderUnderTest, one: DecoderInput, other: DecoderInput) -> float:
    with torch.no_grad():
        made, again = tested.fresh()(one), tested.fresh()(other)
    return float((made - again).abs().max()) if made.numel() else 0.0


DECODER_CHECKS: Mapping[str, Check[DecoderUnderTest]] = {
    check.__name__: check
    for check in (
        makes_a_row_for_each_token,
        leaves_its_input_alone,
        does_not_see_what_was_hidden,
        rows_are_apart,
        tells_places_apart,
        its_parameters_learn,
        comes_back_from_its_state,
        runs_in_mixed_precision,
    )
}
"""By name, in the order in which they run."""

_AFTER = {
    "leaves_its_input_alone": ("makes_a_row_for_each_token",),
    **dict.fromkeys([*DECODER_CHECKS][2:], ("makes_a_row_for_each_token", "leaves_its_input_alone")),
}
"""What is compared has to be there, and what it was made of still has to be as it was."""


def check_decoder(
    factory: Callable[..., Any],
    *,
    parameters: Mapping[str, Any] | None = None,
    around: Callable[[DecoderInput], DecoderInput] | None = None,
    only: Collection[str] = tuple(DECODER_CHECKS),
    except_for: Mapping[str, str] | None = None,
) -> None:
    """Tries everything that a decoder promises, on tokens in a row and in a grid.

    Args:
        factory: Builds it, as ``factory(in_width=…, width=…, **parameters)``, as far as it takes the two; one that
            takes ``encoder`` is given one with a head of its own.
        parameters: What it is built with; the defaults otherwise.
        around: For a decoder that takes the batch (:class:`coview.TakesBatch`): makes of an input one with ``batch``,
            of as many rows and tokens, and with ``context``.
        only: Names of the checks to run, of ``DECODER_CHECKS``.
        except_for: Checks that this decoder is meant to fail, each with the reason, such as
            ``{"does_not_see_what_was_hidden": "it is for tokens that are replaced"}``. One that it passes is an error.

    Raises:
        ConformanceError: With all that is wrong.
        ValueError: If there is no check of a name.
    """
    run_checks(
        DECODER_CHECKS, DecoderUnderTest(factory, parameters or {}, around), factory, only, except_for, after=_AFTER
    )
