"""What is derived from finished shards: the manifest, the FFCV file and the card."""

from collections.abc import Callable

from passband.jobs.dataset.blueprint import Blueprint
from passband.jobs.generation.card.page import write_card
from passband.jobs.generation.export import export_beton
from passband.jobs.generation.ledger import Ledger
from passband.pipeline.checking import check_file, stored_file
from passband.pipeline.errors import IntegrityError
from passband.pipeline.formats.blocks import check_beton
from passband.pipeline.layout import provenance_name, record_name, shard_name
from passband.pipeline.manifest import merge_counts, read_manifest, write_manifest
from passband.pipeline.records import BetonFile, Manifest, ManifestShard, ShardRecord
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


def _earlier_beton(store: Store, manifest: Manifest) -> BetonFile | None:
    """Return the FFCV file of an earlier manifest if it was derived from these very shards."""
    try:
        earlier = read_manifest(store)
    except IntegrityError:  # there is none, or it is damaged and about to be replaced
        return None
    same = [shard.tar for shard in earlier.shards] == [shard.tar for shard in manifest.shards]
    return earlier.beton if same else None


def _is_stale(store: Store, beton: BetonFile, step: Callable[[str], None], trust: bool) -> bool:
    if trust:
        return any(check_file(store, beton, None, hashes=False))
    step(f"checking {beton.name}")
    return any(check_beton(store, beton))


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
    store: Store, ledger: Ledger, step: Callable[[str], None], *, beton_again: bool, trust: bool = False
) -> Manifest:
    """Write what is derived from the shards: the manifest, the FFCV file and the card.

    With `trust` the size of an FFCV file that is there is all that is compared.
    """
    blueprint = ledger.blueprint
    _refuse_absent(store, blueprint)
    manifest = build_manifest(store, blueprint, [ledger.done[shard] for shard in range(blueprint.shards)])
    beton = _earlier_beton(store, manifest)
    manifest = write_manifest(store, manifest.model_copy(update={"beton": beton}))
    if "ffcv" in blueprint.job.output.formats or beton is not None or beton_again:
        if beton_again or beton is None or _is_stale(store, beton, step, trust):
            step("exporting to FFCV")
            manifest = export_beton(store, manifest)
    step("writing the card")
    write_card(store, blueprint, manifest, ledger.done.values())
    return manifest
