"""Code that reads a dataset without Passband, as a card shows it; the tests run it."""

from jobs.report.wording import plain
from pipeline.manifest import Manifest, ViewEntry, shard_name


def webdataset_snippet(manifest: Manifest) -> str:
    """Return a loop over the samples with plain ``webdataset``."""
    last = max(0, len(manifest.shards) - 1)
    first = shard_name(manifest.name, 0)
    shards = first.removesuffix("000000.tar") + f"{{000000..{last:06d}}}.tar"
    views = [manifest.views[0], *manifest.views[1:3]]
    lines = [
        "import webdataset",
        "",
        f'shards = "{shards}"',
        'dataset = webdataset.WebDataset(shards, shardshuffle=False).decode("rgb8")',
        "for sample in dataset:",
        *(f"    {_variable(view)} = {_member(manifest, view)}  # {_layout(manifest, view)}" for view in views),
        '    label, group = sample["json"]["label"], sample["json"]["group"]',
    ]
    return "\n".join(lines)


def ffcv_snippet(manifest: Manifest) -> str | None:
    """Return a loop over batches with plain ``ffcv``; None if there is no such file."""
    if manifest.beton is None:
        return None
    views = [f"view{view.number}" for view in manifest.views]
    unpacked = ", ".join(views if len(views) <= 4 else [views[0], views[1], "*more_views"])
    return "\n".join(
        [
            "from ffcv.loader import Loader, OrderOption",
            "",
            f'loader = Loader("{manifest.beton.name}", batch_size=64, num_workers=2, order=OrderOption.SEQUENTIAL)',
            f"for {unpacked}, label, group, index in loader:",
            "    print(view0.shape, label.shape)  # view0 is the clean image",
            "    break",
        ]
    )


def provenance_snippet(manifest: Manifest) -> str:
    """Return how to load where every sample comes from and what was drawn for it."""
    return "\n".join(
        [
            "from pathlib import Path",
            "",
            "import pyarrow as pa",
            "import pyarrow.parquet as pq",
            "",
            'files = sorted(Path("records").glob("*.parquet"))',
            "provenance = pa.concat_tables([pq.read_table(file) for file in files])",
            "print(provenance.schema)  # key, label, group, source hash, what each stage drew, where each view lies",
            'print(provenance.group_by("label").aggregate([("key", "count")]))',
        ]
    )


def _variable(view: ViewEntry) -> str:
    return "clean" if view.number == 0 else f"view{view.number}"


def _member(manifest: Manifest, view: ViewEntry) -> str:
    if view.field != "views.npy":
        return f'sample["{view.field}"]'
    stacked = [other.number for other in manifest.views if other.field == "views.npy"]
    return f'sample["views.npy"][{stacked.index(view.number)}]'


def _layout(manifest: Manifest, view: ViewEntry) -> str:
    _, height, width = manifest.shape
    return f"{plain(view.name)}: ({height}, {width}, 3) {view.dtype}"
