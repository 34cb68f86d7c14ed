"""Code that reads a dataset, with Passband and without, as a card shows it; the tests run it."""

import builtins
import keyword
from collections.abc import Sequence

from passband.jobs.common.wording import plain
from passband.pipeline.layout import shard_name
from passband.pipeline.records import Manifest, ViewEntry


def webdataset_snippet(manifest: Manifest) -> str:
    """Return a loop over the samples with plain ``webdataset``."""
    last = max(0, len(manifest.shards) - 1)
    first = shard_name(manifest.name, 0)
    shards = first.removesuffix("000000.tar") + f"{{000000..{last:06d}}}.tar"
    shown = [manifest.views[0], *manifest.views[1:3]]
    lines = [
        "import webdataset",
        "",
        f'shards = "{shards}"',
        'dataset = webdataset.WebDataset(shards, shardshuffle=False).decode("rgb8")',
        "for sample in dataset:",
        *(f"    {name} = {_member(manifest, view)}  # {_layout(manifest, view)}" for name, view in _variables(shown)),
        '    label, group = sample["json"]["label"], sample["json"]["group"]',
    ]
    return "\n".join(lines)


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


def stream_snippet(manifest: Manifest) -> str:
    """Return a loop over batches, with Passband."""
    name = manifest.views[-1].name
    return "\n".join(
        [
            "from passband import open_stream",
            "",
            'with open_stream(".", batch_size=64, shuffle=True, seed=0) as stream:',
            "    for batch in stream:",
            f'        images, labels = batch.images["{name}"], batch.labels',
            "        print(images.shape, images.dtype, labels.shape)",
        ]
    )


def training_snippet(manifest: Manifest) -> str:
    """Return a step of a training in several processes, with Passband and torch."""
    inputs = manifest.shape[0] * manifest.shape[1] * manifest.shape[2]
    network = f"torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear({inputs}, {len(manifest.classes)}))"
    return "\n".join(
        [
            "# torchrun --standalone --nproc-per-node=2 THIS_FILE.py",
            "import torch",
            "",
            "from passband import open_stream",
            "",
            'torch.distributed.init_process_group("gloo")',
            f"network = torch.nn.parallel.DistributedDataParallel({network})",
            'for batch in open_stream(".", batch_size=16):  # each process is served its own part of every epoch',
            f'    images = batch.images["{manifest.views[-1].name}"].float()',
            "    torch.nn.functional.cross_entropy(network(images), batch.labels).backward()",
        ]
    )


def datasets_snippet(manifest: Manifest) -> str:
    """Return how to load the samples with Hugging Face ``datasets``."""
    first = manifest.views[0]
    shown = [f'sample["{first.field}"]', 'sample["json"]["label"]']
    return "\n".join(
        [
            "import os",
            "",
            "from datasets import load_dataset",
            "",
            'dataset = load_dataset(os.getcwd(), split="train")  # a folder is one split, whichever it was made from',
            "sample = dataset[0]",
            f"print(dataset.num_rows, {', '.join(shown)})",
        ]
    )


def timm_snippet(manifest: Manifest) -> str | None:
    """Return how to open one view with ``timm``; None where views are no images of their own."""
    images = [view for view in manifest.views if not view.field.endswith(".npy")]
    if not images or not manifest.shards:
        return None
    return "\n".join(
        [
            "from timm.data import create_dataset",
            "",
            f'view = "{images[-1].field};jpg"  # a member of the samples; jpg is what timm calls it once it is decoded',
            f'dataset = create_dataset("wds/{manifest.name}", root=".", split="train", input_key=view)',
            "for image, label in dataset:",
            "    print(image.size, label)",
            "    break",
        ]
    )


_TAKEN = {"webdataset", "shards", "dataset", "sample", "label", "group", *dir(builtins)}


def _variables(views: Sequence[ViewEntry]) -> list[tuple[str, ViewEntry]]:
    """Return each view with a variable for it: its name, where that can be one and is no other's."""
    named: dict[str, ViewEntry] = {}
    for view in views:
        name = view.name.replace("-", "_")
        taken = not name.isidentifier() or keyword.iskeyword(name) or name in _TAKEN or name in named
        named[f"view{view.number}" if taken else name] = view
    return list(named.items())


def _member(manifest: Manifest, view: ViewEntry) -> str:
    if view.field != "views.npy":
        return f'sample["{view.field}"]'
    stacked = [other.number for other in manifest.views if other.field == "views.npy"]
    return f'sample["views.npy"][{stacked.index(view.number)}]'


def _layout(manifest: Manifest, view: ViewEntry) -> str:
    _, height, width = manifest.shape
    return f"{plain(view.name)}: ({height}, {width}, 3) {view.dtype}"
