import pytest
from hypothesis import given
from hypothesis import strategies as st

from passband.jobs.generation.throughput import add_up, union_length
from passband.pipeline.records import ShardRecord, StoredFile

FILE = StoredFile(name="x", bytes=1, sha256="0" * 64)


def record(shard, start, finished, worker="host-a:1", samples=10, attempts=1, **seconds):
    return ShardRecord(
        identity="i",
        environment="e",
        shard=shard,
        tar=FILE,
        provenance=FILE,
        samples=samples,
        group_counts={},
        class_counts={},
        bad=[],
        stage_seconds=seconds,
        seconds=float(finished - start),
        finished=float(finished),
        attempts=attempts,
        worker=worker,
        processor="p",
    )


def test_pauses_and_overlaps_do_not_count_twice():
    records = [
        record(0, 100, 104, encode=3.0, read=1.0),
        record(1, 102, 106, worker="host-a:2", encode=3.0, prime=2.0, write=0.0),
        record(2, 1000, 1002, worker="host-b:1", attempts=3, encode=1.0),
    ]
    found = add_up(iter(records))
    assert (found.busy_s, found.wall_s, found.samples) == (10, 8, 30)
    assert found.samples_per_s == pytest.approx(30 / 8)
    assert found.parallel == pytest.approx(10 / 8)
    assert (found.workers, found.hosts, found.retried) == (3, 2, 1)
    assert found.processors == {"p": 3}
    assert [step.name for step in found.steps] == ["read", "prime", "encode", "write"]
    assert [step.seconds for step in found.steps] == [1, 2, 7, 0]
    assert sum(step.share for step in found.steps) == pytest.approx(1)
    assert [step.samples_per_s for step in found.steps] == [30, 15, pytest.approx(30 / 7), None]


def test_no_records_give_no_rates():
    found = add_up([])
    assert (found.steps, found.samples_per_s, found.parallel, found.finished) == ([], None, None, 0.0)


def test_a_shard_that_took_no_time_gives_no_rate():
    assert add_up([record(0, 5, 5)]).samples_per_s is None


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), max_size=12))
def test_union_length_is_the_number_of_covered_seconds(starts_and_lengths):
    spans = [(float(start), float(start + length)) for start, length in starts_and_lengths]
    covered = {second for start, length in starts_and_lengths for second in range(start, start + length)}
    assert union_length(spans) == len(covered)
