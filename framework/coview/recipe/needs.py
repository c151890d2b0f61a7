"""What a loss needs of a recipe, so that a recipe that does not give it fails before training starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args, runtime_checkable

from coview.errors import CoviewError

Use = Literal["unused", "optional", "required"]
TeacherWidth = Literal["same", "any"]
Negatives = Literal["unused", "queue", "view"]
NEGATIVE = "negative"
"""The name of a view that is made of a sample's hard negative, in place of its own value."""
Tokens = Literal["unused", "numbers", "classes", "either"]
Rows = Literal["all", "own"]


@dataclass(frozen=True)
class Needs:
    """Declared by a loss as ``needs = coview.Needs(…)``.

    Attributes:
        views: The fewest views of each sample.
        most_views: The most views of each sample; absent where any number makes sense.
        labels: Whether it needs class labels; with a queue it sees those of its rows, too.
        teacher: Whether it needs a target branch, by EMA or by stop-gradient.
        predictor: Whether it collapses without a predictor.
        queue: Whether it does not use earlier projections, can be used, or have to be there.
        local_views: Whether it takes student views that have no teacher view (multi-crop).
        smallest_batch: The fewest samples in a batch; 2 where other samples are the negatives.
        projections: Whether it sees projections at all; a recipe of which no loss does has no projector.
        representations: Whether it sees what the encoder makes, before the projector.
        tokens: Whether it sees hidden tokens, which a ``[mask]`` makes, and what they have to be: numbers,
            classes, or either.
        extras: Which of the samples' extras it sees, by name; those of each sample have to be there.
        teacher_width: Whether the rows of a target branch have to be as wide as the student's ("same"), or "any" width
            will do, since it compares teacher rows with teacher rows only. With "any", prefixes leave them whole.
        roles: What some of the views have to be called, as it finds them by :meth:`coview.Views.role`.
        negatives: How it sees hard negatives, of which a recipe calls a view "negative": not at all, and such a recipe
            is refused; as rows of the "queue", which each anchor meets; or as the "view" that it is.
    """

    views: int = 2
    most_views: int | None = None
    labels: bool = False
    teacher: bool = False
    predictor: bool = False
    queue: Use = "unused"
    local_views: bool = False
    smallest_batch: int = 2
    projections: bool = True
    representations: bool = False
    tokens: Tokens = "unused"
    extras: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    teacher_width: TeacherWidth = "same"
    negatives: Negatives = "unused"
    rows: Rows = "all"

    def __post_init__(self) -> None:
        """Checks itself, so that a mistake shows where it is written.

        Raises:
            TypeError, ValueError: If a value is of another type than its annotation's, or out of range.
        """
        for name in ("views", "smallest_batch"):
            _check_count(name, getattr(self, name))
        if self.most_views is not None:
            _check_count("most_views", self.most_views)
            if self.most_views < self.views:
                raise ValueError(f"needs: most_views is {self.most_views}, fewer than views, which is {self.views}")
        for name in ("labels", "teacher", "predictor", "local_views", "projections", "representations"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"needs: {name} has to be true or false, got {getattr(self, name)!r}")
        choices_of = {
            "queue": get_args(Use),
            "tokens": get_args(Tokens),
            "teacher_width": get_args(TeacherWidth),
            "negatives": get_args(Negatives),
            "rows": get_args(Rows),
        }
        for name, choices in choices_of.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"needs: {name} has to be one of {', '.join(choices)}, got {getattr(self, name)!r}")
        for name in ("extras", "roles"):
            given = getattr(self, name)
            if not isinstance(given, tuple) or not all(isinstance(item, str) and item for item in given):
                raise TypeError(f"needs: {name} has to be a tuple of names, got {given!r}")
            if len(set(given)) < len(given):
                raise ValueError(f"needs: {name} has a name twice: {given!r}")
        if len(self.roles) > self.views:
            raise ValueError(f"needs: roles names {len(self.roles)} views, and views is {self.views}")
        if self.negatives == "queue" and self.queue == "unused":
            raise ValueError('needs: negatives is "queue", and queue is "unused"')
        if self.negatives == "queue" and self.rows == "own":
            raise ValueError('needs: negatives is "queue", which has those of all processes, and rows is "own"')
        if not (self.projections or self.representations or self.tokens != "unused"):
            raise ValueError("needs: a loss has to see projections, representations or tokens")


def sees_negatives(needs: Needs) -> Negatives:
    """How a loss sees hard negatives: one that names the view sees it as it is."""
    return "view" if NEGATIVE in needs.roles else needs.negatives


def _check_count(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"needs: {name} has to be a whole number of at least 1, got {value!r}")


@runtime_checkable
class DeclaresNeeds(Protocol):
    """A loss that says what it needs; one that does not may use anything."""

    needs: Needs


def needs_of(loss: Any) -> Needs | None:
    """What a loss says that it needs; None where it does not say.

    Raises:
        CoviewError: If its ``needs`` is no :class:`Needs`.
    """
    if not isinstance(loss, DeclaresNeeds):
        return None
    if not isinstance(loss.needs, Needs):
        raise CoviewError(
            f"the loss {type(loss).__name__}: needs has to be a coview.Needs, got {loss.needs!r}",
            hint="tell the author of the plugin",
        )
    return loss.needs
