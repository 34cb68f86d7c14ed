"""The bytes of an FFCV file, as the package draws them: written by one sequential writer, and its header read again."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

VERSION = 2
INT_FIELD, IMAGE_FIELD = 1, 2  # FFCV's type ids
RAW = 1  # FFCV's mode of an image that is not compressed
COLUMNS = ("label", "group", "index")
MIN_PAGE_BYTES = 1 << 21
MAX_PAGE_BYTES = 1 << 31  # the largest power of two that the header's 32 bits hold

HEADER = np.dtype(
    [("version", "<u2"), ("num_fields", "<u2"), ("page_size", "<u4"), ("num_samples", "<u8"), ("table", "<u8")],
    align=True,
)
DESCRIPTOR = np.dtype([("type_id", "u1"), ("name", "S16"), ("arguments", "u1", 1024)])
IMAGE = np.dtype([("mode", "u1"), ("width", "<u2"), ("height", "<u2"), ("data_ptr", "<u8")])
ALLOCATION = np.dtype([("sample_id", "<u8"), ("ptr", "<u8"), ("size", "<u8")])


@dataclass(frozen=True, slots=True)
class BetonSample:
    """One sample of a beton.

    Attributes
    ----------
    views : (V, H, W, 3) uint8
    label, group, index : int, in the range of int64
    """

    views: NDArray[np.uint8]
    label: int
    group: int
    index: int


@dataclass(frozen=True)
class BetonHeader:
    """What a beton says of itself.

    Attributes
    ----------
    num_samples, num_views : int
    fields : names in the file's order
    height, width : int, pixels of every view
    page_bytes, file_bytes : int
    """

    num_samples: int
    num_views: int
    fields: tuple[str, ...]
    height: int
    width: int
    page_bytes: int
    file_bytes: int


@dataclass(frozen=True)
class Layout:
    """Where everything of a beton lies, in bytes from its start."""

    num_samples: int
    num_views: int
    height: int
    width: int
    page_bytes: int

    @property
    def view_bytes(self) -> int:
        """Size of one view."""
        return self.height * self.width * 3

    @property
    def sample_bytes(self) -> int:
        """Size of all views of one sample, which share a page."""
        return self.num_views * self.view_bytes

    @property
    def samples_per_page(self) -> int:
        """Number of samples that fit into a page."""
        return self.page_bytes // self.sample_bytes

    @property
    def metadata(self) -> np.dtype[Any]:
        """Type of a sample's row of metadata, with FFCV's names and alignment."""
        return np.dtype([("", IMAGE)] * self.num_views + [("", "<i8")] * len(COLUMNS), align=True)

    @property
    def metadata_start(self) -> int:
        """Where the first sample's row of metadata lies."""
        return HEADER.itemsize + DESCRIPTOR.itemsize * (self.num_views + len(COLUMNS))

    @property
    def first_page(self) -> int:
        """Where the first page of pixels lies."""
        end = self.metadata_start + self.num_samples * self.metadata.itemsize
        return _rounded_up(end, self.page_bytes)

    @property
    def table_start(self) -> int:
        """Where the allocation table lies."""
        return self.first_page + -(-self.num_samples // self.samples_per_page) * self.page_bytes

    @property
    def file_bytes(self) -> int:
        """Size of the file."""
        return self.table_start + self.num_samples * self.num_views * ALLOCATION.itemsize

    def pointers(self, samples: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where the views of `samples` lie, (N, V)."""
        page, slot = np.divmod(samples, self.samples_per_page)
        starts = self.first_page + page * self.page_bytes + slot * self.sample_bytes
        return starts[:, None] + np.arange(self.num_views) * self.view_bytes


def fill_beton(
    file: IO[bytes], samples: Iterable[BetonSample], num_samples: int, num_views: int, page_bytes: int | None = None
) -> Layout:
    """Write a beton into an empty file that can seek.

    Parameters
    ----------
    samples : BetonSample, all of one size; a page of them is held at a time
    num_samples, num_views : int, at least 1
        `samples` must give exactly so many, with so many views each.
    page_bytes : power of two from 2 MiB to 2 GiB
        By default the smallest in which a sample fits.

    Raises
    ------
    ValueError
        If the samples are not as announced, or FFCV cannot represent them.
    """
    if num_samples < 1 or num_views < 1:
        raise ValueError(f"beton: FFCV cannot represent {num_samples} samples of {num_views} views")
    remaining = iter(samples)
    first = next(remaining, None)
    if first is None:
        raise ValueError(f"beton: got 0 samples, expected {num_samples}")
    layout = _planned(first, num_samples, num_views, page_bytes)
    file.write(_preamble(layout))
    written = 0
    for page in _pages(chain([first], remaining), layout):
        written += len(page)
        if written > num_samples:
            raise ValueError(f"beton: got more than the {num_samples} samples expected")
        _write_page(file, layout, page, written - len(page))
    if written != num_samples:
        raise ValueError(f"beton: got {written} samples, expected {num_samples}")
    _write_table(file, layout)
    return layout


def read_beton_header(path: str | Path) -> BetonHeader:
    """Read what a beton of this repository says of itself, without FFCV and without reading pixels.

    Raises
    ------
    ValueError
        If it is no such beton, or not as long as it says.
    """
    file_bytes = Path(path).stat().st_size
    with open(path, "rb") as file:
        header = _record(file, HEADER, path)
        if header["version"] != VERSION:
            raise ValueError(f"{path}: not an FFCV file of version {VERSION}")
        descriptors = [_record(file, DESCRIPTOR, path) for _ in range(header["num_fields"])]
        fields = tuple(descriptor["name"].decode("latin-1") for descriptor in descriptors)
        num_views = len(fields) - len(COLUMNS)
        if num_views < 1 or fields != field_names(num_views):
            raise ValueError(f"{path}: the fields {', '.join(fields)} are not those of this repository")
        first = _record(file, IMAGE, path)
    layout = Layout(
        int(header["num_samples"]), num_views, int(first["height"]), int(first["width"]), int(header["page_size"])
    )
    if not 0 < layout.sample_bytes <= layout.page_bytes or file_bytes != layout.file_bytes:
        raise ValueError(f"{path}: {file_bytes} bytes long, its header does not fit")
    return BetonHeader(
        layout.num_samples, num_views, fields, layout.height, layout.width, layout.page_bytes, file_bytes
    )


def field_names(num_views: int) -> tuple[str, ...]:
    """Return the names of a beton's fields, in its order."""
    return (*(f"view{view}" for view in range(num_views)), *COLUMNS)


def _planned(first: BetonSample, num_samples: int, num_views: int, page_bytes: int | None) -> Layout:
    if first.views.ndim != 4:
        raise ValueError(f"beton: expected views (V, H, W, 3) uint8, got {first.views.shape}")
    _, height, width, _ = first.views.shape
    sample_bytes = num_views * height * width * 3
    if not (0 < height < 1 << 16 and 0 < width < 1 << 16 and sample_bytes <= MAX_PAGE_BYTES):
        raise ValueError(f"beton: FFCV cannot represent {num_views} views of {height} x {width} pixels")
    smallest = max(MIN_PAGE_BYTES, 1 << (sample_bytes - 1).bit_length())
    chosen = smallest if page_bytes is None else page_bytes
    if chosen < smallest or chosen > MAX_PAGE_BYTES or chosen & (chosen - 1):
        raise ValueError(f"beton: a page must be a power of two from {smallest} to {MAX_PAGE_BYTES}, got {chosen}")
    return Layout(num_samples, num_views, height, width, chosen)


def _preamble(layout: Layout) -> bytes:
    names = field_names(layout.num_views)
    header = np.zeros(1, HEADER)
    header[0] = (VERSION, len(names), layout.page_bytes, layout.num_samples, layout.table_start)
    descriptors = np.zeros(len(names), DESCRIPTOR)
    descriptors["name"] = names
    descriptors["type_id"] = [IMAGE_FIELD] * layout.num_views + [INT_FIELD] * len(COLUMNS)
    return header.tobytes() + descriptors.tobytes()


def _pages(samples: Iterator[BetonSample], layout: Layout) -> Iterator[list[BetonSample]]:
    while page := list(islice(samples, layout.samples_per_page)):
        yield page


def _write_page(file: IO[bytes], layout: Layout, page: list[BetonSample], start: int) -> None:
    """Write a page of samples, the first of which has number `start`, and their rows of metadata."""
    content = np.zeros(layout.page_bytes, np.uint8)
    shape = (layout.num_views, layout.height, layout.width, 3)
    pixels = content[: len(page) * layout.sample_bytes].reshape(len(page), *shape)
    for slot, sample in enumerate(page):
        if sample.views.shape != shape or sample.views.dtype != np.uint8:
            got = f"{sample.views.shape} {sample.views.dtype}"
            raise ValueError(f"beton: sample {start + slot} (index {sample.index}): expected {shape} uint8, got {got}")
        pixels[slot] = sample.views
    rows = np.zeros(len(page), layout.metadata)
    pointers = layout.pointers(np.arange(start, start + len(page)))
    for view in range(layout.num_views):
        field = rows[f"f{view}"]
        field["mode"], field["width"], field["height"] = RAW, layout.width, layout.height
        field["data_ptr"] = pointers[:, view]
    for column, name in enumerate(COLUMNS, layout.num_views):
        rows[f"f{column}"] = [getattr(sample, name) for sample in page]
    file.seek(layout.metadata_start + start * rows.itemsize)
    file.write(rows.tobytes())
    file.seek(layout.first_page + start // layout.samples_per_page * layout.page_bytes)
    file.write(content.data)


def _write_table(file: IO[bytes], layout: Layout) -> None:
    file.seek(layout.table_start)
    for start in range(0, layout.num_samples, 1 << 14):
        samples = np.arange(start, min(start + (1 << 14), layout.num_samples))
        table = np.zeros((len(samples), layout.num_views), ALLOCATION)
        table["sample_id"] = samples[:, None]
        table["ptr"] = layout.pointers(samples)
        table["size"] = layout.view_bytes
        file.write(table.tobytes())


def _record(file: IO[bytes], dtype: np.dtype[Any], path: str | Path) -> Any:
    content = file.read(dtype.itemsize)
    if len(content) < dtype.itemsize:
        raise ValueError(f"{path}: too short for an FFCV file")
    return np.frombuffer(content, dtype)[0]


def _rounded_up(size: int, unit: int) -> int:
    return -(-size // unit) * unit
