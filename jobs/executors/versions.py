"""What runs here: versions of Python, Passband and the libraries that results depend on. Nothing is imported for it."""

import hashlib
import importlib.metadata
import platform
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

LIBRARIES = ("ray", "numpy", "scipy", "numba", "pillow", "pyarrow", "torch", "torchvision")
_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ("kernels", "pipeline", "jobs")
_SOURCES = (".py", ".cu", ".cuh")


def current_versions() -> dict[str, str]:
    """Return library -> version; ``passband`` has the digest of its source with it."""
    versions = {name: _version(name) for name in LIBRARIES}
    passband = f"{_version('passband')}+{source_digest()[:12]}"
    return {"python": platform.python_version(), "passband": passband, **versions}


def differences(
    there: Mapping[str, str], other: Mapping[str, str], whose: str, names: Iterable[str] | None = None
) -> list[str]:
    """Return "numpy 2.3.1 (the driver 2.4.0)" for each library whose versions are two.

    Parameters
    ----------
    whose : who has the versions in `other`: "the driver"
    names : libraries that matter; all by default
    """
    return [
        f"{name} {there.get(name, 'absent')} ({whose} {other.get(name, 'absent')})"
        for name in names or sorted(there.keys() | other.keys())
        if there.get(name) != other.get(name)
    ]


@lru_cache(maxsize=1)
def source_digest() -> str:
    """Return the sha256 of Passband's own source as it lies there when it is first asked for."""
    whole = hashlib.sha256()
    for path in sorted(path for package in _PACKAGES for path in (_ROOT / package).rglob("*")):
        if path.suffix in _SOURCES:
            whole.update(f"{path.relative_to(_ROOT).as_posix()}\0".encode())
            whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
