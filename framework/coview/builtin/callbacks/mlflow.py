"""MLflow: the one place that knows its library."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from coview.builtin.callbacks.results_by_name import results_by_name
from coview.errors import CoviewError
from coview.plugins.callback import Callback, EndContext, RunContext, StepContext
from coview.plugins.component import in_one_line
from coview.recipe.snapshot import flatten

_RUN = "coview.run"
"""The tag that a run which is resumed finds itself by."""

_MOST_PARAMETERS = 100
_LONGEST_VALUE = 500
_STATUS = {"done": "FINISHED", "stopped": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}


class MLflow(Callback):
    """Reports a run to MLflow: its recipe, all that is logged, what is measured on validation, and the results.

    A resumed run continues its run there.

    Args:
        tracking_uri: The server, or ``sqlite:////path/to/file.db``; absent: as the environment says
            (``MLFLOW_TRACKING_URI``), else MLflow's own default.
        experiment: Where the run goes; it is made if it is not there. Absent: the recipe's name.
        tags: Names and values to find runs by.
    """

    def __init__(
        self,
        *,
        tracking_uri: str | None = None,
        experiment: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self.tracking_uri, self.experiment, self.tags = tracking_uri, experiment, dict(tags or {})
        self._client: Any = None
        self._run_id = ""

    def check(self, recipe: Mapping[str, Any]) -> None:
        """Whether the library is there, and a server answers where there is to be one."""
        client = self._connect()
        uri = client.tracking_uri
        if "://" in uri and not uri.startswith(("http", "file", "databricks", "uc")):
            import_module("sqlalchemy")  # databases need it, and MLflow says so in the middle of a run
        elif uri.startswith("http"):
            with _without_patience():
                try:
                    client.search_experiments(max_results=1)
                except Exception as error:  # whatever comes of a server that is not there, or refuses
                    raise CoviewError(
                        f"mlflow: {uri} does not take a run: {in_one_line(error)[:200]}",
                        hint="start the server or log in to it, or set tracking_uri to another place, such as "
                        '"sqlite:///mlflow.db"',
                    ) from error

    def run_start(self, context: RunContext) -> None:
        """Makes the run, or goes on with it."""
        self._client = client = self._connect()
        name = self.experiment or context.recipe["name"]
        known = client.get_experiment_by_name(name)
        experiment = known.experiment_id if known is not None else client.create_experiment(name)
        found = client.search_runs([experiment], filter_string=f"tags.`{_RUN}` = '{context.path.name}'")
        if found:
            self._run_id = found[0].info.run_id
            client.update_run(self._run_id, status="RUNNING")
            return
        tags = {**self.tags, _RUN: context.path.name}
        self._run_id = client.create_run(experiment, run_name=context.path.name, tags=tags).info.run_id
        params = {_name(key): str(value)[:_LONGEST_VALUE] for key, value in flatten(context.recipe).items()}
        entities = import_module("mlflow.entities")
        listed = [entities.Param(key, value) for key, value in params.items()]
        for first in range(0, len(listed), _MOST_PARAMETERS):
            client.log_batch(self._run_id, params=listed[first : first + _MOST_PARAMETERS])

    def step_end(self, context: StepContext) -> None:
        """Logs what the run logs."""
        self._log({"epoch": context.epoch, **context.metrics}, context.step)

    def curve_point(self, context: StepContext) -> None:
        """Logs what was measured on validation."""
        self._log({f"validation/{name}": value for name, value in context.metrics.items()}, context.step)

    def run_end(self, context: EndContext) -> None:
        """Logs the results, and closes the run."""
        self._log(results_by_name(context.results), context.step)
        if context.stopped:
            self._client.set_tag(self._run_id, "coview.stopped", context.stopped)
        self._client.set_terminated(self._run_id, status=_STATUS[context.status])

    def _connect(self) -> Any:
        # a client of its own: MLflow's global run is the user's
        return import_module("mlflow").MlflowClient(self.tracking_uri)

    def _log(self, values: Mapping[str, float], step: int) -> None:
        entities, now = import_module("mlflow.entities"), int(time.time() * 1000)
        metrics = [entities.Metric(_name(name), float(value), now, step) for name, value in values.items()]
        if metrics:
            self._client.log_batch(self._run_id, metrics=metrics)


def _name(text: str) -> str:
    """A name that MLflow takes."""
    return re.sub(r"[^\w.\- :/]", "_", text)


@contextmanager
def _without_patience() -> Iterator[None]:
    """MLflow asks a server that is not there for minutes."""
    wanted = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
    before = {key: os.environ.get(key) for key in wanted}
    os.environ.update({key: value for key, value in wanted.items() if before[key] is None})
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
