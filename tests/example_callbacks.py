"""Callbacks that runs of the tests are told to, each with one thing that it does."""

import json

import torch

import coview


class Diary(coview.Callback):
    """Writes down what it is told, in a file in the run's folder."""

    def note(self, context, *line):
        with (context.path / "told.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def run_start(self, context):
        self.note(context, "start", context.recipe["name"], context.step, context.total_steps)

    def step_end(self, context):
        self.note(context, "step", context.step, context.epoch, "loss" in context.metrics)

    def epoch_end(self, context):
        self.note(context, "epoch", context.step, context.epoch)

    def run_end(self, context):
        kinds = [[result.kind, result.name] for result in context.results]
        self.note(context, "end", context.step, context.status, context.stopped, kinds)


class EveryStep(Diary):
    """The same, of every step."""

    every_step = True


class StopsAt(coview.Callback):
    """Stops at a step, of which it counts down what is left.

    Args:
        step: Which.
    """

    changes_run = True
    every_step = True

    def __init__(self, *, step: int = 3):
        self.left = step

    def step_end(self, context):
        self.left -= 1
        if self.left == 0:
            context.stop("counted down")

    def state_dict(self):
        return {"left": self.left}

    def load_state_dict(self, state):
        self.left = state["left"]


class StopsUnsaid(coview.Callback):
    """Asks for a stop without having said that it changes the run."""

    def step_end(self, context):
        context.stop("I like to")


class Fails(coview.Callback):
    """Has a bug."""

    def step_end(self, context):
        return 1 / 0


class FailsAndMatters(Fails):
    """Has a bug, and the run depends on it."""

    changes_run = True


class FailsBeforeStep(coview.Callback):
    """Has a bug in the middle of a step, and the run depends on it."""

    changes_run = True

    def before_step(self, context):
        return 1 / 0


class WritesModel(coview.Callback):
    """Writes into the model."""

    def step_end(self, context):
        with torch.no_grad():
            next(iter(context.model.parameters())).zero_()


class ChangesMode(coview.Callback):
    """Leaves the model in another mode."""

    def step_end(self, context):
        context.model.eval()


class Gradients(coview.Callback):
    """Keeps the gradients that the optimiser takes, and the weights before and after it."""

    every_step = True

    def numbers(self, context, what):
        return [getattr(p, what).detach().flatten().double() for p in context.model.parameters() if p.grad is not None]

    def before_step(self, context):
        self.gradient, self.before = torch.cat(self.numbers(context, "grad")), torch.cat(self.numbers(context, "data"))

    def step_end(self, context):
        after = torch.cat(self.numbers(context, "data"))
        torch.save([self.before, self.gradient, after], context.path / f"gradient-{context.step}.pt")


class Refuses(coview.Callback):
    """Has no account."""

    def check(self, recipe):
        raise coview.CoviewError("nobody is logged in", hint="log in")


class LacksLibrary(coview.Callback):
    """Needs what is not installed."""

    def check(self, recipe):
        import a_library_that_is_not_there  # noqa: F401


class OddState(coview.Callback):
    """Remembers what no checkpoint can hold."""

    def state_dict(self):
        return {"x": {1, 2}}


def not_a_callback():
    """Makes something else."""
    return object()


NAMES = {
    name.lower(): name
    for name, value in list(globals().items())
    if isinstance(value, type) and issubclass(value, coview.Callback)
}


def with_callbacks(registry):
    """The registry with all of these, by their names in lower case."""
    registrar = coview.Registrar("tests")
    for name, attribute in NAMES.items():
        registrar.callback(name, f"example_callbacks:{attribute}", summary="of a test", extra="the-library")
    registrar.callback("not_a_callback", "example_callbacks:not_a_callback", summary="of a test")
    return registry.plus(registrar)
