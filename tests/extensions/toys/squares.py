"""A source: squares of one gray level, dark and light, as PPM files that are made when they are read."""

from pydantic import Field

from passband.pipeline.sources import Entry, Source, SourceOptions

SIDE = 8


class SquaresOptions(SourceOptions):
    """How many squares there are."""

    count: int = Field(20, ge=2, le=256, description="of squares, from black on")


class Squares(Source):
    """Squares whose gray level is their number, in two classes: dark and light."""

    kind = "squares"
    decodes_files = True
    Options = SquaresOptions

    @property
    def classes(self):
        """Dark and light."""
        return "dark", "light"

    def entries(self):
        """List the squares by their level."""
        for level in range(self.options.count):
            yield Entry(f"squares/{level:03d}", int(level >= self.options.count / 2), level)

    def read(self, entries):
        """Return the PPM file of each."""
        return [b"P6 %d %d 255\n" % (SIDE, SIDE) + bytes([entry.offset]) * (3 * SIDE * SIDE) for entry in entries]
