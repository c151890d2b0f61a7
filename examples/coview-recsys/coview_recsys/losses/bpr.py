"""Bayesian personalised ranking: a chosen item above one that was not chosen."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

import coview


class BPR:
    """``-log sigmoid(u·i - u·j)``, averaged (Rendle et al., UAI 2009, arXiv:1205.2618, section 4.2).

    The penalty of the paper is not in it: use ``optimizer.weight_decay``.

    The views are called ``user``, ``item`` and ``other``: the item was chosen by the user, and the other was not.
    """

    needs = coview.Needs(views=3, smallest_batch=1, roles=("user", "item", "other"))

    def __call__(self, views: coview.Views) -> Tensor:
        """The loss of the rows that this process owns."""
        dtype = torch.promote_types(views.student.dtype, torch.float32)
        u, i, j = (views.role(name) for name in self.needs.roles)
        u_AD, i_AD = views.student[u, views.anchors].to(dtype), views.teacher[i, views.anchors].to(dtype)
        j_AD = views.teacher[j, views.anchors].to(dtype)
        return softplus((u_AD * (j_AD - i_AD)).sum(-1)).mean()
