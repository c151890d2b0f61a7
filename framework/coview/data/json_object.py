"""Reading a JSON file that coview has written, and that may have been damaged since."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_json_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If there is no JSON object in it; the message says what there is, and does not name the file.
    """
    return parse_json_object(path.read_bytes())


def parse_json_object(text: bytes | str) -> dict[str, Any]:
    """The object that a JSON text says.

    Raises:
        ValueError: If it says none.
    """
    content: dict[str, Any] = parse_json(text, dict)
    return content


def parse_json(text: bytes | str, kind: type) -> Any:
    """What a JSON text says, if it is of one kind: ``dict`` or ``list``.

    Raises:
        ValueError: If it is not.
    """
    try:
        content = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"it is not JSON ({error})") from error
    if not isinstance(content, kind):
        raise ValueError(f"it is not a JSON {'object' if kind is dict else 'array'} but {str(content)[:40]}")
    return content
