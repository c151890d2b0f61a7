"""``use = "image/hub:NAME"``: pictures of a Hugging Face data set."""

from __future__ import annotations

import io
from typing import Annotated, Any, ClassVar

from annotated_types import Gt, Lt

import coview
from coview_image.decode import decode


class HubImages:
    """Pictures of a Hugging Face data set: of the hub, or a local folder that the library reads.

    Where the data set has no split to test on, a seeded one is made, stratified by class. A sample's id is the split
    and row.

    Args:
        split: "train" or "test".
        config: Of data sets that have several.
        revision: Branch, tag or commit of the hub's repository; absent: its newest. Give one for results that can be
            repeated.
        image: The column of the pictures; absent: the only one of that type.
        label: The column of the class; absent: the only one of that type, or "label". "" for none.
        train_split: The data set's name of the training split.
        test_split: Likewise; absent: the first that there is of test, validation, valid and dev, or a share of the
            training split.
        first: Stream only so many rows of each split, and leave the rest on the hub; absent: all.
        decode_size: Decode JPEG files at a reduced scale that leaves both sides at least so many pixels.
        test_fraction: Share that is held out where there is no split to test on.
        split_seed: Seed of that split, on purpose not the run's.
    """

    path: ClassVar[str] = ""
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    modalities: tuple[str, ...] = ("image",)

    def __init__(
        self,
        *,
        split: str = "train",
        config: str | None = None,
        revision: str | None = None,
        image: str | None = None,
        label: str | None = None,
        train_split: str = "train",
        test_split: str | None = None,
        first: Annotated[int, Gt(0)] | None = None,
        decode_size: Annotated[int, Gt(0)] | None = None,
        test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
        split_seed: int = 0,
    ) -> None:
        self._rows = coview.HubRows(
            self.path,
            split=split,
            config=config,
            revision=revision,
            train_split=train_split,
            test_split=test_split,
            label=label,
            first=first,
            test_fraction=test_fraction,
            split_seed=split_seed,
        )
        self._image = self._rows.check(image) if image is not None else self._only_picture()
        self._decode_size = decode_size
        self.classes = self._rows.classes
        self.citation, self.version = self._rows.citation, self._rows.version
        self.licence = self._rows.licence or "see the hub"

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int, /) -> coview.Sample:
        row, name = self._rows[index], self._rows.id(index)
        picture: Any = row[self._image]
        if isinstance(picture, dict) and picture.get("bytes") is not None:
            file: Any = io.BytesIO(picture["bytes"])
        elif isinstance(picture, dict) and picture.get("path"):
            file = picture["path"]
        else:
            raise coview.SampleError(f"{self.path} {name}", "has no picture")
        return coview.Sample(
            {"image": decode(file, self._decode_size, name=f"{self.path} {name}")},
            id=name,
            label=self._rows.label_of(row),
        )

    def _only_picture(self) -> str:
        found = [name for name in self._rows.columns if self._rows.kind(name) == "Image"]
        if len(found) == 1:
            return found[0]
        several = f"several columns of pictures, {', '.join(found)}" if found else "no column of pictures"
        raise coview.CoviewError(
            f'"{self.path}" has {several} (its columns are {", ".join(self._rows.columns)})', hint="say image = …"
        )


def hub_images(name: str) -> type[HubImages]:
    """The factory of ``image/hub:NAME``.

    Args:
        name: A hub id, such as ``uoft-cs/cifar10``, or a folder.
    """
    return type(HubImages.__name__, (HubImages,), {"path": name, "__doc__": HubImages.__doc__})
