"""Where everything of a run lies on disk."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

_NAME = re.compile(r"(?P<stamp>\d{8}-\d{6})-(?P<hash>[0-9a-f]{6})(?:-(?P<number>[1-9]\d{0,3}))?")


_STAMP = "%Y%m%d-%H%M%S"


@dataclass(frozen=True)
class RunName:
    """The name of a run's folder: ``STAMP-HASH6``, or ``STAMP-HASH6-N`` for the N-th run of a second.

    It tells a person when the run was started. Which of several is later, their records say: local time goes back at
    the end of summer time, and is another elsewhere.

    Attributes:
        stamp: When it was started, in local time: ``20261101-093000``.
        hash: The first six digits of its recipe's hash.
        number: Counted from 1.
    """

    stamp: str
    hash: str
    number: int = 1

    @classmethod
    def now(cls, recipe_hash: str, number: int = 1) -> RunName:
        """Of a run that starts now."""
        return cls(datetime.now().strftime(_STAMP), recipe_hash[:6], number)

    @classmethod
    def parse(cls, name: str) -> RunName | None:
        """What a folder's name says; None if it is not as coview names runs, such as that of a copy."""
        found = _NAME.fullmatch(name)
        return None if found is None else cls(found["stamp"], found["hash"], int(found["number"] or 1))

    def local_time(self) -> datetime:
        """When it says that it was started.

        Raises:
            ValueError: If there is no such time.
        """
        return datetime.strptime(self.stamp, _STAMP)

    def is_of(self, recipe_hash: str) -> bool:
        """Whether it is a run of the recipe with this hash, as far as six digits can tell."""
        return recipe_hash.startswith(self.hash)

    def __str__(self) -> str:
        return f"{self.stamp}-{self.hash}" + (f"-{self.number}" if self.number > 1 else "")


@dataclass(frozen=True)
class RunFolder:
    """``runs/NAME/STAMP-HASH6/`` and the names in it.

    Attributes:
        path: The folder.
        step: Of the checkpoint that results are of, where one was asked for by its step: they have a file of their own
            then, and do not pass for the run's.
    """

    path: Path
    step: int | None = None

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
        """Every number with its interval, its control and its protocol: of the run, or of the step."""
        return self.path / f"results{self._of_step()}.json"

    def per_item(self, protocol_hash: str, kind: str) -> Path:
        """The number of each test item, of one result."""
        return self.path / f"items{self._of_step()}" / f"{protocol_hash}-{kind}.npy"

    def item_groups(self, protocol_hash: str) -> Path:
        """The number of the group that each test item is of, where there are groups."""
        return self.path / f"items{self._of_step()}" / f"{protocol_hash}-groups.npy"

    def _of_step(self) -> str:
        return "" if self.step is None else f"-step-{self.step}"

    @property
    def start(self) -> Path:
        """The weights that the run started from, where its recipe has ``[start]``."""
        return self.path / "start.safetensors"

    @property
    def tuned_by(self) -> Path:
        """The tunings of comparisons that have led to the run; most runs have none."""
        return self.path / "tuned_by.json"

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
    def hidden(self) -> Path:
        """A few views with what was hidden of them and what was predicted for it, as HTML markup, for the report."""
        return self.path / "hidden.json"

    @property
    def report(self) -> Path:
        """The self-contained report."""
        return self.path / "report.html"

    @property
    def lock(self) -> Path:
        """Held by the process that writes this run."""
        return self.path / ".lock"

    def run_name(self) -> RunName:
        """What the folder's name says.

        Raises:
            ValueError: If somebody else has named it; :meth:`RunName.parse` says so beforehand.
        """
        if (name := RunName.parse(self.path.name)) is None:
            raise ValueError(f"{self.path} does not have the name of a run")
        return name
