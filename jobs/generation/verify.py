"""Hold a dataset against its records, byte by byte, and remake what is not as recorded."""

from collections.abc import Iterator, Mapping

from passband.jobs.dataset.blueprint import Blueprint, check_plan, read_blueprint
from passband.jobs.dataset.inputs import check_kept
from passband.jobs.generation.card.page import timm_info
from passband.jobs.generation.display import Display
from passband.jobs.generation.finish import build_manifest
from passband.jobs.generation.run import Remake, generate
from passband.pipeline.checking import Problem
from passband.pipeline.documents import DocumentError, read_json
from passband.pipeline.errors import IntegrityError
from passband.pipeline.formats import exports, packed_files
from passband.pipeline.formats.base import Export
from passband.pipeline.formats.blocks import check_blocks
from passband.pipeline.layout import INPUTS, MANIFEST, PLAN, TIMM_INFO, record_name, shard_name
from passband.pipeline.manifest import check_record, read_manifest, read_record
from passband.pipeline.records import Manifest, ShardRecord
from passband.pipeline.store import Store


def verify(store: Store) -> Iterator[Problem]:
    """Yield everything in the output that is not as recorded; nothing at all means that it is whole.

    Every byte of plan, shards, provenance, records and packed files is read. The manifest is compared with what the
    records say and with the digest beside it, the job with its own identity and digest, and ``_info.json``, which timm
    reads, with the manifest.

    Raises
    ------
    PassbandError
        If there is no dataset to verify.
    """
    blueprint = read_blueprint(store)
    yield from check_plan(store, blueprint)
    yield from check_kept(store, blueprint.inputs)
    records: list[ShardRecord] = []
    for shard in range(blueprint.shards):
        yield from _check_shard(store, blueprint, shard, records)
    known = {shard_name(blueprint.job.name, shard) for shard in range(blueprint.shards)}
    for stray in sorted(set(store.names("shards")) - known):
        yield Problem(None, stray, f"{store.uri}/{stray}: is no shard of this dataset")
    yield from _check_manifest(store, blueprint, records)


def _check_shard(store: Store, blueprint: Blueprint, shard: int, records: list[ShardRecord]) -> Iterator[Problem]:
    name, tar = record_name(shard), shard_name(blueprint.job.name, shard)
    if not store.exists(name):
        state = "its shard is there without it" if store.exists(tar) else "the shard was not made"
        yield Problem(shard, name, f"{store.uri}/{name}: the record is missing; {state}")
        return
    try:
        record = read_record(store, shard)
    except IntegrityError as error:
        yield Problem(shard, name, str(error))
        return
    records.append(record)
    yield from check_record(store, record, blueprint.job.name, blueprint.identity, blueprint.environment_digest)


def _check_manifest(store: Store, blueprint: Blueprint, records: list[ShardRecord]) -> Iterator[Problem]:
    where = f"{store.uri}/{MANIFEST}"
    strays = {name: form for form in exports() for name in store.names("") if name.endswith(form.suffix)}
    try:
        manifest = read_manifest(store)
    except IntegrityError as error:
        yield Problem(None, MANIFEST, str(error))
        made_again = blueprint.job.output.formats  # with the manifest
        yield from _strays(store, {name: form for name, form in strays.items() if form.name not in made_again})
        return
    true = manifest
    if len(records) == blueprint.shards:
        own = packed_files(manifest) | {"digest": manifest.digest}
        true = build_manifest(store, blueprint, records).model_copy(update=own)
        differing = [key for key in type(true).model_fields if getattr(true, key) != getattr(manifest, key)]
        if differing:
            yield Problem(None, MANIFEST, f"{where}: {', '.join(differing)} differ from what the records say")
    yield from _check_timm_info(store, true)
    for file in filter(None, (form.listed(manifest) for form in exports())):
        yield from check_blocks(store, file)
        strays.pop(file.name, None)
    yield from _strays(store, strays)


def _check_timm_info(store: Store, manifest: Manifest) -> Iterator[Problem]:
    """Yield a problem if what timm reads is not what it is told of this dataset; older datasets have no such file."""
    where = f"{store.uri}/{TIMM_INFO}"
    try:
        found = read_json(store, TIMM_INFO)
    except FileNotFoundError:
        return
    except DocumentError as error:
        yield Problem(None, TIMM_INFO, f"{where}: {error}")
        return
    if found != timm_info(manifest):
        yield Problem(None, TIMM_INFO, f"{where}: differs from what the manifest says")


def _strays(store: Store, strays: Mapping[str, Export]) -> Iterator[Problem]:
    for stray, form in sorted(strays.items()):
        message = f"{store.uri}/{stray}: is {form.article} {form.title} file that the manifest does not name"
        yield Problem(None, stray, message)


def repaired(store: Store, problems: list[Problem], display: Display) -> set[int]:
    """Remake what `problems` name and nothing else; return the shards.

    Nothing is removed before source, environment and job were found to be those of the dataset.
    """
    shards = frozenset(problem.shard for problem in problems if problem.shard is not None)
    names = {problem.name for problem in problems}
    planned = any(name == PLAN or name.startswith(f"{INPUTS}/") for name in names)
    job = read_blueprint(store).job
    packed = frozenset(form.name for form in exports() if form.file_name(job.name) in names)
    remake = Remake(shards, plan=planned, exports=packed)
    generate(job.with_output(store.uri), display=display, remake=remake)
    return set(shards)
