"""What the files of an output are called, each once; some follow from a number, the dataset's name, or a view's."""

JOB = "job.yaml"
MANIFEST = "manifest.json"
MANIFEST_SHA256 = "manifest.sha256"
PLAN = "plan.parquet"
FAILURES = "failures.json"
"""What failed in the last run of a dataset, for ``status``."""
README = "README.md"
REPORT = "report.html"
TIMM_INFO = "_info.json"
INPUTS = "inputs"
"""Folder of what stages of a dataset read beside its images."""
RESULTS = "results.json"
"""Written last by every kind of job but a dataset, so its presence means that the job is done."""
MODEL = "model.pt"
"""The trained network in a training's folder."""
LAST_CHECKPOINT = "checkpoint.pt"
KEPT = "kept"
"""Folder of what a training keeps of some of its steps."""
SHA256_SUFFIX = ".sha256"
"""What the file beside weights is called after, which holds their hash."""
METRICS = "metrics.jsonl"
EVENTS = "tensorboard"
NON_FINITE = "nonfinite.json"
PREDICTIONS = "predictions"
"""Folder of what an evaluation's networks predicted."""
BLOCKS = "blocks"
"""Folder of the parts of an analysis."""
MAPS = "maps.npz"
"""The maps of an analysis; the arrays in it are called as the maps are."""
ARRAYS = "arrays.npz"
"""What another analysis than one of maps found, image by image."""
FIGURE = "figure-"
"""What its pictures are called after."""
MAP_NAMES = ("original", "enhanced", "amplitude")
"""The pictures of maps are called NAME.png."""
IMAGES = f"{BLOCKS}/images.npz"
SURROGATE = f"{BLOCKS}/{MODEL}"
"""An analysis' images, and its surrogate's checkpoint, for workers that cannot see their place; gone at the end."""
LOCK = ".lock"

MEMBERS = ("names", "numbers")
"""What the members of a sample may be called after."""


def record_name(shard: int) -> str:
    """Return the name of a shard's record below the output."""
    return f"records/{shard:06d}.json"


def provenance_name(shard: int) -> str:
    """Return the name of a shard's per-sample provenance below the output."""
    return f"records/{shard:06d}.parquet"


def shard_name(dataset: str, shard: int) -> str:
    """Return the name of a shard below the output."""
    return f"shards/{dataset}-{shard:06d}.tar"


def packed_name(dataset: str, suffix: str) -> str:
    """Return the name below the output of the file into which a format packs all samples."""
    return f"{dataset}{suffix}"


def kept_name(step: int, what: str) -> str:
    """Return the name below a training's output of what is kept of a step: ``model``, ``average`` or ``objective``."""
    return f"{KEPT}/{step:06d}-{what}.pt"


def view_field(number: int, name: str, dtype: str, encoding: str, members: str) -> str:
    """Return the field of a view's member in the shards: what follows the sample's number and a dot.

    Parameters
    ----------
    members : "names" or "numbers"
        Whether members are called after the view's name or its number; view 0 is ``clean`` in both.
    """
    suffix = {"jpeg": "jpg"}.get(encoding, encoding)
    own = "clean" if number == 0 else name if members == "names" else f"view{number}"
    if dtype == "float16":
        return f"{own}.npy"
    return "views.npy" if suffix == "npy" else f"{own}.{suffix}"
