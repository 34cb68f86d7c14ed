"""What the bytes of a dataset depend on beside its job: backend, code generation and versions of libraries."""

import importlib.metadata
import platform
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from PIL import features

from passband.jobs.dataset.blueprint import Blueprint
from passband.jobs.dataset.spec import GenerateJob
from passband.jobs.executors.choice import choose
from passband.jobs.executors.kind import Choice
from passband.pipeline.augment import AUGMENTATIONS
from passband.pipeline.errors import PassbandError
from passband.pipeline.images import DECODING
from passband.pipeline.sources import SOURCES

_BYTE_PATH = ("numpy", "scipy", "numba", "pillow", "pyarrow")
_DECODERS = {"libjpeg-turbo": "libjpeg_turbo", "libwebp": "webp"}
"""Libraries inside Pillow, whose builds differ in them: they decide what a lossy source image decodes to."""


def current_environment(job: GenerateJob) -> dict[str, str]:
    """Return backend, code-generation baseline and versions of the libraries that the job's bytes depend on."""
    from passband import kernels
    from passband.kernels.cuda.device import current
    from passband.pipeline.encodings.codec import ENCODINGS

    backend = chosen_backend(job.compute.backend)
    stages = {name: AUGMENTATIONS[name] for _, recipe in job.recipes() for name, _ in recipe}
    versions = {name: importlib.metadata.version(name) for name in _BYTE_PATH}
    found = {
        "backend": backend,
        **kernels.backend(backend).environment(),
        "machine": platform.machine(),
        **versions,
        **{library: str(features.version(name)) for library, name in _DECODERS.items()},
        **ENCODINGS[job.output.encoding].libraries(),
    }
    if any(SOURCES[entry.kind].decodes_files for entry in job.source):
        found["decoding"] = str(DECODING)
    for stage in stages.values():
        found |= stage.libraries()
    if any(stage.environment_bound for stage in stages.values()):
        found["processor"] = processor()  # LAPACK and torch choose their code by the processor
        if backend == "cuda":
            found["device"] = current().name  # as cuSOLVER and cuDNN do by the device
    return dict(sorted(found.items()))


def chosen_backend(asked: str) -> str:
    """Return "cpu" or "cuda" for what a job asks.

    Raises
    ------
    PassbandError
        If it asks for cuda, and there is no device; the message says what is missing.
    """
    from passband.kernels.cuda.device import DeviceError, current

    if asked == "cpu":
        return "cpu"
    try:
        current()
    except DeviceError as error:
        if asked == "auto":
            return "cpu"
        raise PassbandError(str(error)) from error
    return "cuda"


def count_gpus(backend: str) -> int:
    """Return how many GPUs this machine has, where `backend` runs on them; else 0."""
    from passband.kernels.cuda.device import current

    return current().count if backend == "cuda" else 0


def choose_executor(job: GenerateJob) -> Choice:
    """Return how the shards of a job are made on this machine."""
    compute = job.compute
    num_gpus = count_gpus(chosen_backend(compute.backend))
    return choose(compute.executor, compute.workers, compute.address, num_gpus, compute.threads)


@lru_cache(maxsize=1)
def processor() -> str:
    """Return the model name of this machine's processor."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def refuse_other_environment(blueprint: Blueprint, uri: str, job: GenerateJob | None = None) -> None:
    """Raise PassbandError, naming what differs, unless this process would make the dataset's very bytes.

    Parameters
    ----------
    job : as it is asked for now; by default as it was begun
    """
    refuse_mixing(blueprint.environment, current_environment(job or blueprint.job), uri, "shards")


def refuse_mixing(there: Mapping[str, str], here: Mapping[str, str], uri: str, parts: str) -> None:
    """Raise PassbandError, naming what differs, unless two environments are one; `parts` is what is made in them."""
    differing = [
        f"{key} {there.get(key, 'absent')} (here {here.get(key, 'absent')})"
        for key in sorted(there.keys() | here.keys())
        if there.get(key) != here.get(key)
    ]
    if differing:
        raise PassbandError(
            f"{uri}: was begun with {', '.join(differing)}; {parts} of two environments may differ in a last bit and "
            "are never mixed: resume in the first one, or choose another output"
        )
