"""Positions: exact to the sample, whatever was prefetched, and on another number of ranks."""

import json
import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from passband.pipeline.errors import PassbandError
from passband.pipeline.loading import open_stream
from tests.pipeline.loading.conftest import assert_holds


def walk(stream) -> list[int]:
    return [index for batch in stream for index in batch.indices.tolist()]


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("passband")]


@pytest.mark.parametrize(
    "options", [{}, {"balance": "class"}, {"balance": "group_class"}, {"window": 2}, {"drop_last": False}], ids=str
)
def test_every_position_is_restored_exactly(npy, options):
    with open_stream(npy.path, batch_size=30, views=["low"], **options) as stream:
        reference = [batch.indices.tolist() for batch in stream]
        following = walk(stream)
    with (
        open_stream(npy.path, batch_size=30, views=["low"], prefetch=7, **options) as left,
        open_stream(npy.path, batch_size=30, views=["low"], **options) as right,
    ):
        for step, _ in enumerate(left):
            state = json.loads(json.dumps(left.state_dict()))
            assert (state["epoch"], state["samples"]) == (0, min(30 * (step + 1), 355))
            right.load_state_dict(state)
            if reference[step + 1 :]:  # else the next iteration is the next epoch
                assert [batch.indices.tolist() for batch in right] == reference[step + 1 :]
            assert walk(right) == following
        right.load_state_dict(left.state_dict())
        assert walk(right) == following


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 355), st.integers(1, 40), st.integers(1, 4))
def test_any_sample_is_continued_at_on_any_topology(npy, samples, per_rank, world):
    with open_stream(npy.path, batch_size=1, views=["low"], shuffle=True) as stream:
        state = stream.state_dict() | {"epoch": 3, "samples": samples}
        stream.load_state_dict(state)
        expected = walk(stream)
    ranks = []
    for rank in range(world):
        options = {"rank": rank, "world_size": world, "drop_last": False, "views": ["low"]}
        with open_stream(npy.path, batch_size=per_rank, **options) as stream:
            stream.load_state_dict(state)
            ranks.append([batch.indices.tolist() for batch in stream])
    assert [index for together in zip(*ranks, strict=True) for part in together for index in part] == expected


def test_the_world_may_change_within_an_epoch(npy):
    with open_stream(npy.path, batch_size=24, views=["clean"]) as whole:
        reference = [batch.indices.tolist() for batch in whole]

    def rank_of(rank, world):
        return open_stream(npy.path, batch_size=24 // world, rank=rank, world_size=world, views=["clean"])

    seen, state = [], None
    for world, steps in ((2, 4), (3, 5), (1, 5)):
        batches = [[] for _ in range(steps)]
        for rank in range(world):
            with rank_of(rank, world) as stream:
                if state is not None:
                    stream.load_state_dict(state)
                for together, batch in zip(batches, stream, strict=False):
                    together.extend(batch.indices.tolist())
                reached = stream.state_dict()
        state = reached
        seen += batches
    assert seen == reference


def test_streams_of_both_formats_continue_each_other(npy):
    views = ["low", "clean"]
    with (
        open_stream(npy.path, batch_size=50, views=views) as shards,
        open_stream(npy.path / "small.beton", batch_size=50, views=views) as beton,
    ):
        iterator = iter(shards)
        next(iterator), next(iterator)
        beton.load_state_dict(shards.state_dict())
        for ours, theirs in zip(iterator, beton, strict=True):
            assert all(torch.equal(ours[name], theirs[name]) for name in ("labels", "groups", "indices", "positions"))
            assert all(torch.equal(ours.images[view], theirs.images[view]) for view in views)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 1}, "its seed is 1, this one has 0"),
        ({"dataset": "x"}, "its dataset is 'x'"),
        ({"window": 3}, "its window is 3"),
        ({"balance": "group"}, "its balance is 'group'"),
        ({"views": ["low"]}, "its views is"),
        ({"epoch": -1}, "epoch is -1"),
        ({"samples": 356}, "samples is 356; it must be an integer, 0 to 355"),
        ({"samples": None}, "samples is None"),
    ],
)
def test_the_state_of_another_stream_is_refused(npy, change, named):
    with open_stream(npy.path, batch_size=50) as stream:
        with pytest.raises(PassbandError, match=named):
            stream.load_state_dict(stream.state_dict() | change)
        with pytest.raises(PassbandError, match="its seed is nothing"):
            stream.load_state_dict({})
        assert (stream.epoch, stream.samples) == (0, 0)


def test_a_new_iteration_goes_on_where_the_last_one_was_left(npy):
    with open_stream(npy.path, batch_size=50, views=["low"]) as stream:
        whole = walk(stream)
        stream.set_epoch(0)
        first = [index for _, batch in zip(range(2), stream, strict=False) for index in batch.indices.tolist()]
        assert first + walk(stream) == whole
        assert stream.epoch == 1


def test_an_iterator_that_another_one_replaced_says_so(npy):
    with open_stream(npy.path, batch_size=50) as stream:
        for disturb in (lambda: iter(stream), lambda: stream.set_epoch(2), stream.close):
            old = iter(stream)
            next(old)
            kept = disturb()
            with pytest.raises(PassbandError, match="this iterator has ended"):
                next(old)
            del kept
        with pytest.raises(PassbandError, match="is closed"):
            iter(stream)


def test_an_exhausted_iterator_stays_so(npy):
    with open_stream(npy.path, batch_size=300) as stream:
        iterator = iter(stream)
        next(iterator)
        for _ in range(3):
            assert next(iterator, None) is None
        assert stream.epoch == 1


def test_no_thread_is_left(npy):
    stream = open_stream(npy.path, batch_size=10)
    for _ in stream:
        assert threads()
        break
    assert threads() == []
    iterator = iter(stream)
    next(iterator)
    del iterator
    assert threads() == []
    kept = iter(stream)
    next(kept)
    assert threads()
    stream.close()
    assert threads() == []
    with open_stream(npy.path, batch_size=10) as stream:
        walk(stream)
        assert threads() == []


def test_two_streams_at_once_do_not_disturb_each_other(npy):
    with open_stream(npy.path, batch_size=40) as left, open_stream(npy.path, batch_size=40, seed=1) as right:
        pairs = list(zip(left, right, strict=True))
        for one, other in pairs:
            assert_holds(one, npy, ["clean"])
            assert_holds(other, npy, ["clean"])
        assert [b.indices.tolist() for b, _ in pairs] != [b.indices.tolist() for _, b in pairs]


def test_views_by_epoch_reads_one_view_an_epoch(npy):
    with open_stream(npy.path, batch_size=100, views=["low", "clean"], views_by_epoch=True) as stream:
        for expected in ("low", "clean"):
            for batch in stream:
                assert list(batch.images) == [expected]
                assert_holds(batch, npy, [expected])
        for attempt in (lambda: iter(stream), lambda: stream.set_epoch(2)):
            with pytest.raises(PassbandError, match="epoch 2 has no view; the 2 views low, clean serve epochs 0 to 1"):
                attempt()


@pytest.mark.parametrize(("balance", "column"), [("class", "labels"), ("group", "groups")])
def test_balanced_batches_hold_every_class_equally(npy, balance, column):
    with open_stream(npy.path, batch_size=50, balance=balance, views=["low"]) as stream:
        existing = set(getattr(stream, column).tolist())
        for batch in stream:
            counts = torch.bincount(batch[column])
            assert set(counts[counts > 0].tolist()) == {50 // len(existing)}
            assert_holds(batch, npy, ["low"])
