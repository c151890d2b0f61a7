"""Whether batch norm can see one view at a time, and whether a model has one that would."""

from __future__ import annotations

from collections.abc import Iterator

from coview.errors import CoviewError
from coview.model.batch_norm import has_batch_norm
from coview.model.tower import Towers
from coview.recipe.recipe import Recipe
from coview.train.part_size import FEWEST


def check_batch_norm(recipe: Recipe, student: Towers, ranks: int) -> None:
    """Refuses views apart where a forward pass would have a single row, which has no variance.

    Raises:
        CoviewError: With file and line.
    """
    if not student.apart or not has_batch_norm(student):
        return
    train, shuffles = recipe.train, 1 if recipe.teacher is None else recipe.teacher.shuffle_groups
    of_rank = train.batch_size // ranks
    rows = FEWEST if train.grad_cache == "auto" else train.grad_cache
    parts = 1 if rows is None else -(-of_rank // rows)
    # the batch norm of several ranks sees the rows of all of them, but for the groups of a shuffle
    found = {"batch_size": of_rank // parts * ranks, "shuffle_groups": train.batch_size // shuffles}
    for key, fewest in found.items():
        if fewest < 2:
            at = ("teacher", key) if key == "shuffle_groups" else ("train", "grad_cache" if parts > 1 else key)
            raise CoviewError(
                f'{recipe.where(*at)}: train.batch_norm = "per_view" leaves batch norm a single sample at a time',
                hint="it needs at least two: more samples, or all views together",
            )


def batch_norm_notes(recipe: Recipe, student: Towers) -> Iterator[str]:
    """A sentence where views are taken apart and nothing is changed by it."""
    if student.apart and not has_batch_norm(student):
        yield (
            f'warning: {recipe.where("train", "batch_norm")}: train.batch_norm = "per_view" changes nothing but the '
            "time: the model has no batch norm"
        )
