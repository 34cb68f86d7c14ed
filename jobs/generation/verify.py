"""Hold a dataset against its records, byte by byte, and remake what is not as recorded."""

import hashlib
from collections.abc import Iterator

from jobs.generation.blueprint import Blueprint, draw_up, read_blueprint
from jobs.generation.export import export_beton
from jobs.generation.run import Display, generate, locked
from pipeline.errors import IntegrityError
from pipeline.manifest import (
    JOB,
    MANIFEST,
    PLAN,
    Manifest,
    Problem,
    check_file,
    check_shard,
    read_manifest,
    record_name,
    shard_name,
)
from pipeline.store import Store


def verify(store: Store) -> Iterator[Problem]:
    """Yield everything in the output that is not as recorded; nothing at all means that it is whole.

    Every byte of shards, provenance, records, plan and FFCV file is read.

    Raises
    ------
    PassbandError
        If there is no dataset to verify.
    """
    blueprint = read_blueprint(store)
    yield from _check_plan(store, blueprint)
    for shard in range(blueprint.shards):
        yield from check_shard(store, blueprint.job.name, shard, blueprint.identity, blueprint.environment_digest)
    known = {shard_name(blueprint.job.name, shard) for shard in range(blueprint.shards)}
    for stray in sorted(set(store.names("shards")) - known):
        yield Problem(None, f"{store.uri}/{stray}: is no shard of this dataset")
    yield from _check_manifest(store, blueprint)


def _check_plan(store: Store, blueprint: Blueprint) -> Iterator[Problem]:
    where = f"{store.uri}/{PLAN}"
    if not store.exists(PLAN):
        yield Problem(None, f"{where}: is missing")
    elif hashlib.sha256(store.read(PLAN)).hexdigest() != blueprint.plan_sha256:
        yield Problem(None, f"{where}: is not the plan that {JOB} was written with")


def _check_manifest(store: Store, blueprint: Blueprint) -> Iterator[Problem]:
    try:
        manifest = read_manifest(store)
    except IntegrityError as error:
        yield Problem(None, str(error))
        return
    where = f"{store.uri}/{MANIFEST}"
    if manifest.identity != blueprint.identity:
        yield Problem(None, f"{where}: identity {manifest.identity} is not that of {JOB}, {blueprint.identity}")
    if [entry.shard for entry in manifest.shards] != list(range(blueprint.shards)):
        yield Problem(None, f"{where}: lists {len(manifest.shards)} shards, the plan has {blueprint.shards}")
    for entry in manifest.shards:
        if store.exists(record_name(entry.shard)):
            yield from check_file(store, entry.record, entry.shard)
    yield from _check_beton(store, manifest)


def _check_beton(store: Store, manifest: Manifest) -> Iterator[Problem]:
    if manifest.beton is not None:
        yield from check_file(store, manifest.beton, None)


def repaired(store: Store, problems: list[Problem], display: Display) -> set[int]:
    """Remake what `problems` name and nothing else; return the shards.

    FFCV file, manifest and card are derived from the shards and are made anew.
    """
    blueprint = read_blueprint(store)
    job = blueprint.job.with_output(store.uri)
    had_beton = _has_beton(store)
    shards = {problem.shard for problem in problems if problem.shard is not None}
    with locked(store):
        for shard in shards:
            store.delete(record_name(shard))  # first: without it the shard does not count
            store.delete(shard_name(job.name, shard))
        store.delete(MANIFEST)
        if not store.exists(PLAN) or hashlib.sha256(store.read(PLAN)).hexdigest() != blueprint.plan_sha256:
            _restore_plan(store, blueprint, display)
    generate(job, display=display)
    if had_beton and "ffcv" not in job.output.formats:
        export_beton(store, read_manifest(store))
    return shards


def _has_beton(store: Store) -> bool:
    try:
        return read_manifest(store).beton is not None
    except IntegrityError:
        return False


def _restore_plan(store: Store, blueprint: Blueprint, display: Display) -> None:
    drawn, plan = draw_up(blueprint.job, blueprint.environment, display.planning)
    if drawn.identity != blueprint.identity or drawn.plan_sha256 != blueprint.plan_sha256:
        raise IntegrityError(f"{store.uri}/{PLAN}: cannot be made again: the source is not the one that was planned")
    store.put(PLAN, plan)
