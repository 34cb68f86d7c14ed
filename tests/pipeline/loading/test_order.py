"""Laws of the order and of its division into batches; no dataset is needed for them."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from passband.pipeline.errors import PassbandError
from passband.pipeline.loading.order import Order
from passband.pipeline.loading.topology import Topology

IDENTITY = "0" * 64
sizes = st.integers(0, 200)
epochs = st.integers(0, 5)
KNOWN = {
    0: [5, 11, 1, 3, 7, 8, 10, 9, 4, 0, 2, 6],
    1: [6, 8, 7, 2, 5, 11, 4, 1, 10, 0, 9, 3],
    "window": [5, 1, 3, 4, 0, 2, 11, 7, 8, 10, 9, 6],
    "balance": [0, 5, 2, 6, 3, 6, 1],
}


def order_of(shards, **options) -> Order:
    return Order(IDENTITY, options.pop("seed", 0), options.pop("shuffle", True), np.array(shards, np.int64), **options)


def test_the_order_is_the_same_for_ever():
    assert order_of([0] * 12).draws(0).tolist() == KNOWN[0]
    assert order_of([0] * 12).draws(1).tolist() == KNOWN[1]
    assert order_of(np.repeat(range(4), 3), window=2).draws(0).tolist() == KNOWN["window"]
    assert (
        order_of([0] * 7, balance="class", strata=np.array([5, 5, 5, 5, 5, 9, 9])).draws(0).tolist() == KNOWN["balance"]
    )


@given(sizes, epochs, st.integers(-(2**70), 2**70))
def test_an_epoch_draws_every_sample_once(number, epoch, seed):
    rows = order_of([0] * number, seed=seed).draws(epoch)
    assert sorted(rows.tolist()) == list(range(number))


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 14), epochs)
def test_a_window_mixes_only_its_shards(counts, window, epoch):
    shards = np.repeat(np.arange(len(counts)), counts)
    rows = order_of(shards, window=window).draws(epoch)
    assert sorted(rows.tolist()) == list(range(len(shards)))
    walked = shards[rows].tolist()
    stored = [shard for shard, count in enumerate(counts) if count]
    left = Counter(walked)
    for _ in range(0, len(stored), window):
        opened = set()
        while walked and (len(opened) < window or walked[0] in opened):
            opened.add(walked[0])
            left[walked.pop(0)] -= 1
        assert all(not left[shard] for shard in opened)
    assert not walked


def test_a_window_of_all_shards_mixes_them_all():
    shards = np.repeat(np.arange(8), 50)
    assert len(set(shards[order_of(shards, window=8).draws(0)][:60].tolist())) == 8
    assert len(set(shards[order_of(shards, window=1).draws(0)][:50].tolist())) == 1


def test_what_an_order_depends_on_changes_it():
    shards = np.repeat(np.arange(10), 10)
    orders = [
        order_of(shards),
        order_of(shards, seed=1),
        order_of(shards, window=3),
        Order("1" * 64, 0, True, shards),
    ]
    rows = [tuple(order.draws(epoch).tolist()) for order in orders for epoch in (0, 1)]
    assert len(set(rows)) == len(rows)


@given(st.lists(st.sampled_from([-1, 0, 3, 2**40]), min_size=1, max_size=80), epochs)
def test_balanced_draws_come_from_the_strata_in_turn(strata, epoch):
    column = np.array(strata, np.int64)
    rows = order_of([0] * len(column), balance="group", strata=column).draws(epoch)
    existing = sorted(set(strata))
    assert column[rows].tolist() == [existing[place % len(existing)] for place in range(len(column))]
    for value in existing:
        drawn, members = rows[column[rows] == value].tolist(), set(np.flatnonzero(column == value).tolist())
        for start in range(0, len(drawn), len(members)):
            some = drawn[start : start + len(members)]
            assert len(set(some)) == len(some)
            assert set(some) <= members


def test_a_stratum_that_is_used_up_starts_a_fresh_permutation():
    column = np.repeat([0, 1], [990, 10])
    drawn = order_of([0] * 1000, balance="class", strata=column).draws(0)[1::2]
    passes = drawn.reshape(50, 10)
    assert (np.sort(passes, axis=1) == np.arange(990, 1000)).all()
    assert len({tuple(each) for each in passes.tolist()}) == 50


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": "0"}, "seed is '0'"),
        ({"seed": True}, "seed is True"),
        ({"window": 0}, "window is 0"),
        ({"balance": "group", "shuffle": False}, "needs shuffle=True"),
        ({"balance": "group", "window": 2}, "cannot be had with a window"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(PassbandError, match=message):
        order_of([0, 0, 1], **options)


topologies = st.builds(
    lambda per_rank, world, drop: (per_rank, world, drop), st.integers(1, 9), st.integers(1, 5), st.booleans()
)


@given(topologies, sizes, st.integers(0, 200))
def test_the_ranks_together_walk_through_the_draws(topology, num_draws, begin):
    per_rank, world, drop = topology
    begin = min(begin, num_draws)
    ranks = [list(Topology(per_rank, rank, world, drop).slices(begin, num_draws)) for rank in range(world)]
    assert len({len(slices) for slices in ranks}) == 1
    walked = begin
    for together in zip(*ranks, strict=True):
        assert {(piece.begin, piece.end) for piece in together} == {(walked, together[0].end)}
        sizes_here = [piece.stop - piece.start for piece in together]
        for piece, size in zip(together, sizes_here, strict=True):
            assert (piece.start, piece.stop) == (walked, walked + size)
            walked = piece.stop
        whole = sum(sizes_here) == per_rank * world
        assert max(sizes_here) - min(sizes_here) <= (0 if whole else 1)
        assert whole or (not drop and walked == num_draws)
    assert walked == (begin + (num_draws - begin) // (per_rank * world) * per_rank * world if drop else num_draws)


@given(st.integers(1, 4), st.integers(1, 6), sizes)
def test_any_topology_that_divides_the_global_batch_sees_the_same_batches(per_rank, world, num_draws):
    def global_batches(per_rank, world):
        ranks = [Topology(per_rank, rank, world, False).slices(0, num_draws) for rank in range(world)]
        return [
            [place for piece in step for place in range(piece.start, piece.stop)] for step in zip(*ranks, strict=True)
        ]

    assert global_batches(per_rank, world) == global_batches(per_rank * world, 1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((0,), "batch_size is 0"),
        ((4, 2, 2), "rank is 2"),
        ((4, -1), "rank is -1"),
        ((4, 0, 0), "world_size is 0"),
        ((True,), "batch_size is True"),
    ],
)
def test_topologies_that_cannot_be_are_refused(given, message):
    with pytest.raises(PassbandError, match=message):
        Topology(*given)
