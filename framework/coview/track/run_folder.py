"""Where everything of a run lies on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunFolder:
    """``runs/NAME/STAMP-HASH6/`` and the names in it.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def recipe(self) -> Path:
        """The resolved recipe: every default written out; running it again gives the same hash."""
        return self.path / "recipe.toml"

    @property
    def environment(self) -> Path:
        """Versions, git revision, device, ranks and command line."""
        return self.path / "environment.json"

    @property
    def metrics(self) -> Path:
        """One JSON object a line: step, epoch, time, loss, lr, samples_per_s, and the diagnostics."""
        return self.path / "metrics.jsonl"

    @property
    def results(self) -> Path:
        """Every number with its interval, its control and its protocol."""
        return self.path / "results.json"

    def per_item(self, protocol_hash: str, features: str) -> Path:
        """The number of each test item, of one result."""
        return self.path / "items" / f"{protocol_hash}-{features}.npy"

    @property
    def checkpoints(self) -> Path:
        """``step-N/``, and ``last`` and ``best`` that point at one of them."""
        return self.path / "checkpoints"

    @property
    def features(self) -> Path:
        """Embedded splits, kept so that another evaluator need not embed them again."""
        return self.path / "features"

    @property
    def tensorboard(self) -> Path:
        """The run's TensorBoard event files."""
        return self.path / "tensorboard"

    @property
    def views(self) -> Path:
        """A few samples and their views as HTML markup, for the report."""
        return self.path / "views.json"

    @property
    def report(self) -> Path:
        """The self-contained report."""
        return self.path / "report.html"

    @property
    def lock(self) -> Path:
        """Held by the process that writes this run."""
        return self.path / ".lock"
