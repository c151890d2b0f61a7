"""The loss of a recipe: one, or a weighted sum of several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from coview.data.dataset import Dataset, HasNegatives
from coview.data.lacking_labels import lacking_labels
from coview.data.sample_problem import problem_of_extras
from coview.data.values import readable_samples
from coview.errors import CoviewError, few
from coview.model.encoder import HasOwnScale
from coview.model.gather import Gathered
from coview.model.part_of_views import (
    of_modalities,
    of_whole_samples,
    with_negatives_as_view,
    with_negatives_in_queue,
)
from coview.model.prefixes import over_prefixes
from coview.model.views import Views
from coview.plugins.registry import Registry
from coview.recipe.key import key_of_term
from coview.recipe.logit_scale import LogitScale
from coview.recipe.needs import NEGATIVE, needs_of, sees_negatives
from coview.recipe.recipe import Recipe


@dataclass(frozen=True)
class Term:
    """One term.

    Attributes:
        name: What it is logged as.
        weight: In the sum.
        loss: The loss.
        prefixes: The widths that it is taken of and summed over; none: of all dimensions.
        between: The modalities whose views it sees; none: all.
    """

    name: str
    weight: float
    loss: Callable[[Views], Any]
    prefixes: tuple[int, ...] = ()
    between: tuple[str, ...] = ()

    def __call__(self, views: Views) -> dict[str, Tensor]:
        """What the loss makes of the views, as far as it says that it needs them; at least ``loss``.

        What it does not name it does not see: it would train on labels, or on a queue, of which the recipe and the
        check of it know nothing. Hard negatives are rows of the queue to it, or a view, as it says. Samples that lack a
        modality of its views it does not see either; of too few others
        the loss is 0, without what it reports besides. ``rows/NAME`` says how many there were, over all processes.

        Raises:
            CoviewError: If it returns no scalar.
        """
        needs = needs_of(self.loss)
        if self.sees_own_rows and views.own is not None:
            views = views.own
        views = replace(views, own=None)
        if self.between:
            views = of_modalities(views, self.between)
        in_queue = needs is not None and sees_negatives(needs) == "queue"
        views = with_negatives_in_queue(views) if in_queue else with_negatives_as_view(views)
        if views.present_VN is None:
            return self._of_whole(views)
        views, share = of_whole_samples(views)
        rows = {f"rows/{self.name}": views.student.new_tensor(float(views.count))}
        if views.count < (1 if needs is None else needs.smallest_batch):
            return {"loss": _nothing(views), **rows}
        outputs = self._of_whole(views)
        if not len(views.ids):  # means over nothing: they count nothing, but others wait for this process's gradients
            nothing = torch.zeros((), dtype=torch.bool, device=views.ids.device)
            outputs = {name: value.where(nothing, 0) for name, value in outputs.items()}
        return {name: share * value for name, value in outputs.items()} | rows

    @property
    def sees_own_rows(self) -> bool:
        """Whether the loss sees the rows of its process alone, where there are several."""
        needs = needs_of(self.loss)
        return needs is not None and needs.rows == "own"

    def _of_whole(self, views: Views) -> dict[str, Tensor]:
        """The same of samples that have all modalities of the views."""
        needs = needs_of(self.loss)
        if needs is not None and not needs.labels:
            views = replace(views, labels=None, queue_labels=None)
        if needs is not None and needs.queue == "unused":
            views = replace(views, queue=None, queue_ids=None, queue_labels=None, queue_views=None)
        if needs is not None and not needs.representations:
            views = replace(views, representations=None)
        if needs is not None and not needs.projections:
            views = _without_projections(views)
        if needs is not None and needs.tokens == "unused":
            views = replace(views, tokens=None)
        if needs is not None:
            views = replace(views, extras={name: views.extras[name] for name in needs.extras})
        if self.prefixes:
            whole = needs is not None and needs.teacher_width == "any"
            return over_prefixes(lambda seen: self._outputs(self.loss(seen)), views, self.prefixes, whole_teacher=whole)
        return self._outputs(self.loss(views))

    def _outputs(self, output: Any) -> dict[str, Tensor]:
        outputs = dict(output) if isinstance(output, Mapping) else {"loss": output}
        if "loss" not in outputs:
            raise self._wrong(f'it returns a mapping without "loss", with {", ".join(map(str, outputs)) or "nothing"}')
        for name, value in outputs.items():
            if not isinstance(value, Tensor) or value.ndim != 0:
                shape = f" of shape {tuple(value.shape)}" if isinstance(value, Tensor) else ""
                raise self._wrong(f'"{name}" has to be a scalar tensor, and is a {type(value).__name__}{shape}')
        return outputs

    def _wrong(self, what: str) -> CoviewError:
        return CoviewError(
            f"the loss {self.name}: {what}",
            hint='tell the author of the plugin: return a scalar tensor, or a mapping with one as "loss"',
        )


class LossTerms(nn.Module):
    """The weighted sum of a recipe's losses. Those that have parameters or buffers are its modules.

    Args:
        terms: At least one, if it is to be called.
    """

    def __init__(self, terms: Sequence[Term]) -> None:
        super().__init__()
        self.terms = tuple(terms)
        self.losses = nn.ModuleDict({term.name: term.loss for term in terms if isinstance(term.loss, nn.Module)})

    @property
    def smallest_batch(self) -> int:
        """The fewest samples in a batch that every term takes."""
        needs = map(needs_of, (term.loss for term in self.terms))
        return max((need.smallest_batch for need in needs if need is not None), default=1)

    def gathered(self, *, queue: bool) -> Gathered:
        """What has to be there of all ranks.

        Args:
            queue: Whether the target branch's projections go into a queue.
        """
        declared = [needs_of(term.loss) for term in self.terms if not term.sees_own_rows]
        known = [needs for needs in declared if needs is not None]
        if len(known) < len(declared):  # a loss that declares nothing sees all
            return Gathered()
        projections = any(needs.projections for needs in known)
        return Gathered(
            student=projections,
            teacher=projections or queue,
            representations=any(needs.representations for needs in known),
            extras=frozenset(name for needs in known for name in needs.extras),
        )

    def set_value(self, key: str, value: float) -> None:
        """Sets a scheduled value: ``temperature`` of the only term, ``1.temperature`` of one of several, ``weight``."""
        number, _, name = key.rpartition(".")
        index = int(number or 0)
        term = self.terms[index]
        if name == "weight":
            self.terms = (*self.terms[:index], replace(term, weight=value), *self.terms[index + 1 :])
        else:
            setattr(term.loss, name, value)

    def forward(self, views: Views) -> dict[str, Tensor]:
        """``loss``, and with several terms ``loss/NAME`` of each, unweighted; beside it what a loss reports itself."""
        if len(self.terms) == 1:
            (term,) = self.terms
            outputs = term(views)
            return {**outputs, "loss": term.weight * outputs["loss"]} if term.weight != 1 else outputs
        found: dict[str, Tensor] = {}
        weighted = []
        for term in self.terms:
            outputs = term(views)
            weighted.append(term.weight * outputs.pop("loss"))
            found[f"loss/{term.name}"] = weighted[-1].detach() / term.weight
            found |= {key if key.startswith("rows/") else f"{term.name}/{key}": value for key, value in outputs.items()}
        return {"loss": sum(weighted[1:], weighted[0]), **found}


def _nothing(views: Views) -> Tensor:
    """0, with a gradient of zeros for all that a loss can see: every process goes through the same backward pass."""
    seen = [views.student] if views.representations is None else [views.student, views.representations]
    return 0 * torch.stack([rows.sum() for rows in seen]).sum()


def _without_projections(views: Views) -> Views:
    """The views without columns, for a loss that says that it does not see them."""
    student_VN0 = views.student[..., :0]
    teacher_GN0 = student_VN0 if views.teacher is views.student else views.teacher[..., :0]
    return replace(views, student=student_VN0, teacher=teacher_GN0)


def build_loss(
    recipe: Recipe,
    registry: Registry,
    width: int,
    token_width: int = 0,
    encoders: Mapping[str, nn.Module] | None = None,
) -> LossTerms:
    """The loss of a recipe for projections of a width, and predictions of hidden tokens of another.

    A loss that takes ``own_scale`` gets the scale that the encoders of its modalities came with, or None.
    A loss between some modalities has these in its name, and one that occurs twice a number behind it.

    Raises:
        CoviewError: If a parameter is wrong, or a prefix is wider than the projections.
    """
    terms: list[Term] = []
    for table in recipe.loss:
        between = table.settings.between or ()
        alike = [(other.use, other.settings.between or ()) for other in recipe.loss[: len(terms)]]
        earlier = alike.count((table.use, between))
        name = "-".join([table.use, *between]).replace(".", "-") + (f"-{earlier + 1}" if earlier else "")
        offered = {"width": width, "token_width": token_width, "own_scale": _own_scale(encoders or {}, between)}
        supplied = registry.parameters("loss", table.use).taken(offered)
        loss = registry.build("loss", table.use, supplied=supplied, **table.parameters)
        prefixes = table.settings.prefixes or ()
        if max(prefixes, default=0) > width:
            where = recipe.where(*key_of_term(len(terms), len(recipe.loss))[:-1], "prefixes")
            raise CoviewError(f"{where}: the projections have {width:,} dimensions, got a prefix of {max(prefixes):,}")
        terms.append(Term(name, table.settings.weight, loss, prefixes, between))
    return LossTerms(terms)


def _own_scale(encoders: Mapping[str, nn.Module], between: Sequence[str]) -> LogitScale | None:
    """The scale that the encoders of some modalities came with, or of all; None if there is none, or several."""
    those = (encoder for name, encoder in encoders.items() if not between or name in between)
    found = {encoder.own_scale for encoder in those if isinstance(encoder, HasOwnScale)}
    return found.pop() if len(found) == 1 else None


def check_labels(recipe: Recipe, loss: LossTerms, dataset: Dataset) -> None:
    """Raises :class:`CoviewError` if a term needs class labels, and the data has none, or not of every sample."""
    lacking = lacking_labels(dataset)
    if dataset.classes is not None and not lacking:
        return
    for index, term in enumerate(loss.terms):
        needs = needs_of(term.loss)
        if needs is not None and needs.labels:
            where = recipe.where(*key_of_term(index, len(loss.terms)))
            has = "none" if dataset.classes is None else f"none for {lacking:,} of {len(dataset):,} samples"
            raise CoviewError(f"{where}: {term.name} needs class labels, and the data {recipe.data_named} has {has}")


def check_extras(recipe: Recipe, loss: LossTerms, dataset: Dataset) -> None:
    """Raises :class:`CoviewError` if a term needs an extra that the first sample that can be read does not have."""
    for index, term in enumerate(loss.terms):
        needs = needs_of(term.loss)
        if needs is None or not needs.extras:
            continue
        sample = next(readable_samples(dataset), None)
        if sample is not None and (problem := problem_of_extras(sample, needs.extras)):
            where = recipe.where(*key_of_term(index, len(loss.terms)))
            wanted = few([f'"{name}"' for name in needs.extras])
            raise CoviewError(
                f"{where}: {term.name} needs the extras {wanted} of each sample, and sample "
                f"{sample.id} of the data {recipe.data_named} does not have them: {problem}",
                hint="take data whose samples have them; see coview.Sample.extras",
            )


def check_negatives(recipe: Recipe, dataset: Dataset) -> None:
    """Raises :class:`CoviewError` if a view has to be made of hard negatives, and the data has none of its modality."""
    if NEGATIVE not in recipe.roles:
        return
    modality = recipe.view_modalities[recipe.roles.index(NEGATIVE)]
    known = dataset.negatives if isinstance(dataset, HasNegatives) else None
    if not any((known or {}).get(modality, ())):
        raise CoviewError(
            f'{recipe.where("data", "views")}: the view "{NEGATIVE}" is made of hard negatives, and the training '
            f"samples of {recipe.data_named} have none of {modality}",
            hint="give the view another name, or take data that have them: see coview.Sample.negatives",
        )
