"""Ridge regression for a whole path of penalties at the price of one decomposition.

What is minimised, over the weights w and the intercept b:

    mean over samples of (y - x·w - b)²  +  alpha · sum of w²,        the intercept unpenalised

With the mean in place of a sum, a penalty means the same for any number of samples; scikit-learn's ``alpha`` is N times
this one.
"""

from __future__ import annotations

import torch
from torch import Tensor


class Ridge:
    """Samples prepared to be fitted with one penalty after another, in float64.  N sample · D feature · R axis.

    In the principal axes of the features (Hastie et al. 2009, "The elements of statistical learning", section 3.4.1)
    every axis is fitted for itself. The axes are taken from the smaller of XᵀX and XXᵀ.

    Args:
        x_ND: Features.
        y_N: What to predict.
    """

    def __init__(self, x_ND: Tensor, y_N: Tensor) -> None:
        x_ND, y_N = x_ND.double(), y_N.double()
        self._mean_D, self._mean = x_ND.mean(0), y_N.mean()
        x_ND, y_N = x_ND - self._mean_D, y_N - self._mean
        self._n = len(x_ND)
        if x_ND.shape[0] >= x_ND.shape[1]:
            self._variance_R, self._axes_DR = torch.linalg.eigh(x_ND.T @ x_ND / self._n)
            self._to_weights_DR = self._axes_DR
            self._along_R = self._axes_DR.T @ (x_ND.T @ y_N) / self._n
        else:  # w lies in the span of the samples
            self._variance_R, samples_NR = torch.linalg.eigh(x_ND @ x_ND.T / self._n)
            self._to_weights_DR = x_ND.T @ samples_NR
            self._along_R = samples_NR.T @ y_N / self._n

    def fit(self, alpha: float) -> tuple[Tensor, Tensor]:
        """The minimiser for one penalty, above 0.

        Returns:
            Weights of shape (D,) and the intercept.
        """
        w_D = self._to_weights_DR @ (self._along_R / (self._variance_R.clamp_min(0) + alpha))
        return w_D, self._mean - self._mean_D @ w_D
