"""Before training: whether samples that lack a modality leave each tower and each loss something to learn from."""

from __future__ import annotations

from torch import nn

from coview.data.dataset import Dataset
from coview.data.present import having, present_of
from coview.errors import CoviewError
from coview.model.batch_norm import has_batch_norm
from coview.model.tower import Tower, Towers
from coview.recipe.key import key_of_term
from coview.recipe.recipe import Recipe


def check_lacking(recipe: Recipe, dataset: Dataset, student: Towers) -> None:
    """Refuses what cannot be where samples lack a modality.

    Args:
        recipe: The recipe.
        dataset: The training split.
        student: Its towers.

    Raises:
        CoviewError: If too few samples have all modalities of a loss; if a teacher shuffles samples of which some lack
            a modality; or if the gradient cache leaves batch norm parts of a batch in which a single sample may have
            one.
    """
    lacked = [name for name in present_of(dataset) if name in recipe.modalities]
    if not lacked or not recipe.trains:
        return
    for index, term in enumerate(recipe.loss):
        of = term.settings.between or recipe.modalities
        fewest = 1 if term.needs is None else term.needs.smallest_batch
        if (rows := len(having(dataset, of))) < fewest:
            raise CoviewError(
                f"{recipe.where(*key_of_term(index, len(recipe.loss)))}: {term.use} needs at least {fewest} samples "
                f"that have {' and '.join(of)}, and only {rows} of {len(dataset):,} of {recipe.data_named} have them",
                hint='between = ["…", "…"] names the modalities that a loss is of',
            )
    if recipe.teacher is not None and recipe.teacher.shuffle_groups > 1:
        where = recipe.where("teacher", "shuffle_groups")
        raise CoviewError(
            f"{where}: shuffles whole samples, and some of {recipe.data_named} lack {' and '.join(lacked)}"
        )
    part = recipe.train.grad_cache
    if part is not None and (part == "auto" or part < recipe.train.batch_size):
        for name in lacked:
            if _trains_batch_norm(student.towers[name]):
                where = recipe.where("train", "grad_cache")
                raise CoviewError(
                    f"{where}: encodes parts of a batch, in which a single sample may have a {name}, and the tower of "
                    f"{name} has batch norm",
                    hint="leave it out, or take an encoder and a projector without batch norm",
                )


def _trains_batch_norm(tower: nn.Module) -> bool:
    assert isinstance(tower, Tower)
    parts = [part for part in (tower.encoder, tower.projector, tower.predictor) if part is not None]
    return any(has_batch_norm(part) and any(p.requires_grad for p in part.parameters()) for part in parts)
