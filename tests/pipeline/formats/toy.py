"""A format from outside the package: all samples as one NumPy array with named fields, NAME.npy."""

import numpy as np

from passband.pipeline.errors import IntegrityError
from passband.pipeline.formats.base import Export
from passband.pipeline.formats.packed import PackedReader
from passband.pipeline.loading.descriptors import read_parts

COLUMNS = ("label", "group", "index")
HEADER_BYTES = 4096


def row_of(manifest):
    """Return the type of a row: the columns, then every view under its number."""
    _, height, width = manifest.shape
    views = [(f"view{view.number}", np.dtype(view.dtype), (height, width, 3)) for view in manifest.views]
    return np.dtype([*((name, "<i8") for name in COLUMNS), *views])


def header_of(manifest):
    """Return the header of the file, as `numpy.load` reads it."""
    described = {"descr": row_of(manifest).descr, "fortran_order": False, "shape": (manifest.samples,)}
    text = repr(described).encode().ljust(HEADER_BYTES - 11) + b"\n"
    return b"\x93NUMPY\x01\x00" + (HEADER_BYTES - 10).to_bytes(2, "little") + text


class Toy(Export):
    """The array."""

    name, title, suffix = "toy", "NumPy", ".npy"

    def write(self, file, manifest, samples):
        """Write the header and a row a sample."""
        file.write(header_of(manifest))
        for sample in samples:
            row = np.zeros((), row_of(manifest))
            for name in COLUMNS:
                row[name] = getattr(sample, name)
            for number, pixels in enumerate(sample.views):
                row[f"view{number}"] = pixels
            file.write(row.tobytes())

    def reader(self):
        """Return the class that reads the file."""
        return ToyReader

    def snippets(self, manifest):
        """Return how NumPy reads the file."""
        return {
            "Samples, with NumPy alone": f'import numpy as np\n\nsamples = np.load("{self.file_name(manifest.name)}")'
        }


class ToyReader(PackedReader):
    """Reads rows of the array."""

    def columns(self):
        """Compare the header and read the columns."""
        self._row = row_of(self.manifest)
        if self.content(0, HEADER_BYTES) != header_of(self.manifest):
            raise IntegrityError(f"{self.where}: is not of the samples that the manifest lists")
        rows = self.content(HEADER_BYTES, HEADER_BYTES + self.manifest.samples * self._row.itemsize)
        table = np.frombuffer(rows, self._row)
        return tuple(table[name].astype(np.int64) for name in COLUMNS)

    def spans(self, rows):
        """Return where rows begin and end."""
        starts = HEADER_BYTES + rows * self._row.itemsize
        return starts, starts + self._row.itemsize

    def read(self, number, rows, out):
        """Read whole rows, and copy the views that are asked for."""
        content = [bytearray(self._row.itemsize) for _ in rows]
        found = sum(
            read_parts(number, [memoryview(part)], start)
            for part, start in zip(content, self.spans(rows)[0].tolist(), strict=True)
        )
        for place, part in enumerate(content):
            row = np.frombuffer(part, self._row)[0]
            for name, pixels in out.items():
                pixels[place] = row[f"view{self.numbers[name]}"]
        return found == len(rows) * self._row.itemsize
