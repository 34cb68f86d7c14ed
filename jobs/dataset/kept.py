"""Images that were read when a dataset was planned, kept for whoever makes the shards in the same process."""

import threading

_ENTRY_BYTES = 400  # of a key and its place, beside the content
_LARGEST = 16 << 20  # bytes of an image: a few larger ones would take all the room, and memory that decoding needs


class Kept:
    """Encoded images by source and key, up to a number of bytes; each is given out once.

    Their hashes are compared when they are used, as those of any image. Another process gets none: what a task carries
    there is empty, and the source is read.

    Parameters
    ----------
    most_bytes : what is kept at most; the images that come first are
    """

    def __init__(self, most_bytes: int = 0) -> None:
        self._left = most_bytes
        self._contents: dict[tuple[int, str], bytes] = {}
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type["Kept"], tuple[()]]:
        return Kept, ()

    def add(self, source: int, key: str, content: bytes) -> None:
        """Keep an image if it still fits; after one that does not, no further one is kept, and a huge one never."""
        if len(content) > _LARGEST:
            return
        with self._lock:
            self._left -= len(content) + _ENTRY_BYTES
            if self._left >= 0:
                self._contents[source, key] = content

    def look(self, source: int, key: str) -> bytes | None:
        """Return an image, and keep it."""
        return self._contents.get((source, key))

    def take(self, source: int, key: str) -> bytes | None:
        """Return an image if it is here, and let it go."""
        with self._lock:
            return self._contents.pop((source, key), None)

    def clear(self) -> None:
        """Let all go."""
        with self._lock:
            self._contents.clear()
