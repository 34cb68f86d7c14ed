"""Contact sheets of pages: each view of a sample as a thumbnail of its own, which a browser wraps as it needs to."""

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from PIL import Image

from passband.jobs.common.wording import class_name
from passband.jobs.drawing.sheet import TARGET, drop_one, shrunk
from passband.pipeline.formats.sample import Sample
from passband.pipeline.records import ViewEntry

PAGE_BYTES = 800_000
"""Of all thumbnails of a page, which is to stay below 2 MB with its charts."""
ROOM = 1130
"""CSS pixels that a row of thumbnails has on a page of 1400."""
_QUALITY = 85


@dataclass(frozen=True)
class Thumbnail:
    """A view as a data URI, and the CSS pixels that it takes."""

    view: str
    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class SheetRow:
    """A sample with its views."""

    name: str
    sample: int
    thumbnails: list[Thumbnail]

    @property
    def bytes(self) -> int:
        """What the thumbnails take of the page."""
        return sum(len(thumbnail.uri) for thumbnail in self.thumbnails)


def image_uri(picture: Image.Image, *, lossless: bool) -> str:
    """Return a picture as an address that carries it: PNG, or JPEG."""
    buffer = io.BytesIO()
    if lossless:
        picture.save(buffer, "PNG", optimize=True)
    else:
        picture.convert("RGB").save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    kind = "png" if lossless else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def image_uris(pictures: Sequence[Image.Image], budget: int) -> list[str]:
    """Return pictures as addresses: PNG where none is larger than 96 pixels and they keep to the budget, else JPEG."""
    if all(max(picture.size) <= TARGET for picture in pictures):
        uris = [image_uri(picture, lossless=True) for picture in pictures]
        if sum(map(len, uris)) <= budget:
            return uris
    return [image_uri(picture, lossless=False) for picture in pictures]


def shrink(sample: Sample, views: Sequence[ViewEntry], scale: int) -> Sample:
    """Return a sample with thumbnails of `views` in place of its own, so that little of it is held."""
    return replace(sample, views=[shrunk(sample.views[view.number], scale) for view in views])


def sheet_rows(
    samples: Sequence[Sample], views: Sequence[ViewEntry], classes: Sequence[str], scale: int, budget: int
) -> list[SheetRow]:
    """Return the rows of a contact sheet, without loss where that keeps to the budget.

    Parameters
    ----------
    samples : as `shrink` returns them
    scale : by which a thumbnail is enlarged where it is shown; negative: it was reduced already
    """
    uris = iter(image_uris([Image.fromarray(pixels) for sample in samples for pixels in sample.views], budget))
    return [_row(sample, views, classes, uris, max(1, scale)) for sample in samples]


def within(sheets: Sequence[list[SheetRow]], labels: Sequence[int], budget: int) -> list[list[SheetRow]]:
    """Return the sheets with the same rows left out of each until all together keep to the budget; one stays.

    Parameters
    ----------
    labels : of the samples in the rows; those of the class that has most rows go first
    """
    kept = [Sample(row, "", label, 0, -1, -1, []) for row, label in enumerate(labels)]
    while len(kept) > 1 and sum(sheet[row.index].bytes for sheet in sheets for row in kept) > budget:
        drop_one(kept)
    return [[sheet[row.index] for row in kept] for sheet in sheets]


def _row(
    sample: Sample, views: Sequence[ViewEntry], classes: Sequence[str], uris: Iterator[str], enlarged: int
) -> SheetRow:
    thumbnails = [
        Thumbnail(view.name, next(uris), pixels.shape[1] * enlarged, pixels.shape[0] * enlarged)
        for view, pixels in zip(views, sample.views, strict=True)
    ]
    return SheetRow(class_name(sample.label, classes), sample.index, thumbnails)
