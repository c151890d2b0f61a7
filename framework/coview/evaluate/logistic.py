"""Multinomial logistic regression by L-BFGS on the features' device, fast also where features are correlated.

What is minimised, over the weights W of each feature and class and the intercepts b:

    mean over samples of the cross-entropy  +  l2 / 2 · sum of W²,        the intercepts unpenalised

Divided by the mean instead of added to a sum, the strength means the same for any number of samples;
scikit-learn's ``C`` is 1 / (l2 · N). L-BFGS takes thousands of steps where a few directions hold most of the variance, as in
pixels and in collapsed encoders. So the features are rotated once to their principal axes, in which the Hessian at
W = 0 is diagonal, and each axis is stepped along in units of that diagonal: tens of steps. A rotation changes
neither the loss nor the penalty, so the minimum is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

ROTATED_UP_TO = 4096
"""The smaller of samples and features beyond which the rotation would cost more than it saves."""
_STEPS = 500
_ROUNDS = 4


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
        x_ND: float32 features, standardised.
        y_N: Classes from 0 to ``classes`` - 1.
        classes: C.
    """

    def __init__(self, x_ND: Tensor, y_N: Tensor, classes: int) -> None:
        N, D = x_ND.shape
        self.axes_DR: Tensor | None = None
        self.x_NR = x_ND
        variance_R = x_ND.square().mean(0)
        if min(N, D) <= ROTATED_UP_TO:
            if N < D:  # W lies in the span of the samples, so N axes are enough
                self.axes_DR = torch.linalg.svd(x_ND, full_matrices=False).Vh.T
            else:
                self.axes_DR = torch.linalg.eigh(x_ND.T @ x_ND).eigenvectors
            self.x_NR = x_ND @ self.axes_DR
            variance_R = self.x_NR.square().mean(0)
        self.variance_R1 = variance_R[:, None]
        self.y_N = y_N
        self.classes = classes

    def fit(self, l2: float, start: Weights | None = None, rows: Tensor | None = None) -> Weights:
        """The minimiser.

        Args:
            l2: Strength of the penalty.
            start: Where to begin; at 0 by default.
            rows: The samples to fit; all by default.
        """
        x_NR, y_N = (self.x_NR, self.y_N) if rows is None else (self.x_NR[rows], self.y_N[rows])
        R, C = x_NR.shape[1], self.classes
        # where all classes are equally probable, the second derivative along an axis is variance / C
        unit_R1 = (self.variance_R1 / C + l2).rsqrt()
        unit_b = C**0.5

        def weights(theta: np.ndarray) -> tuple[Tensor, Tensor]:
            v_RC = torch.from_numpy(theta.reshape(R + 1, C)).to(x_NR)
            return v_RC[:R] * unit_R1, v_RC[R] * unit_b

        def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
            w_RC, b_C = weights(theta)
            log_p_NC = torch.addmm(b_C, x_NR, w_RC).log_softmax(1)
            loss = (
                -log_p_NC.gather(1, y_N[:, None]).mean(dtype=torch.float64)
                + l2 / 2 * w_RC.double().square().sum()
            )
            residual_NC = log_p_NC.exp_().scatter_add_(1, y_N[:, None], -torch.ones_like(log_p_NC[:, :1]))
            gradient_RC = (x_NR.T @ residual_NC / len(y_N) + l2 * w_RC) * unit_R1
            gradient_b = residual_NC.mean(0, keepdim=True) * unit_b
            return loss.item(), torch.cat([gradient_RC, gradient_b]).double().cpu().numpy().ravel()

        theta = np.zeros((R + 1) * C)
        if start is not None:
            w_RC = start.w_DC if self.axes_DR is None else self.axes_DR.T @ start.w_DC
            theta = torch.cat([w_RC / unit_R1, start.b_C[None] / unit_b]).double().cpu().numpy().ravel()
        theta = _descend(objective, theta)
        w_RC, b_C = weights(theta)
        return Weights(w_RC if self.axes_DR is None else self.axes_DR @ w_RC, b_C)


def _descend(objective: Any, theta: np.ndarray) -> np.ndarray:
    """L-BFGS in rounds, each relative to the loss it starts from: SciPy's tolerance is absolute below 1."""
    for _ in range(_ROUNDS):
        unit = objective(theta)[0]

        def relative(theta: np.ndarray, unit: float = unit) -> tuple[float, np.ndarray]:
            loss, gradient = objective(theta)
            return loss / unit, gradient / unit

        options = {"maxiter": _STEPS, "maxcor": 20, "ftol": 1e-7, "gtol": 0.0}
        found = minimize(relative, theta, method="L-BFGS-B", jac=True, options=options)
        theta = found.x
        if found.fun > 1 - 1e-4:
            break
    return theta
