"""What the package takes from PyTorch Geometric, which warns of itself when it is imported."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message=".*torch.jit.script.* is deprecated")
    from torch_geometric.io import read_tu_data
    from torch_geometric.nn import GATConv, GCNConv, GINConv, global_add_pool
    from torch_geometric.utils import degree, one_hot, unbatch, unbatch_edge_index

__all__ = [
    "GATConv",
    "GCNConv",
    "GINConv",
    "degree",
    "global_add_pool",
    "one_hot",
    "read_tu_data",
    "unbatch",
    "unbatch_edge_index",
]
