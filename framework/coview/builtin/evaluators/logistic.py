"""Multinomial logistic regression by L-BFGS on the features' device, fast also where features are correlated.

What is minimised, over the weights W of each feature and class and the intercepts b:

    mean over samples of the cross-entropy  +  l2 / 2 · sum of W²,        the intercepts unpenalised

With the mean in place of a sum, a strength means the same for any number of samples; scikit-learn's ``C`` is
1 / (l2 · N).

L-BFGS takes many steps where a few directions hold most of the variance, as in pixels and in collapsed encoders.
So the weights are sought along the features' principal axes, which changes neither loss nor penalty, and each in units
of its own curvature, taken anew every few steps. Both only say how to get there, so that some of the samples are
enough to find them, and the features themselves need not be rotated. Along an axis on which the samples do not differ
the best weight is 0. Of the pixels of grey pictures, and of collapsed encoders, most axes are such, and are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from coview.builtin.evaluators.side_by_side import one_thread, one_thread_of_scipy

ROTATED_UP_TO = 4096
"""The smaller of samples and features beyond which finding the axes would cost more than it saves."""
_SOME = 4096
"""Samples that axes and curvature are found from, more where there are more than a quarter as many features."""
TOLERANCE = 1e-7
"""The share of the loss that a step has to win, or it is the last of its round."""
_STEPS = 50
_ROUNDS = 6
_FEW_STEPS = 15
"""A round that has arrived in so few had good units, and needs no second one to be believed."""
_TURNED_UP_TO = 300
"""Samples for each class up to which the features are turned once, which costs as much as turning the weights of some
hundred steps there and back."""
_NOTHING = 1e-6
"""How much of the longest axis' length is nothing: what fp32 rounds away."""
_SMALL = 60_000_000
"""Products of a feature of a sample and a weight, up to which a second thread costs more than it computes."""


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


def is_small(x_ND: Tensor, classes: int) -> bool:
    """Whether one thread of a CPU fits a classifier to these features best."""
    return x_ND.device.type == "cpu" and x_ND.numel() * classes <= _SMALL


class LogisticRegression:
    """Samples prepared to be fitted with one strength after another.  N sample · D feature · R axis · S axis or
    intercept · C class · M some of the samples.

    Args:
        x_ND: Features, standardised, float32 or float64.
        y_N: Classes from 0 to ``classes`` - 1.
        classes: C.
    """

    def __init__(self, x_ND: Tensor, y_N: Tensor, classes: int) -> None:
        N, D = x_ND.shape
        self.y_1N, self.classes = y_N[None], classes
        self.minus_1N = x_ND.new_full(self.y_1N.shape, -1)
        self.turned_RD: Tensor | None = None
        self.axes_RR: Tensor | None = None
        self.x_NR, rotates = x_ND, min(N, D) <= ROTATED_UP_TO
        if rotates and N < D:  # W lies in the span of the samples, so N features are enough
            self.turned_RD = torch.linalg.svd(x_ND, full_matrices=False).Vh
            self.x_NR = x_ND @ self.turned_RD.T
        drawn_M = torch.randperm(N, generator=torch.Generator().manual_seed(0))[: max(_SOME, 4 * D)]
        some_MR = self.x_NR[drawn_M.to(x_ND.device)]
        if rotates and N >= D:
            axes_RD = _axes_of(x_ND, some_MR)
            some_MR = some_MR @ axes_RD.T
            if len(axes_RD) < D or _TURNED_UP_TO * classes >= N:
                self.x_NR, self.turned_RD = x_ND @ axes_RD.T, axes_RD
            else:
                self.axes_RR = axes_RD
        self.some_MR, self.squares_MR = some_MR, some_MR.square()

    def fit(self, l2: float, *, start: Weights | None = None, tolerance: float = TOLERANCE) -> Weights:
        """The minimiser.

        Args:
            l2: Strength of the penalty, above 0.
            start: Where to begin; at 0 by default.
            tolerance: How near to come to it: see ``TOLERANCE``.
        """
        w_CR, b_C1 = self.x_NR.new_zeros(self.classes, self.x_NR.shape[1]), self.x_NR.new_zeros(self.classes, 1)
        if start is not None:
            w_CR = start.w_DC.T if self.turned_RD is None else start.w_DC.T @ self.turned_RD.T
            b_C1 = start.b_C[:, None]
        before = torch.inf
        with one_thread() if is_small(self.x_NR, self.classes) else one_thread_of_scipy():
            for _ in range(_ROUNDS):
                w_CR, b_C1, loss, quickly = self._descend(l2, tolerance, w_CR, b_C1)
                if quickly or loss > before * (1 - 1e-4):
                    break
                before = loss
        return Weights((w_CR if self.turned_RD is None else w_CR @ self.turned_RD).T, b_C1[:, 0])

    def _descend(self, l2: float, tolerance: float, w_CR: Tensor, b_C1: Tensor) -> tuple[Tensor, Tensor, float, bool]:
        """A round of L-BFGS, in units of the curvature where it starts.

        Returns weights, intercepts, loss, and whether it has arrived in few steps.
        """
        unit_CS = self._units(w_CR, b_C1, l2)

        def unpack(theta: np.ndarray) -> tuple[Tensor, Tensor]:
            v_CS = torch.from_numpy(theta.reshape(unit_CS.shape)).to(self.x_NR) * unit_CS
            along_CR, b_C1 = v_CS[:, :-1], v_CS[:, -1:]
            return along_CR if self.axes_RR is None else along_CR @ self.axes_RR, b_C1

        def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
            loss, gradient_CS = self._loss(*unpack(theta), l2)
            gradient_CS[:, :-1] = self._along(gradient_CS[:, :-1])
            return loss / before, (gradient_CS * unit_CS).double().div_(before).cpu().numpy().ravel()

        # SciPy's tolerance on the loss is absolute below 1, and weak strengths end far below
        before = self._loss(w_CR, b_C1, l2)[0]
        theta = (torch.cat([self._along(w_CR), b_C1], dim=1) / unit_CS).double().cpu().numpy().ravel()
        options = {"maxiter": _STEPS, "maxcor": 20, "ftol": tolerance, "gtol": 0.0}
        found = minimize(objective, theta, method="L-BFGS-B", jac=True, options=options)
        return *unpack(found.x), float(found.fun) * before, found.success and found.nit <= _FEW_STEPS

    def _along(self, w_CR: Tensor) -> Tensor:
        """Weights, or a gradient by them, along the axes."""
        return w_CR if self.axes_RR is None else w_CR @ self.axes_RR.T

    def _loss(self, w_CR: Tensor, b_C1: Tensor, l2: float) -> tuple[float, Tensor]:
        """The loss, and its gradient by the weights and the intercepts.

        Classes come first, samples second: with few classes the products are then ten times as fast.
        """
        z_CN = torch.addmm(b_C1, w_CR, self.x_NR.T)
        z_CN -= z_CN.amax(0)
        true_1N = z_CN.gather(0, self.y_1N)
        # in fp64: a loss near 0 is the logarithm of 1 and very little
        total_1N = z_CN.exp_().sum(0, keepdim=True, dtype=torch.float64)
        cross_entropy = (total_1N.log() - true_1N).mean()
        loss = cross_entropy + l2 / 2 * w_CR.square().sum(dtype=torch.float64)
        error_CN = z_CN.div_(total_1N.to(z_CN.dtype)).scatter_add_(0, self.y_1N, self.minus_1N)
        gradient_CS = torch.cat([error_CN @ self.x_NR, error_CN.sum(1, keepdim=True)], dim=1).div_(len(self.x_NR))
        gradient_CS[:, :-1].add_(w_CR, alpha=l2)
        return loss.item(), gradient_CS

    def _units(self, w_CR: Tensor, b_C1: Tensor, l2: float) -> Tensor:
        """One over the square root of the second derivative along each axis and by each intercept, which comes last."""
        p_CM = torch.addmm(b_C1, self._along(w_CR), self.some_MR.T).softmax(0)
        spread_CM = p_CM * (1 - p_CM)
        curvature_CR = spread_CM @ self.squares_MR / len(self.some_MR)
        intercept_C1 = spread_CM.mean(1, keepdim=True).clamp_min(1e-6)
        return torch.cat([curvature_CR + l2, intercept_C1], dim=1).rsqrt()


def _axes_of(x_ND: Tensor, some_MD: Tensor) -> Tensor:
    """The principal axes of some of the samples, as rows: all D, or half of them and fewer that hold all there is."""
    found = torch.linalg.eigh(some_MD.T @ some_MD)
    axes_RD: Tensor = found.eigenvectors.T.contiguous()
    variance_R = found.eigenvalues
    if (variance_R < _NOTHING * variance_R[-1]).sum() * 2 < len(axes_RD):
        return axes_RD
    some_MD = some_MD.double()  # fp32 mixes axes of little variance with those of none
    exact = torch.linalg.eigh(some_MD.T @ some_MD)
    is_empty_R = exact.eigenvalues <= _NOTHING**2 * exact.eigenvalues[-1]
    kept_RD: Tensor = exact.eigenvectors.T[~is_empty_R].to(x_ND)
    empty_ED: Tensor = exact.eigenvectors.T[is_empty_R].to(x_ND)
    if 2 * len(kept_RD) <= len(axes_RD) and (x_ND @ empty_ED.T).norm() <= _NOTHING * x_ND.norm():
        return kept_RD
    return axes_RD
