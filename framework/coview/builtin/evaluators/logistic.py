"""Multinomial logistic regression by L-BFGS on the features' device, fast also where features are correlated.

What is minimised, over the weights W of each feature and class and the intercepts b:

    mean over samples of the cross-entropy  +  l2 / 2 · sum of W²,        the intercepts unpenalised

With the mean in place of a sum, a strength means the same for any number of samples; scikit-learn's ``C`` is
1 / (l2 · N).

L-BFGS takes many steps where a few directions hold most of the variance, as in pixels and in collapsed encoders.
So the weights are sought along the features' principal axes, which changes neither loss nor penalty, and each in units
of its own curvature, taken anew every few steps. Both only say how to get there, so that some of the samples are
enough to find them, and the features themselves need not be rotated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits
from torch import Tensor

ROTATED_UP_TO = 4096
"""The smaller of samples and features beyond which finding the axes would cost more than it saves."""
_SOME = 4096
"""Samples that axes and curvature are found from, more where there are more than a quarter as many features."""
_STEPS = 50
_ROUNDS = 6
_FEW_STEPS = 15
"""A round that has arrived in so few had good units, and needs no second one to be believed."""


@dataclass(frozen=True)
class Weights:
    """A fitted classifier.  D feature · C class.

    Attributes:
        w_DC: Of each feature and class.
        b_C: Intercepts.
    """

    w_DC: Tensor
    b_C: Tensor

    def predict(self, x_ND: Tensor) -> Tensor:
        """The most probable class of each row."""
        return torch.addmm(self.b_C, x_ND, self.w_DC).argmax(1)


class LogisticRegression:
    """Samples prepared to be fitted with one strength after another.  N sample · D feature · R axis · C class.

    Args:
        x_ND: Features, standardised, float32 or float64.
        y_N: Classes from 0 to ``classes`` - 1.
        classes: C.
    """

    def __init__(self, x_ND: Tensor, y_N: Tensor, classes: int) -> None:
        N, D = x_ND.shape
        self.y_1N, self.classes = y_N[None], classes
        self.span_RD: Tensor | None = None
        self.axes_RR: Tensor | None = None
        self.x_NR, rotates = x_ND, min(N, D) <= ROTATED_UP_TO
        if rotates and N < D:  # W lies in the span of the samples, so N features are enough
            self.span_RD = torch.linalg.svd(x_ND, full_matrices=False).Vh
            self.x_NR = x_ND @ self.span_RD.T
        drawn_M = torch.randperm(N, generator=torch.Generator().manual_seed(0))[: max(_SOME, 4 * D)]
        self.some_MR = self.x_NR[drawn_M.to(x_ND.device)]
        if rotates and N >= D:
            self.axes_RR = torch.linalg.eigh(self.some_MR.T @ self.some_MR).eigenvectors.T.contiguous()
        self.squares_MR = (self.some_MR if self.axes_RR is None else self.some_MR @ self.axes_RR.T).square()

    def fit(self, l2: float, *, start: Weights | None = None) -> Weights:
        """The minimiser.

        Args:
            l2: Strength of the penalty, above 0.
            start: Where to begin; at 0 by default.
        """
        w_CR, b_C1 = self.x_NR.new_zeros(self.classes, self.x_NR.shape[1]), self.x_NR.new_zeros(self.classes, 1)
        if start is not None:
            w_CR = start.w_DC.T if self.span_RD is None else start.w_DC.T @ self.span_RD.T
            b_C1 = start.b_C[:, None]
        before = torch.inf
        # SciPy's BLAS has threads of its own, which wait by spinning and keep PyTorch's from their cores: a small fit
        # takes up to eight times as long with them
        with threadpool_limits(limits=1, user_api="blas"):
            for _ in range(_ROUNDS):
                w_CR, b_C1, loss, quickly = self._descend(l2, w_CR, b_C1)
                if quickly or loss > before * (1 - 1e-4):
                    break
                before = loss
        return Weights((w_CR if self.span_RD is None else w_CR @ self.span_RD).T, b_C1[:, 0])

    def _descend(self, l2: float, w_CR: Tensor, b_C1: Tensor) -> tuple[Tensor, Tensor, float, bool]:
        """A round of L-BFGS, in units of the curvature where it starts.

        Returns weights, intercepts, loss, and whether it has arrived in few steps.
        """
        unit_CR, unit_C1 = self._units(w_CR, b_C1, l2)

        def unpack(theta: np.ndarray) -> tuple[Tensor, Tensor]:
            v_CR = torch.from_numpy(theta.reshape(self.classes, -1)).to(self.x_NR)
            along_CR = v_CR[:, :-1] * unit_CR
            return along_CR if self.axes_RR is None else along_CR @ self.axes_RR, v_CR[:, -1:] * unit_C1

        def pack(v_CR: Tensor, v_C1: Tensor) -> np.ndarray:
            return torch.cat([v_CR, v_C1], dim=1).double().cpu().numpy().ravel()

        def along(w_CR: Tensor) -> Tensor:
            return w_CR if self.axes_RR is None else w_CR @ self.axes_RR.T

        def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
            w_CR, b_C1 = unpack(theta)
            loss, gradient_CR, gradient_C1 = self._loss(w_CR, b_C1, l2)
            return loss / before, pack(along(gradient_CR) * unit_CR, gradient_C1 * unit_C1) / before

        # SciPy's tolerance on the loss is absolute below 1, and weak strengths end far below
        before = self._loss(w_CR, b_C1, l2)[0]
        theta = pack(along(w_CR) / unit_CR, b_C1 / unit_C1)
        options = {"maxiter": _STEPS, "maxcor": 20, "ftol": 1e-7, "gtol": 0.0}
        found = minimize(objective, theta, method="L-BFGS-B", jac=True, options=options)
        return *unpack(found.x), float(found.fun) * before, found.success and found.nit <= _FEW_STEPS

    def _loss(self, w_CR: Tensor, b_C1: Tensor, l2: float) -> tuple[float, Tensor, Tensor]:
        """The loss and its gradient by the weights and the intercepts.

        Classes come first, samples second: with few classes the products are then ten times as fast.
        """
        z_CN = torch.addmm(b_C1, w_CR, self.x_NR.T)
        z_CN -= z_CN.amax(0)
        true_1N = z_CN.gather(0, self.y_1N)
        # in fp64: a loss near 0 is the logarithm of 1 and very little
        total_1N = z_CN.exp_().sum(0, keepdim=True, dtype=torch.float64)
        cross_entropy = (total_1N.log() - true_1N).mean()
        loss = cross_entropy + l2 / 2 * w_CR.square().sum(dtype=torch.float64)
        error_CN = z_CN.div_(total_1N).scatter_add_(0, self.y_1N, self.x_NR.new_full(self.y_1N.shape, -1))
        gradient_CR = (error_CN @ self.x_NR).div_(self.y_1N.shape[1]).add_(w_CR, alpha=l2)
        return loss.item(), gradient_CR, error_CN.mean(1, keepdim=True)

    def _units(self, w_CR: Tensor, b_C1: Tensor, l2: float) -> tuple[Tensor, Tensor]:
        """One over the square root of the second derivative along each axis and by each intercept."""
        p_CM = torch.addmm(b_C1, w_CR, self.some_MR.T).softmax(0)
        spread_CM = p_CM * (1 - p_CM)
        curvature_CR = spread_CM @ self.squares_MR / len(self.some_MR)
        return (curvature_CR + l2).rsqrt(), spread_CM.mean(1, keepdim=True).clamp_min(1e-6).rsqrt()
