"""A beton at a path of its own, for the tests of its bytes."""

from pathlib import Path

from passband.pipeline.formats.blocks import hash_blocks
from passband.pipeline.formats.ffcv.beton import fill_beton
from passband.pipeline.store import attempt_id, open_output, open_store


def write_beton(destination, samples, num_samples, num_views, page_bytes=None):
    """Write it as `Export.pack` does, and return what a manifest would say of it."""
    path = Path(destination)
    with open_store(path.parent).staged(path.name, attempt_id()) as temporary:
        with open_output(temporary) as file:
            fill_beton(file, samples, num_samples, num_views, page_bytes)
        return hash_blocks(temporary, path.name)
