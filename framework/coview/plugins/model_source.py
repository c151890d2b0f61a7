"""Pretrained models by name: a local folder or a hub id, with messages for people when one cannot be loaded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from coview.errors import CoviewError
from coview.plugins.foreign_code import foreign_code, read_json
from coview.plugins.home import expanded
from coview.plugins.hub import hub_or_cache, no_progress_bar

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_OWN_CODE = "it comes with its own Python code: set trust_remote_code = true if you trust its source"


def folder_or_hub_id(family: str, name: str, expected: str) -> str:
    """A local folder with ``~`` written out, else a name of a hub id's form, as it is.

    A folder is written as a path, such as ``./model``: in a recipe that goes by the recipe's own folder. A bare name is
    the hub's, in whatever folder coview is started.

    Args:
        family: Of components, as recipes write it before the colon: "hf".
        name: What stands after the colon.
        expected: The file that a folder has to have.

    Raises:
        LookupError: If it is neither, or a bare name that is a folder here too, or the folder lacks the file that is
            expected.
    """
    folder = expanded(name)
    if is_ambiguous(name):
        raise LookupError(f'"{family}:{name}" is a folder here, and a name of the hub: {as_path(family, name)}')
    if folder.is_dir():
        if not (folder / expected).is_file():
            raise LookupError(f'"{family}:{name}": the folder has no {expected}, so it cannot be loaded')
        return str(folder)
    if name.startswith((".", "/", "~")) or not _HUB_ID.fullmatch(name):
        raise LookupError(f'"{family}:{name}": there is no such folder, and a hub id is of the form owner/name')
    return name


def is_ambiguous(name: str) -> bool:
    """Whether a name that is not written as a path is that of a folder here."""
    return not name.startswith((".", "/", "~")) and Path(name).is_dir()


def as_path(family: str, name: str) -> str:
    """How to write the one that is a folder."""
    return f'for the folder write "{family}:./{name}"'


@dataclass(frozen=True)
class ModelSource:
    """Where a model is loaded from.

    Attributes:
        family: Of components, as recipes write it before the colon.
        name: A local folder or a hub id: what ``from_pretrained`` takes.
        contents: What a folder has to hold, for the message about one that does not.
        unreachable: Why the hub is not asked; nothing if it is.
    """

    family: str
    name: str
    contents: str
    unreachable: str

    @contextmanager
    def loading(self) -> Iterator[str]:
        """Gives the name; within it, what the library raises becomes a message. The plugin's own checks stand outside.

        Raises:
            CoviewError: If the model is not there, or is no such model.
        """
        as_folder = f'use = "{self.family}:/path/to/folder"'
        try:
            yield self.name
        except Exception as error:
            if not _is_about_the_model(error):
                raise
            if self.unreachable and isinstance(error, OSError):  # a ValueError is about what was found
                raise CoviewError(
                    f'"{self.family}:{self.name}" is neither a folder here nor in the cache, and {self.unreachable}',
                    hint=f"give the path of a local folder, {as_folder}, or connect to the network",
                ) from error
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            if "trust_remote_code" in str(error):
                hint = _OWN_CODE
            elif Path(self.name).is_dir():
                reason = _damage(Path(self.name)) or reason
                hint = f"the folder has to hold {self.contents}"
            else:
                hint = f"check the name, or give the path of a local folder, {as_folder}"
            raise CoviewError(f'"{self.family}:{self.name}" cannot be loaded: {reason}', hint=hint) from error


@contextmanager
def model_source(family: str, name: str, *, contents: str, trust_remote_code: bool = False) -> Iterator[ModelSource]:
    """Within it, a folder is loaded without bars, and the hub is asked once whether it can be reached.

    Args:
        family: Of components, as recipes write it before the colon: "hf".
        name: A local folder or a hub id, as ``folder_or_hub_id`` gives it.
        contents: What a folder has to hold, such as "what save_pretrained writes: config.json and model.safetensors".
        trust_remote_code: Whether a folder may name code that is no library's own.

    Raises:
        CoviewError: If it names some and may not.
    """
    if Path(name).is_dir():
        source = ModelSource(family, name, contents, "")
        if not trust_remote_code:
            with source.loading():
                named = foreign_code(Path(name))
            if named is not None:
                raise CoviewError(f'"{family}:{name}" cannot be loaded: {named}', hint=_OWN_CODE)
        with no_progress_bar():
            yield source
    else:
        with hub_or_cache() as unreachable:
            yield ModelSource(family, name, contents, unreachable)


def _is_about_the_model(error: Exception) -> bool:
    """Whether it is what the libraries raise for a model that is not there, is damaged, or is another than it says."""
    from huggingface_hub.errors import StrictDataclassError  # not needed to find plugins
    from safetensors import SafetensorError  # likewise

    # a TypeError: a class of sentence-transformers whose configuration lacks an argument
    return isinstance(error, OSError | ValueError | RuntimeError | TypeError | SafetensorError | StrictDataclassError)


def _damage(folder: Path) -> str | None:
    """The first file of a folder that is not complete JSON or safetensors, and why."""
    from safetensors import SafetensorError, safe_open  # not needed to find plugins

    for path in sorted(folder.rglob("*.json")):
        try:
            read_json(path)
        except (OSError, ValueError) as error:
            return str(error)
    for path in sorted(folder.rglob("*.safetensors")):
        try:
            with safe_open(path, framework="numpy"):
                pass
        except (OSError, SafetensorError) as error:
            return f"{path.name} is damaged: {error}"
    return None
