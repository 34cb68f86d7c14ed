"""The hashes of a packed file, as a whole and block by block, and the file held against them."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from passband.pipeline.checking import Problem, check_file
from passband.pipeline.records import PackedFile
from passband.pipeline.store import Store

BLOCK_BYTES = 64 << 20
_CHUNK = 1 << 20


def hash_blocks(path: str | Path, name: str, block_bytes: int = BLOCK_BYTES) -> PackedFile:
    """Hash a file as a whole and by blocks, of which the last may be shorter."""
    with open(path, "rb") as file:
        whole, blocks = _hashes(file, block_bytes)
        return PackedFile(name=name, bytes=file.tell(), sha256=whole, block_bytes=block_bytes, blocks=blocks)


def check_blocks(store: Store, expected: PackedFile) -> Iterator[Problem]:
    """Yield a problem if a packed file is absent or not as recorded: as a whole, or in the hash of a block.

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
