"""Small data in the files of Planetoid and of TU Dortmund, for tests."""

import pickle
from collections import defaultdict

import networkx as nx
import numpy as np
import scipy.sparse

NODES, FEATURES = 60, 12
CYCLES = 30


def communities(nodes=NODES):
    """Features, classes and edges of two communities, whose nodes hardly differ by themselves."""
    rng = np.random.default_rng(0)
    of_N = np.arange(nodes) % 2
    x_NF = (rng.random((nodes, FEATURES)) < 0.2 + 0.2 * (np.arange(FEATURES) % 2 == of_N[:, None])).astype(float)
    x_NF[:, 0] = 1
    edges = {(a, b) for a in range(nodes) for b in range(a) if rng.random() < (0.2 if of_N[a] == of_N[b] else 0.01)}
    return x_NF, of_N, edges


def write_planetoid(root, *, nodes=NODES):
    """The two communities in Planetoid's files: 10 nodes with a class, 20 of them for testing, in another order."""
    x_NF, of_N, edges = communities(nodes)
    onehot_NC = np.eye(2, dtype=np.int64)[of_N]
    tested = np.random.default_rng(1).permutation(np.arange(nodes - 20, nodes))
    graph = defaultdict(list)
    for a, b in edges:
        graph[a].append(b)
        graph[b].append(a)
    parts = {
        "x": scipy.sparse.csr_matrix(x_NF[:10]),
        "y": onehot_NC[:10],
        "allx": scipy.sparse.csr_matrix(x_NF[:-20]),
        "ally": onehot_NC[:-20],
        "tx": scipy.sparse.csr_matrix(x_NF[tested]),
        "ty": onehot_NC[tested],
        "graph": graph,
    }
    root.mkdir()
    for name, part in parts.items():
        (root / f"ind.tiny.{name}").write_bytes(pickle.dumps(part, protocol=2))
    (root / "ind.tiny.test.index").write_text("".join(f"{node}\n" for node in tested))
    return root


def tu_graphs():
    """Cycles and stars, in turn, as networkx has them: their classes."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(5, 9, size=CYCLES)
    return [nx.cycle_graph(size) if at % 2 else nx.star_graph(size - 1) for at, size in enumerate(sizes.tolist())]


def write_tu(root, *, labels=True):
    """These graphs in the files of TU Dortmund. Each node has one of two labels, or none."""
    root.mkdir()
    edges, indicator, node_labels, first = [], [], [], 1
    for number, graph in enumerate(tu_graphs(), start=1):
        edges += [(first + a, first + b) for a, b in graph.edges] + [(first + b, first + a) for a, b in graph.edges]
        indicator += [number] * len(graph)
        node_labels += [node % 2 for node in graph]
        first += len(graph)
    (root / "tiny_A.txt").write_text("".join(f"{a}, {b}\n" for a, b in sorted(edges)))
    (root / "tiny_graph_indicator.txt").write_text("".join(f"{number}\n" for number in indicator))
    (root / "tiny_graph_labels.txt").write_text("".join(f"{1 if at % 2 else -1}\n" for at in range(CYCLES)))
    if labels:
        (root / "tiny_node_labels.txt").write_text("".join(f"{label}\n" for label in node_labels))
    return root
