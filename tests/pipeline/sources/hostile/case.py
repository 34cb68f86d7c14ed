"""A hostile input: how it is made, the job that reads it, and what may come of it.

Nothing of the harness depends on what is attacked: whoever runs a case looks at what is left behind, by `judge`.
"""

import hashlib
import io
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

REFUSED = "refused"
"""The command ended with one line that says why."""
RECORDED = "recorded"
"""The dataset was made, and what could not be read is counted as bad images."""
MADE = "made"
"""The dataset was made of all images."""
SIDE = 8
"""Height and width of the images that the jobs make."""
Color = tuple[int, int, int]
Source = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """One hostile input.

    Attributes
    ----------
    name : unique among all, GROUP/WORDS
    make : writes the input below an empty folder and returns the section `source` of a job
    allowed : which of REFUSED, RECORDED and MADE may come of it
    good, bad : how many images are made and how many recorded, where it is not refused; None where that is open
    colors : key -> the color of an image that is not painted by `paint`; None: it may have any
    says : what the one line, or a bad image's reason, has to say, if anything
    after_plan : done between plan and run, as another program may
    seed : of what is random in it
    pixels : of its largest image, where that is one that is read: it takes 8 bytes of memory for each
    """

    name: str
    make: Callable[[Path, random.Random], Source]
    allowed: frozenset[str]
    good: int | None = None
    bad: int | None = None
    colors: Mapping[str, Color | None] = field(default_factory=dict)
    says: str = ""
    after_plan: Callable[[Path], None] | None = None
    seed: int = 0
    pixels: int = 0

    def build(self, folder: Path) -> dict[str, Any]:
        """Write the input below `folder`, which is made, and return the job that reads it."""
        (folder / "in").mkdir(parents=True)
        source = self.make(folder / "in", random.Random(f"{self.seed} {self.name}"))
        return {
            "kind": "generate",
            "name": "hostile",
            "source": dict(source),
            "image": {"size": SIDE, "fit": "stretch"},
            "views": ["clean"],
            "bad_images": 100,
            "output": {"uri": str(folder / "out"), "encoding": "png"},
            "compute": {"executor": "inline", "backend": "cpu", "max_attempts": 1, "threads": 1},
        }


def refused(name: str, make: Callable[[Path, random.Random], Source], says: str = "", **more: Any) -> Case:
    """Return a case that has to be refused, for a reason that `says` so."""
    return Case(name, make, frozenset({REFUSED}), says=says, **more)


def recorded(name: str, make: Callable[[Path, random.Random], Source], bad: int, good: int, **more: Any) -> Case:
    """Return a case whose bad images have to be recorded, and its good ones made."""
    return Case(name, make, frozenset({RECORDED}), good, bad, **more)


def made(name: str, make: Callable[[Path, random.Random], Source], good: int, **more: Any) -> Case:
    """Return a case that looks hostile and is not: all of it has to be made."""
    return Case(name, make, frozenset({MADE}), good, 0, **more)


def either(name: str, make: Callable[[Path, random.Random], Source], **more: Any) -> Case:
    """Return a case of which anything may come but silence: a wrong pixel or label, a traceback, a crash."""
    return Case(name, make, frozenset({REFUSED, RECORDED, MADE}), **more)


def paint(label: str, key: str) -> Color:
    """Return the color of an image by its class and key: a swapped label or image has another."""
    red, green, blue = hashlib.sha256(f"{label}\0{key}".encode("utf-8", "surrogatepass")).digest()[:3]
    return red, green, blue


def painted(label: str, key: str, form: str = "PNG", side: int = SIDE, **options: Any) -> bytes:
    """Encode an image of the color that `paint` gives."""
    file = io.BytesIO()
    Image.new("RGB", (side, side), paint(label, key)).save(file, form, **options)
    return file.getvalue()


def later(
    made_of: Callable[..., Callable[[Path, random.Random], Source]], *values: Any
) -> Callable[[Path, random.Random], Source]:
    """Return what makes megabytes only when the case is built: ``later(lambda size: tar_of(...), size)``."""
    return lambda root, rng: made_of(*values)(root, rng)


def sparse(path: Path, num_bytes: int, head: bytes = b"", tail: bytes = b"") -> Path:
    """Write a file of holes between a head and a tail."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(num_bytes)
        file.seek(num_bytes - len(tail))
        file.write(tail)
    return path
