"""What every modality promises, one check each, and all of them at once."""

from __future__ import annotations

import copy
import pickle
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from coview.data.batch import leaves
from coview.data.modality import FinishesOnDevice, HasLengths, Modality, SummarisesValues
from coview.data.same import same
from coview.data.structured_batch import StructuredBatch
from coview.testing.conformance import Check, Problems, UnderTest, run_checks

_METHODS = ("collate", "describe", "fit_raw", "preview", "to_html")
_FEWEST = 2
_ALIKE = 1e-5


@dataclass(frozen=True)
class ModalityUnderTest(UnderTest):
    """A modality, by what builds it, and values to try it on.

    Attributes:
        factory, parameters: What builds it.
        values: At least two that can form a batch.
    """

    values: Sequence[Any]

    def given(self) -> list[Any]:
        """The values, which may be written into."""
        return copy.deepcopy(list(self.values))


def has_what_a_modality_has(tested: ModalityUnderTest) -> Problems:
    """``collate``, ``describe``, ``fit_raw``, ``preview`` and ``to_html``."""
    if not isinstance(tested.fresh(), Modality):
        lacking = [name for name in _METHODS if name not in dir(tested.fresh())]
        yield f"it lacks {', '.join(lacking)}"


def a_batch_has_a_row_for_each_value(tested: ModalityUnderTest) -> Problems:
    """Every tensor of a batch has as many rows as there are values."""
    for values in (tested.given(), tested.given()[:1]):
        batch = tested.fresh().collate(values)
        found = list(leaves(batch))
        if not found:
            yield f"of {len(values)} values it makes a batch without a tensor"
        for leaf in found:
            if _rows(leaf) != len(values):
                shape = f"of shape {tuple(leaf.shape)}" if isinstance(leaf, Tensor) else f"a {type(leaf).__name__}"
                yield f"of {len(values)} values it makes a batch, a part of which is {shape}"
                return


def _rows(leaf: Any) -> int | None:
    """How many rows a part of a batch has; None where it has none."""
    if isinstance(leaf, Tensor):
        return leaf.shape[0] if leaf.ndim else None
    return len(leaf) if isinstance(leaf, StructuredBatch) else None


def is_a_function_of_its_values(tested: ModalityUnderTest) -> Problems:
    """The same values make the same batch: twice, by a new instance, and by one that was pickled."""
    modality = tested.fresh()
    expected = modality.collate(tested.given())
    try:
        travelled = pickle.loads(pickle.dumps(modality))
    except Exception as error:  # whatever a class's own pickling raises
        yield f"it cannot be pickled, which a loader process needs: {error}"
        return
    for how, other in {"again": modality, "by a new instance": tested.fresh(), "after pickling": travelled}.items():
        if not same(expected, other.collate(tested.given())):
            yield f"{how}, the same values make another batch"


def leaves_values_alone(tested: ModalityUnderTest) -> Problems:
    """It writes into no value: views are shown, and embedded, after they were collated."""
    values = tested.given()
    modality = tested.fresh()
    modality.collate(values)
    modality.fit_raw(values)(values)
    for value in values:
        modality.describe(value)
        modality.to_html(value)
    if not all(same(value, other) for value, other in zip(values, tested.values, strict=True)):
        yield "it writes into the values that it is given"


def raw_features_are_rows_of_numbers(tested: ModalityUnderTest) -> Problems:
    """``fit_raw`` gives a function from values to finite float32 features ``(N, F)``; a value's are its own."""
    extract = tested.fresh().fit_raw(tested.given())
    x_NF = extract(tested.given())
    if not isinstance(x_NF, np.ndarray) or x_NF.ndim != 2 or len(x_NF) != len(tested.values):
        shape = x_NF.shape if isinstance(x_NF, np.ndarray) else type(x_NF).__name__
        yield f"of {len(tested.values)} values raw features are {shape}, and have to be an array (N, F)"
        return
    if x_NF.dtype != np.float32:
        yield f"raw features are {x_NF.dtype}, and have to be float32"
    if not np.isfinite(x_NF).all():
        yield "raw features are not all finite"
        return
    alone = np.concatenate([extract([value]) for value in tested.given()])
    if not np.allclose(x_NF, alone, atol=_ALIKE, rtol=_ALIKE):
        yield "the raw features of a value are different when it is alone"


def a_value_can_be_shown(tested: ModalityUnderTest) -> Problems:
    """``describe`` is a line of text, ``to_html`` a text, and ``preview`` writes into TensorBoard."""
    from torch.utils.tensorboard import SummaryWriter  # it costs a second, and only this check needs it

    modality = tested.fresh()
    for value in tested.given():
        said, shown = modality.describe(value), modality.to_html(value)
        if not isinstance(said, str) or not said.strip() or "\n" in said:
            yield f"describe says {said!r}, and has to say a line"
            return
        if not isinstance(shown, str) or not shown.strip():
            yield f"to_html makes {shown!r}, and has to make a text"
            return
    with tempfile.TemporaryDirectory() as folder, SummaryWriter(folder) as writer:
        sizes = []
        for shows in (False, True):
            if shows:
                modality.preview(writer, "views", [tested.given()[:_FEWEST]], 0)
            writer.flush()
            sizes.append(sum(path.stat().st_size for path in Path(folder).iterdir()))
    if sizes[0] == sizes[1]:
        yield "preview writes nothing into TensorBoard"


def the_device_can_finish(tested: ModalityUnderTest) -> Problems:
    """Where it leaves normalising to the device, ``finish(collate_raw(values))`` is what ``collate`` makes."""
    modality = tested.fresh()
    whole = modality.collate(tested.given())
    if not isinstance(modality, FinishesOnDevice):
        return
    finished = modality.finish(modality.collate_raw(tested.given()))
    for one, other in zip(leaves(whole), leaves(finished), strict=True):
        if one.shape != other.shape or float((one.double() - other.double()).abs().max()) > _ALIKE:
            yield "finish(collate_raw(values)) is not what collate(values) makes"
            return


def lengths_and_summaries_are_what_they_say(tested: ModalityUnderTest) -> Problems:
    """``length`` is a number, ``summary`` a text, where it has them."""
    modality = tested.fresh()
    if isinstance(modality, HasLengths):
        lengths = [modality.length(value) for value in tested.given()]
        if not all(isinstance(length, int | float) and np.isfinite(length) for length in lengths):
            yield f"length says {lengths[0]!r}, and has to say a number"
    if isinstance(modality, SummarisesValues) and not isinstance(modality.summary(tested.given()), str):
        yield "summary has to say a text"


MODALITY_CHECKS: Mapping[str, Check[ModalityUnderTest]] = {
    check.__name__: check
    for check in (
        has_what_a_modality_has,
        a_batch_has_a_row_for_each_value,
        is_a_function_of_its_values,
        leaves_values_alone,
        raw_features_are_rows_of_numbers,
        a_value_can_be_shown,
        the_device_can_finish,
        lengths_and_summaries_are_what_they_say,
    )
}
"""Name to check."""

_AFTER = dict.fromkeys([*MODALITY_CHECKS][1:], ("has_what_a_modality_has",))


def check_modality(
    factory: Callable[..., Any],
    values: Sequence[Any],
    *,
    parameters: Mapping[str, Any] | None = None,
    only: Collection[str] = tuple(MODALITY_CHECKS),
    except_for: Mapping[str, str] | None = None,
) -> None:
    """Tries everything that a modality promises.

    Args:
        factory: Builds it, as ``factory(**parameters)``.
        values: Of its kind, at least two, which can form a batch.
        parameters: What it is built with; the defaults otherwise.
        only: Names of the checks to run, of ``MODALITY_CHECKS``.
        except_for: Checks that this modality is meant to fail, each with the reason. One that it passes is an error.

    Raises:
        ConformanceError: With all that is wrong.
        ValueError: If there is no check of a name, or there are fewer than two values.
    """
    if len(values) < _FEWEST:
        raise ValueError(f"a modality is tried on at least {_FEWEST} values, got {len(values)}")
    tested = ModalityUnderTest(factory, parameters or {}, values)
    run_checks(MODALITY_CHECKS, tested, factory, only, except_for, after=_AFTER)
