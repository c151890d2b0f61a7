"""What features of a frozen encoder are worth, by scikit-learn and scipy alone: no code of those who are compared."""

from __future__ import annotations

import numpy as np
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler


def accuracies(train_ND: np.ndarray, train_N: np.ndarray, test_ND: np.ndarray, test_N: np.ndarray) -> dict[str, float]:
    """Of the 20 nearest neighbours by cosine, and of logistic regression (C = 0.1) of standardised features."""
    knn = KNeighborsClassifier(20, metric="cosine").fit(train_ND, train_N)
    scale = StandardScaler().fit(train_ND)
    probe = LogisticRegression(C=0.1, max_iter=1000).fit(scale.transform(train_ND), train_N)
    return {
        "kNN": float(knn.score(test_ND, test_N)),
        "probe": float(probe.score(scale.transform(test_ND), test_N)),
    }


def agreement(left_ND: np.ndarray, right_ND: np.ndarray, judged_N: np.ndarray) -> float:
    """Spearman's correlation of the cosines of pairs with what people have judged."""
    cosines_N = (left_ND * right_ND).sum(1) / (np.linalg.norm(left_ND, axis=1) * np.linalg.norm(right_ND, axis=1))
    return float(spearmanr(cosines_N, judged_N).statistic)
