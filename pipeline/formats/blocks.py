"""An FFCV file held against what the manifest says of it, as a whole and block by block."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import IO

from passband.pipeline.checking import Problem, check_file
from passband.pipeline.records import BetonFile
from passband.pipeline.store import Store

_CHUNK = 1 << 20


def check_beton(store: Store, expected: BetonFile) -> Iterator[Problem]:
    """Yield a problem if a beton is absent or not as recorded: as a whole, or in the hash of a block.

    The file's own hash does not vouch for those of the blocks, which are what a reader compares.
    """
    missing = list(check_file(store, expected, None, hashes=False))
    yield from missing
    if missing:
        return
    where = f"{store.uri}/{expected.name}"
    with store.open(expected.name) as file:
        whole, blocks = _hashes(file, expected.block_bytes)
    differing = [number for number, pair in enumerate(zip(blocks, expected.blocks, strict=True)) if pair[0] != pair[1]]
    if whole != expected.sha256:
        yield Problem(None, expected.name, f"{where}: sha256 is {whole}, the manifest says {expected.sha256}")
    elif differing:
        found, listed = blocks[differing[0]], expected.blocks[differing[0]]
        message = f"{where}: block {differing[0]}: sha256 is {found}, the manifest says {listed}"
        yield Problem(None, expected.name, message)


def _hashes(file: IO[bytes], block_bytes: int) -> tuple[str, list[str]]:
    """Return the sha256 of a file and of each of its blocks; both are worked out side by side."""
    whole, blocks, left = hashlib.sha256(), [], 0
    with ThreadPoolExecutor(1) as pool:
        while chunk := file.read(min(_CHUNK, left or block_bytes)):
            if not left:
                blocks.append(hashlib.sha256())
                left = block_bytes
            hashed = pool.submit(whole.update, chunk)
            blocks[-1].update(chunk)
            hashed.result()
            left -= len(chunk)
    return whole.hexdigest(), [block.hexdigest() for block in blocks]
