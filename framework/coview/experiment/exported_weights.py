"""Which tensor of an exported folder is which of the encoder's, so that another run can start from the folder.

Libraries name the tensors of a model as they like. Which is which is found by content when the folder is written, and
kept in ``coview.json`` in it; what the folder does not have, such as a tokenizer's state, stands in
``coview.safetensors``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from coview.data.json_object import read_json_object
from coview.errors import CoviewError

NOTE = "coview.json"
_REST = "coview.safetensors"


def note_weights(folder: Path, encoder: nn.Module, *, modality: str, kind: str, shared_by: Sequence[str] = ()) -> None:
    """Writes into an exported folder where each tensor of the encoder is in it.

    Args:
        folder: With what other libraries load.
        encoder: That it is of.
        modality: The encoder's.
        kind: What its features are called: "pretrained", "untrained" or "given".
        shared_by: All modalities that it is the encoder of, where these are several.
    """
    there: dict[bytes, list[str]] = {}
    for file in sorted(folder.rglob("*.safetensors")):
        with safe_open(file, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118 - it is no mapping
                there.setdefault(_digest(opened.get_tensor(name)), [file.relative_to(folder).as_posix(), name])
    weights: dict[str, list[str]] = {}
    rest: dict[str, Tensor] = {}
    for name, tensor in encoder.state_dict().items():
        if (found := there.get(_digest(tensor))) is None:
            rest[name] = tensor.detach().cpu().contiguous().clone()
            found = [_REST, name]
        weights[name] = found
    if rest:
        save_file(rest, folder / _REST)
    files = {file: _file_digest(folder / file) for file in sorted({file for file, _ in weights.values()})}
    note = {"modality": modality, "kind": kind, "files": files, "weights": weights}
    note |= {"shared_by": list(shared_by)} if shared_by else {}
    (folder / NOTE).write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")


def read_exported(folder: Path, modality: str) -> Mapping[str, Tensor]:
    """The encoder's ``state_dict`` from a folder that ``coview export`` has written.

    Raises:
        CoviewError: If it is none, has been changed since, is of another modality, or of an encoder at random weights.
    """
    if not folder.is_dir():
        raise CoviewError(f"{folder}: there is no such folder")
    try:
        note: dict[str, Any] = read_json_object(folder / NOTE)
        of, kind, files, weights = (note[key] for key in ("modality", "kind", "files", "weights"))
        takes = [of, *note.get("shared_by", [])]
        places = {str(name): (str(file), str(tensor)) for name, (file, tensor) in weights.items()}
        digests = {str(file): str(digest) for file, digest in files.items()}
    except FileNotFoundError:
        raise CoviewError(
            f"{folder} was not written by coview export: it has no {NOTE}",
            hint='an encoder of a library starts from a folder by its name, use = "hf:./folder"',
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CoviewError(f"{folder / NOTE} is damaged: {error}", hint="export the run again") from error
    if modality not in takes:
        raise CoviewError(f"{folder} has an encoder for {of}, and none for {modality}")
    if kind == "untrained":
        raise CoviewError(f"{folder} has an encoder at random weights: nothing was trained in its run")
    if unknown := next((file for file, _ in places.values() if file not in digests), None):
        raise CoviewError(f"{folder / NOTE} is damaged: it does not say what {unknown} is", hint="export the run again")
    tensors: dict[str, Tensor] = {}
    for file, digest in digests.items():
        path = folder / file
        try:
            if _file_digest(path) != digest:
                raise CoviewError(f"{path} has been changed since it was exported", hint="export the run again")
            with safe_open(path, framework="pt") as opened:
                for name, (of_file, tensor) in places.items():
                    if of_file == file:
                        tensors[name] = opened.get_tensor(tensor)
        except (OSError, SafetensorError) as error:
            raise CoviewError(f"{path} cannot be read: {error}", hint="export the run again") from error
    return tensors


def _digest(tensor: Tensor) -> bytes:
    tensor = tensor.detach().cpu().contiguous()
    digest = hashlib.blake2b(f"{tensor.dtype} {tuple(tensor.shape)} ".encode(), digest_size=16)
    digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.digest()


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
