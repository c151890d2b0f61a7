"""``use = "image/hub:NAME"``: pictures of a Hugging Face data set."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge, Gt, Le

import coview
from coview_image.decode import decode
from coview_image.depth import settled_bits


class HubImages(coview.HubDataset):
    """Pictures of a Hugging Face data set: of the hub, or a local folder that the library reads.

    Where the data set has no split to test on, a seeded one is made, with no group on both sides, or stratified by
    class. A sample's id is the split and row.

    Args:
        image: The column of the pictures; absent: the only one of that type.
        decode_size: Decode JPEG files at a reduced scale that leaves both sides at least so many pixels.
        bits: As of ``image_folder``: of 16-bit greys.
    """

    modalities: tuple[str, ...] = ("image",)

    def __init__(
        self,
        *,
        image: str | None = None,
        decode_size: Annotated[int, Gt(0)] | None = None,
        bits: Annotated[int, Ge(8), Le(16)] | None = None,
        **rows: Any,
    ) -> None:
        super().__init__(**rows)
        self._image = self.rows.only("Image", "pictures", "image") if image is None else self.rows.check(image)
        self._decode_size = decode_size
        self._bits = settled_bits(self.rows.files(self._image), bits)

    def __getitem__(self, index: int, /) -> coview.Sample:
        row, name = self.rows[index], self.rows.id(index)
        file = self.rows.file(row, self._image)
        if file is None:
            raise coview.SampleError(f"{self.path} {name}", "has no picture")
        return coview.Sample(
            {"image": decode(file, self._decode_size, name=f"{self.path} {name}", bits=self._bits)},
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
