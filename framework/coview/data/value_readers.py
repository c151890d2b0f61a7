"""How a data set of several modalities gets their values: from files, or from texts that are values themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coview.data.modality import FileReader, Modality, ReadsFiles, ReadsTyped
from coview.plugins.parameters import Parameters


def file_readers(
    modalities: Mapping[str, Modality], settings: Mapping[str, Mapping[str, Any]]
) -> dict[str, FileReader | None]:
    """What reads the files of each modality; None of one whose values are texts.

    Args:
        modalities: By their names.
        settings: Of reading, for some of them, as a recipe has them: ``{"image": {"decode_size": 256}}``.

    Raises:
        ValueError: If a setting is of no modality, unknown, of the wrong type or out of range; or if a modality reads
            neither files nor texts.
    """
    for name in settings:
        if name not in modalities or not isinstance(modalities[name], ReadsFiles):
            takes = [one for one, modality in modalities.items() if isinstance(modality, ReadsFiles)]
            raise ValueError(f"read.{name}: here, only {' and '.join(takes) or 'no modality'} can be read from files")
    readers: dict[str, FileReader | None] = {}
    for name, modality in modalities.items():
        if isinstance(modality, ReadsFiles):
            schema = Parameters.of(modality.file_reader, "modality")
            given = settings.get(name, {})
            if problems := schema.check(given):
                raise ValueError("; ".join(f"read.{name}.{one.path}: {one.message}" for one in problems))
            readers[name] = modality.file_reader(**schema.arguments(given))
        elif isinstance(modality, ReadsTyped):
            readers[name] = None
        else:
            raise ValueError(
                f"{name}: this modality reads neither files nor texts (coview.ReadsFiles, coview.ReadsTyped): it needs "
                "a data set of its own"
            )
    return readers
