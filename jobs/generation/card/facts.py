"""All that a card says in words and numbers, ready for its templates; pixels are not looked at."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import PurePosixPath

import yaml

from passband.jobs.common import wording
from passband.jobs.dataset.blueprint import Blueprint
from passband.jobs.generation.card import snippets
from passband.jobs.generation.card.bars import Bars, class_bars, group_bars
from passband.jobs.generation.throughput import Throughput, add_up
from passband.pipeline.augment import AUGMENTATIONS
from passband.pipeline.formats import exports
from passband.pipeline.layout import JOB
from passband.pipeline.manifest import read_record
from passband.pipeline.records import BadSample, Manifest, ShardRecord, StoredInput, ViewEntry
from passband.pipeline.store import Store, open_store

MAX_BAD = 200
MAX_JOB = 40_000
"""Letters of a job that a card shows."""


@dataclass(frozen=True)
class Recipe:
    """A run of views that were made alike."""

    numbers: str
    names: str
    stored: str
    words: str


@dataclass(frozen=True)
class Snippet:
    """Code that reads the dataset."""

    title: str
    code: str


@dataclass(frozen=True)
class Facts:
    """What the templates print."""

    name: str
    lede: str
    numbers: list[tuple[str, str]]
    recipes: list[Recipe]
    classes: Bars
    groups: Bars
    group_kind: str
    bad: list[BadSample]
    more_bad: int
    throughput: Throughput
    speed: str
    making: list[tuple[str, str]]
    job_yaml: str
    reproduce: str
    snippets: list[Snippet]
    size_category: str


def gather(store: Store, blueprint: Blueprint, manifest: Manifest, records: Iterable[ShardRecord] | None) -> Facts:
    """Read the records and put everything into words."""
    if records is None:
        records = (read_record(store, shard.shard, shard.record) for shard in manifest.shards)
    throughput = add_up(records)
    kind = group_kind(blueprint)
    return Facts(
        name=manifest.name,
        lede=_lede(blueprint, manifest),
        numbers=_numbers(blueprint, manifest, throughput),
        recipes=recipes(blueprint, manifest),
        classes=class_bars(manifest.classes, manifest.class_counts),
        groups=group_bars(manifest, kind),
        group_kind=kind,
        bad=manifest.bad[:MAX_BAD],
        more_bad=max(0, len(manifest.bad) - MAX_BAD),
        throughput=throughput,
        speed=_speed(throughput, len(manifest.views)),
        making=_making(blueprint, manifest, throughput),
        job_yaml=_job_yaml(blueprint),
        reproduce=_reproduce(store, blueprint),
        snippets=_snippets(manifest),
        size_category=_size_category(manifest.samples),
    )


def _job_yaml(blueprint: Blueprint) -> str:
    """Return the job as YAML; of a very long one, of thousands of views or classes, the beginning."""
    spelled = yaml.safe_dump(blueprint.job.resolved(), sort_keys=False, allow_unicode=True)
    if len(spelled) <= MAX_JOB:
        return str(spelled)
    shown = spelled[:MAX_JOB].rpartition("\n")[0]
    return f"{shown}\n# and {spelled.count(chr(10)) - shown.count(chr(10)) - 1:,} more lines, in {JOB}\n"


def group_kind(blueprint: Blueprint) -> str:
    """Say what a group of this dataset is: "domain", "severity", or "group" where it is neither alone."""
    job = blueprint.job
    if job.group == "auto":
        corrupted = any(AUGMENTATIONS[name].sets_severity for name, _ in job.base_recipe())
        return "severity" if corrupted else "domain" if blueprint.domains else "group"
    return job.group if job.group in ("domain", "severity") else "group"


def _image(manifest: Manifest) -> str:
    _, height, width = manifest.shape
    return f"{height} \u00d7 {width}"


def _lede(blueprint: Blueprint, manifest: Manifest) -> str:
    sources = " and ".join(wording.source(entry.model_dump()) for entry in blueprint.job.source)
    more = len(manifest.views) - 1
    stored = {0: "as the clean image alone", 1: "as two aligned views, the clean image and an augmented one"}.get(
        more, f"as {more + 1} aligned views, the clean image and {more} augmented ones"
    )
    return (
        f"{wording.count(manifest.samples, 'labelled image')} of {sources}, each stored {stored}, "
        f"in {_image(manifest)} pixels."
    )


def _numbers(blueprint: Blueprint, manifest: Manifest, throughput: Throughput) -> list[tuple[str, str]]:
    shards = sum(shard.tar.bytes for shard in manifest.shards)
    records = sum(shard.provenance.bytes + shard.record.bytes for shard in manifest.shards)
    packed = [(form, file.bytes) for form in exports() for file in form.files(manifest)]
    numbers = [
        ("samples", f"{manifest.samples:,}"),
        ("views each", f"{len(manifest.views):,}"),
        ("classes", f"{len(manifest.classes):,}"),
        ("pixels", f"{_image(manifest)} \u00d7 {manifest.shape[0]}"),
        ("encoding", encoding(blueprint)),
        (wording.count(len(manifest.shards), "shard").partition(" ")[2] + ", WebDataset", _shards(manifest, shards)),
    ]
    numbers += [(f"{form.title} file", wording.size(num_bytes)) for form, num_bytes in packed]
    numbers.append(("on disk", wording.size(shards + records + sum(num_bytes for _, num_bytes in packed))))
    return numbers


def _shards(manifest: Manifest, num_bytes: int) -> str:
    return f"{len(manifest.shards):,} ({wording.size(num_bytes)})"


def encoding(blueprint: Blueprint) -> str:
    """Return how the views are stored, in words."""
    output = blueprint.job.output
    known = {"png": "PNG", "webp": "WebP, lossless", "npy": "NumPy", "jpeg": f"JPEG, quality {output.quality}"}
    return known[output.encoding]


def recipes(blueprint: Blueprint, manifest: Manifest) -> list[Recipe]:
    """Return what each view is; neighbours that were made alike are told of together."""
    fits = {"crop": "shorter side to size, centre cropped", "stretch": "stretched", "pad": "padded"}
    base = [{"stage": name, **options.model_dump()} for name, options in blueprint.job.base_recipe()]
    native = blueprint.job.image.size == "native"
    clean = "the source image" + ("" if native else f", {fits[blueprint.job.image.fit]}")
    clean += f"; then {wording.recipe(base)}" if base else ""
    return [
        _recipe(list(run), clean) for _, run in groupby(manifest.views, key=lambda view: (view.number > 0, view.recipe))
    ]


def _recipe(run: Sequence[ViewEntry], clean: str) -> Recipe:
    first, last = run[0], run[-1]
    words = wording.recipe(first.recipe) if first.recipe else clean
    return Recipe(
        numbers=str(first.number) if len(run) == 1 else f"{first.number}\u2013{last.number}",
        names=_ends([view.name for view in run]),
        stored=f"{_ends(list(dict.fromkeys(view.field for view in run)))}, {first.dtype}",
        words=words if len(run) == 1 else f"{words}; {len(run)} copies",
    )


def _ends(names: list[str]) -> str:
    return ", ".join(names) if len(names) < 3 else f"{names[0]} \u2026 {names[-1]}"


def _speed(throughput: Throughput, num_views: int) -> str:
    samples_per_s, parallel = throughput.samples_per_s, throughput.parallel
    if samples_per_s is None or parallel is None:
        return "The records hold no time."
    workers = wording.count(throughput.workers, "worker")
    hosts = f" on {wording.count(throughput.hosts, 'machine')}" if throughput.hosts > 1 else ""
    return (
        f"{wording.duration(throughput.wall_s)} of wall time with {workers}{hosts}: "
        f"{wording.significant(samples_per_s)} samples/s, {wording.significant(samples_per_s * num_views)} views/s. "
        f"On average {parallel:.1f} shards were being built at a time. "
        "Estimated from when each shard was begun and finished; start-up and pauses between runs are left out."
    )


def _making(blueprint: Blueprint, manifest: Manifest, throughput: Throughput) -> list[tuple[str, str]]:
    processors = "; ".join(
        f"{name} ({wording.count(shards, 'shard')})" for name, shards in throughput.processors.items()
    )
    finished = datetime.fromtimestamp(throughput.finished, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return [
        ("identity", manifest.identity),
        ("seed", str(blueprint.job.seed)),
        ("source fingerprint", blueprint.fingerprint),
        *(("warning when planned", wording.plain(text)) for text in blueprint.warnings),
        ("environment", ", ".join(f"{name} {version}" for name, version in sorted(manifest.environment.items()))),
        *((f"reads {_input(entry)}", f"{entry.name}, sha256 {entry.sha256}") for entry in manifest.inputs),
        ("processors", processors or "unknown"),
        ("workers", f"{throughput.workers:,}"),
        ("shards built at a second or later try", f"{throughput.retried:,}"),
        ("finished", finished if throughput.finished else "unknown"),
    ]


def _input(entry: StoredInput) -> str:
    """Name what stages read as the job does, without the folders above it."""
    return PurePosixPath(entry.reference).name if entry.reference.startswith("/") else entry.reference


def _reproduce(store: Store, blueprint: Blueprint) -> str:
    given = blueprint.job.output.uri
    if "://" in store.uri:
        job = "job.yaml"  # downloaded first; the card says so
    elif "://" not in given and open_store(given).uri == store.uri:
        job = f"{given.rstrip('/')}/job.yaml"  # as the user wrote it, relative paths of sources included
    else:
        job = f"{store.uri}/job.yaml"
    return wording.command("passband", "run", job, "--output", "NEW_FOLDER")


def _snippets(manifest: Manifest) -> list[Snippet]:
    plain = {
        "Batches, with Passband": snippets.stream_snippet(manifest),
        "A training in several processes, with Passband": snippets.training_snippet(manifest),
        "Samples, with webdataset alone": snippets.webdataset_snippet(manifest),
        "Samples, with datasets alone": snippets.datasets_snippet(manifest),
        "Samples, with timm alone": snippets.timm_snippet(manifest),
    }
    for form in exports():
        plain |= form.snippets(manifest)
    shown = plain if manifest.samples else {}
    always = {"Provenance of every sample, with pyarrow alone": snippets.provenance_snippet(manifest)}
    return [Snippet(title, code) for title, code in {**shown, **always}.items() if code is not None]


def _size_category(samples: int) -> str:
    steps = [
        (10**3, "1K"),
        (10**4, "10K"),
        (10**5, "100K"),
        (10**6, "1M"),
        (10**7, "10M"),
        (10**8, "100M"),
        (10**9, "1B"),
    ]
    low = ""
    for limit, name in steps:
        if samples < limit:
            return f"{low}<n<{name}" if low else f"n<{name}"
        low = name
    return "n>1B"
