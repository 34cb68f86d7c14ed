"""What is derived from finished shards: the manifest, the files of other formats and the card."""

from collections.abc import Callable

from passband.jobs.dataset.blueprint import Blueprint
from passband.jobs.generation.card.page import write_card
from passband.jobs.generation.export import write_export
from passband.jobs.generation.ledger import Ledger
from passband.pipeline.checking import check_file, stored_file
from passband.pipeline.errors import IntegrityError
from passband.pipeline.formats import exports, packed_files
from passband.pipeline.formats.blocks import check_blocks
from passband.pipeline.layout import provenance_name, record_name, shard_name
from passband.pipeline.manifest import merge_counts, read_manifest, write_manifest
from passband.pipeline.records import Manifest, ManifestShard, PackedFile, ShardRecord
from passband.pipeline.store import Store


def build_manifest(store: Store, blueprint: Blueprint, records: list[ShardRecord]) -> Manifest:
    """Return the manifest of a dataset whose shards are all done, by their records in order."""
    return Manifest(
        name=blueprint.job.name,
        identity=blueprint.identity,
        environment=blueprint.environment,
        shape=list(blueprint.shape),
        encoding=blueprint.job.output.encoding,
        classes=list(blueprint.classes),
        domains=blueprint.domains,
        views=blueprint.views(),
        samples=sum(record.samples for record in records),
        group_counts=merge_counts(record.group_counts for record in records),
        class_counts=merge_counts(record.class_counts for record in records),
        inputs=list(blueprint.inputs),
        bad=[bad for record in records for bad in record.bad],
        shards=[
            ManifestShard(
                shard=record.shard,
                tar=record.tar,
                provenance=record.provenance,
                record=stored_file(store, record_name(record.shard)),
                samples=record.samples,
            )
            for record in records
        ],
    )


def _with_earlier_exports(store: Store, manifest: Manifest) -> Manifest:
    """Enter the packed files of an earlier manifest if they were derived from these very shards."""
    try:
        earlier = read_manifest(store)
    except IntegrityError:  # there is none, or it is damaged and about to be replaced
        return manifest
    same = [shard.tar for shard in earlier.shards] == [shard.tar for shard in manifest.shards]
    return manifest.model_copy(update=packed_files(earlier)) if same else manifest


def _is_stale(store: Store, file: PackedFile, step: Callable[[str], None], trust: bool) -> bool:
    if trust:
        return any(check_file(store, file, None, hashes=False))
    step(f"checking {file.name}")
    return any(check_blocks(store, file))


def _refuse_absent(store: Store, blueprint: Blueprint) -> None:
    """Raise IntegrityError if a file of a finished shard went away while others were made."""
    shards = range(blueprint.shards)
    own = [name for n in shards for name in (shard_name(blueprint.job.name, n), provenance_name(n), record_name(n))]
    absent = sorted(set(own) - set(store.names("shards")) - set(store.names("records")))
    if absent:
        more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        raise IntegrityError(
            f"{store.uri}: {absent[0]}{more} went away while the dataset was made; the same command makes it again"
        )


def finish(
    store: Store, ledger: Ledger, step: Callable[[str], None], *, exports_again: frozenset[str], trust: bool = False
) -> Manifest:
    """Write what is derived from the shards: the manifest, the files of other formats and the card.

    The formats named in `exports_again` are packed again, also where their file is there and in no manifest. With
    `trust` the size of the others is all that is compared.
    """
    blueprint = ledger.blueprint
    _refuse_absent(store, blueprint)
    manifest = build_manifest(store, blueprint, [ledger.done[shard] for shard in range(blueprint.shards)])
    manifest = write_manifest(store, _with_earlier_exports(store, manifest))
    for export in exports():
        file = export.listed(manifest)
        again = export.name in exports_again
        there = again and store.exists(export.file_name(manifest.name))
        if export.name in blueprint.job.output.formats or file is not None or there:
            if again or file is None or _is_stale(store, file, step, trust):
                step(f"exporting to {export.title}")
                manifest = write_export(store, manifest, export)
    step("writing the card")
    write_card(store, blueprint, manifest, ledger.done.values())
    return manifest
