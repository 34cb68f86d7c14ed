"""FFCV's file format, version 2 (Leclerc et al. 2023): all samples in one file, NAME.beton.

FFCV's own `DatasetWriter` hangs when a worker fails, and its bytes depend on how many workers there are. Here the
bytes are a function of the samples alone. All images of a file have one size, so that every place follows from the
sample's number::

    header            24 bytes: version, number of fields, page size, number of samples, where the table is
    field descriptors 1041 bytes each: type, name of at most 16 bytes, arguments (all zero for these fields)
    metadata          a row a sample: (mode, width, height, where) of each view, then label, group, index
    -- zeros up to a page --
    pages             whole samples, view after view, rows first, uncompressed RGB; zeros up to the next page
    table             24 bytes a view: number of the sample, where its pixels are, how many bytes

Pages are counted from the start of the file. Everything is little-endian. FFCV is needed neither to write it nor to
read it (importing it takes seconds); the tests hold the layout (`beton`) to FFCV's own types, fields and writer.
"""

from collections.abc import Iterable
from typing import IO, TYPE_CHECKING

from passband.pipeline.formats.base import Export
from passband.pipeline.records import Manifest, PackedFile

if TYPE_CHECKING:
    from passband.pipeline.formats.packed import PackedReader
    from passband.pipeline.formats.sample import Sample


class Ffcv(Export):
    """The FFCV file, which has a key of its own in the manifest: it is older than the one for all exports."""

    name, title, suffix = "ffcv", "FFCV", ".beton"
    article = "an"
    dtypes = ("uint8",)

    @property
    def key(self) -> str:
        """Where the manifest lists it."""
        return "beton"

    def listed(self, manifest: Manifest) -> PackedFile | None:
        """Return what the manifest says of the file; None where it lists none."""
        return manifest.beton

    def entered(self, manifest: Manifest, file: PackedFile) -> Manifest:
        """Return the manifest with the file in it."""
        return manifest.model_copy(update={"beton": file})

    def unfit(self, manifest: Manifest) -> str | None:
        """Say why the file cannot hold the dataset; None where it can."""
        floats = [view.name for view in manifest.views if view.dtype not in self.dtypes]
        if floats:
            return f"views {', '.join(floats)} are float16, which FFCV's image field cannot hold"
        return None if manifest.samples else "has no samples, and FFCV cannot represent an empty file"

    def write(self, file: IO[bytes], manifest: Manifest, samples: Iterable["Sample"]) -> None:
        """Write uncompressed images; a page of samples is held at a time."""
        import numpy as np

        from passband.pipeline.formats.ffcv.beton import BetonSample, fill_beton

        stacked = (BetonSample(np.stack(one.views), one.label, one.group, one.index) for one in samples)
        fill_beton(file, stacked, manifest.samples, len(manifest.views))

    def reader(self) -> type["PackedReader"]:
        """Return the class that reads the file."""
        from passband.pipeline.formats.ffcv.reader import BetonReader

        return BetonReader

    def snippets(self, manifest: Manifest) -> dict[str, str]:
        """Return a loop over batches with plain ``ffcv``; nothing where the manifest lists no file."""
        if manifest.beton is None:
            return {}
        views = [f"view{view.number}" for view in manifest.views]
        unpacked = ", ".join(views if len(views) <= 4 else [views[0], views[1], "*more_views"])
        lines = [
            "from ffcv.loader import Loader, OrderOption",
            "",
            f'loader = Loader("{manifest.beton.name}", batch_size=64, num_workers=2, order=OrderOption.SEQUENTIAL)',
            f"for {unpacked}, label, group, index in loader:",
            "    print(view0.shape, label.shape)  # view0 is the clean image",
            "    break",
        ]
        return {"Batches, with ffcv alone": "\n".join(lines)}
