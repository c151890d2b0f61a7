"""What evaluators are made of: labelled splits, budgets of labels, draws, folds, intervals, and loops that train.

Those that come with coview are made of these, and an evaluator of a plugin can be: a number is then comparable with
theirs. ``intervals`` and ``diagnostics`` are modules.
"""

from __future__ import annotations

from coview.data.batch import map_tensors, to_device
from coview.data.loader import sample_loader, view_loader
from coview.data.order import Order, RankBatches
from coview.data.threads import computing_on
from coview.data.views import PipelineStep, ViewMaker
from coview.evaluate import diagnostics, intervals
from coview.evaluate.chance import chance_of_search
from coview.evaluate.folds import Choices, choices
from coview.evaluate.label_budget import (
    LabelBudgets,
    LabelsPerClass,
    as_budgets,
    check_known_budgets,
    draw_labels,
    rows_of_budgets,
)
from coview.evaluate.labelled import accuracy_result, check_classes, finite_features, labelled_split
from coview.evaluate.neighbours import nearest, vote
from coview.track.progress import track_items
from coview.train.length import Length
from coview.train.schedule import WarmedUp

__all__ = [
    "Choices",
    "LabelBudgets",
    "LabelsPerClass",
    "Length",
    "Order",
    "PipelineStep",
    "RankBatches",
    "ViewMaker",
    "WarmedUp",
    "accuracy_result",
    "as_budgets",
    "chance_of_search",
    "check_classes",
    "check_known_budgets",
    "choices",
    "computing_on",
    "diagnostics",
    "draw_labels",
    "finite_features",
    "intervals",
    "labelled_split",
    "map_tensors",
    "nearest",
    "rows_of_budgets",
    "sample_loader",
    "to_device",
    "track_items",
    "view_loader",
    "vote",
]
