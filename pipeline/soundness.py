"""Whether a manifest can be true at all: what it says twice must agree, and what follows from something must follow.

This needs no other file and holds for the manifests of every version. It is what is left where the digests tell
nothing: of a dataset made before there were any, or of one whose digests were made to fit.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from passband.pipeline.formats import exports
from passband.pipeline.formats.base import Export
from passband.pipeline.layout import MEMBERS, provenance_name, record_name, shard_name, view_field
from passband.pipeline.records import Manifest, PackedFile, StoredFile, ViewEntry

ENCODINGS = ("png", "webp", "jpeg", "npy")
DTYPES = ("uint8", "float16")
_SHA256 = re.compile(r"[0-9a-f]{64}").fullmatch
_COUNT = re.compile(r"0|[1-9][0-9]{0,17}").fullmatch


def unsound(manifest: Manifest) -> Iterator[str]:
    """Yield in words whatever cannot be true of a dataset; nothing at all for a manifest that is sound."""
    yield from _of_pixels(manifest)
    yield from _of_views(manifest.views, manifest.encoding)
    yield from _of_shards(manifest)
    yield from _of_counts(manifest)
    yield from _of_files(manifest)
    yield from _of_exports(manifest)


def _of_pixels(manifest: Manifest) -> Iterator[str]:
    if not _SHA256(manifest.identity):
        yield f"identity {manifest.identity!r} is no sha256"
    if len(manifest.shape) != 3 or manifest.shape[0] != 3 or min(manifest.shape) < 1:
        yield f"shape is {manifest.shape}, no (3, height, width)"
    if manifest.encoding not in ENCODINGS:
        yield f"encoding is {manifest.encoding!r}; it can be {', '.join(ENCODINGS)}"


def _of_views(views: Sequence[ViewEntry], encoding: str) -> Iterator[str]:
    names = [view.name for view in views]
    if not names or names[0] != "clean":
        yield "views do not begin with clean"
    yield from _repeated("views", names)
    for position, view in enumerate(views):
        if view.number != position:
            yield f"views[{position}] has number {view.number}"
        if view.dtype not in DTYPES:
            yield f"views[{position}] has dtype {view.dtype!r}; it can be {' or '.join(DTYPES)}"
    found = [view.field for view in views]
    follow = [[view_field(n, v.name, v.dtype, encoding, members) for n, v in enumerate(views)] for members in MEMBERS]
    if found not in follow:
        nearest = max(follow, key=lambda fields: sum(map(str.__eq__, fields, found)))
        yield f"the fields of the views are {', '.join(found)}, where {', '.join(nearest)} follow from the views"


def _of_shards(manifest: Manifest) -> Iterator[str]:
    for position, shard in enumerate(manifest.shards):
        if shard.shard != position:
            yield f"shards[{position}] has number {shard.shard}"
        found = (shard.tar.name, shard.provenance.name, shard.record.name)
        follow = (shard_name(manifest.name, position), provenance_name(position), record_name(position))
        if found != follow:
            yield f"shards[{position}] names {', '.join(found)}, by its number they are {', '.join(follow)}"
        if shard.samples < 0:
            yield f"shards[{position}] has {shard.samples} samples"


def _of_counts(manifest: Manifest) -> Iterator[str]:
    in_shards = sum(shard.samples for shard in manifest.shards)
    if in_shards != manifest.samples:
        yield f"samples is {manifest.samples}, those of the shards add up to {in_shards}"
    for kind, counts in (("group", manifest.group_counts), ("class", manifest.class_counts)):
        wrong = [key for key, count in counts.items() if not _COUNT(key) or count < 0]
        if wrong:
            yield f"{kind}_counts holds {wrong[0]!r}: {counts[wrong[0]]}"
        elif sum(counts.values()) != manifest.samples:
            yield f"samples is {manifest.samples}, {kind}_counts add up to {sum(counts.values())}"
    beyond = [key for key in manifest.class_counts if _COUNT(key) and int(key) >= len(manifest.classes)]
    if beyond:
        yield f"class_counts holds class {beyond[0]}, but there are {len(manifest.classes)} classes"
    yield from _repeated("classes", manifest.classes)
    yield from _repeated("domains", manifest.domains)
    gaps, planned = [bad.index for bad in manifest.bad], manifest.samples + len(manifest.bad)
    if gaps != sorted(set(gaps)) or (gaps and not 0 <= gaps[0] <= gaps[-1] < planned):
        yield f"bad lists samples that are not ascending, or none of the {planned}"


def _of_files(manifest: Manifest) -> Iterator[str]:
    listed: list[StoredFile] = [file for s in manifest.shards for file in (s.tar, s.provenance, s.record)]
    known = {form.key for form in exports()}
    others = [name for name in manifest.exports if f"exports.{name}" not in known]  # made where other formats were
    listed += [manifest.exports[name] for name in others]
    listed += [*manifest.inputs, *(file for form in exports() for file in form.files(manifest))]
    for file in listed:
        if file.bytes < 0 or not _SHA256(file.sha256):
            yield f"{file.name} cannot have {file.bytes} bytes and sha256 {file.sha256!r}"
    yield from _repeated("inputs", [file.name for file in manifest.inputs])
    outside = [file.name for file in manifest.inputs if not file.name.startswith("inputs/")]
    if outside:
        yield f"input {outside[0]!r} does not lie in inputs/"


def _of_exports(manifest: Manifest) -> Iterator[str]:
    for form in exports():
        if (file := form.listed(manifest)) is not None:
            yield from _of_export(manifest, form, file)


def _of_export(manifest: Manifest, form: Export, file: PackedFile) -> Iterator[str]:
    key, name = form.key, form.file_name(manifest.name)
    if file.name != name:
        yield f"the {form.title} file is called {file.name!r}, by the dataset's name it is {name}"
    if file.block_bytes < 1:
        yield f"{key}.block_bytes is {file.block_bytes}"
    elif len(file.blocks) != -(-file.bytes // file.block_bytes):
        yield f"{key} lists {len(file.blocks)} blocks of {file.block_bytes} bytes, but has {file.bytes} bytes"
    wrong = [number for number, block in enumerate(file.blocks) if not _SHA256(block)]
    if wrong:
        yield f"{key}.blocks[{wrong[0]}] is no sha256"
    others = [view.dtype for view in manifest.views if view.dtype not in form.dtypes]
    if others:
        held = " and ".join(form.dtypes)
        yield f"{form.article} {form.title} file holds {held} alone, but there are {others[0]} views"


def _repeated(what: str, names: Sequence[str]) -> Iterator[str]:
    for name, times in Counter(names).items():
        if times > 1:
            yield f"{what} holds {name!r} {times} times"
