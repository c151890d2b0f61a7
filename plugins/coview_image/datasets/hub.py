"""``use = "image/hub:NAME"``: pictures of a Hugging Face data set."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Gt, Lt

import coview
from coview_image.decode import decode


class HubImages(coview.HubDataset):
    """Pictures of a Hugging Face data set: of the hub, or a local folder that the library reads.

    Where the data set has no split to test on, a seeded one is made, with no group on both sides, or stratified by
    class. A sample's id is the split and row.

    Args:
        split: "train" or "test".
        config: Of data sets that have several.
        revision: Branch, tag or commit of the hub's repository; absent: its newest. Give one for results that can be
            repeated.
        folder: In the repository, if it holds several data sets in folders.
        image: The column of the pictures; absent: the only one of that type.
        label: The column of the class; absent: the only one of that type, or "label". "" for none.
        group: The column of what must not be on both sides of a split that is made here. Absent: none.
        train_split: The data set's name of the training split.
        test_split: Likewise; absent: the first that there is of test, validation, valid and dev, or a share of the
            training split.
        first: Stream only so many rows of each split, and leave the rest on the hub; absent: all.
        decode_size: Decode JPEG files at a reduced scale that leaves both sides at least so many pixels.
        test_fraction: Share that is held out where there is no split to test on.
        split_seed: Seed of that split, on purpose not the run's.
    """

    modalities: tuple[str, ...] = ("image",)

    def __init__(
        self,
        *,
        split: str = "train",
        config: str | None = None,
        revision: str | None = None,
        folder: str | None = None,
        image: str | None = None,
        label: str | None = None,
        group: str | None = None,
        train_split: str = "train",
        test_split: str | None = None,
        first: Annotated[int, Gt(0)] | None = None,
        decode_size: Annotated[int, Gt(0)] | None = None,
        test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2,
        split_seed: int = 0,
    ) -> None:
        super().__init__(
            coview.HubRows(
                self.path,
                split=split,
                config=config,
                revision=revision,
                folder=folder,
                train_split=train_split,
                test_split=test_split,
                label=label,
                group=group,
                first=first,
                test_fraction=test_fraction,
                split_seed=split_seed,
            )
        )
        self._image = self.rows.only("Image", "pictures", "image") if image is None else self.rows.check(image)
        self._decode_size = decode_size

    def __getitem__(self, index: int, /) -> coview.Sample:
        row, name = self.rows[index], self.rows.id(index)
        file = self.rows.file(row, self._image)
        if file is None:
            raise coview.SampleError(f"{self.path} {name}", "has no picture")
        return coview.Sample(
            {"image": decode(file, self._decode_size, name=f"{self.path} {name}")},
            id=name,
            label=self.rows.label_of(row),
            group=self.rows.group_of(row),
        )


def hub_images(name: str) -> type[HubImages]:
    """The factory of ``image/hub:NAME``.

    Args:
        name: A hub id, such as ``uoft-cs/cifar10``, or a folder.
    """
    return HubImages.of(name)
