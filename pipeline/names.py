"""What the files of a dataset are called: every name follows from a number, the dataset's name, or a view's."""

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


def beton_name(dataset: str) -> str:
    """Return the name of the FFCV file below the output."""
    return f"{dataset}.beton"


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
