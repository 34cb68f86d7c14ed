"""Streams in the workers of torch's DataLoader, and of torchdata's that saves its state."""

import json
import warnings

import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset
from torchdata.stateful_dataloader import StatefulDataLoader

from passband.pipeline.errors import IntegrityError, PassbandError
from passband.pipeline.loading import open_stream
from tests.pipeline.loading.conftest import assert_holds
from tests.pipeline.loading.test_damage import flip

pytestmark = pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded:DeprecationWarning",
    "ignore:'set_vital' is deprecated:UserWarning",  # torchdata 0.11 calls it
)
FORKED = [
    {"num_workers": 0},
    {"num_workers": 1},
    {"num_workers": 2},
    {"num_workers": 2, "persistent_workers": True},
]
SPAWNED = {"num_workers": 2, "multiprocessing_context": "spawn"}
WAYS = [*FORKED, pytest.param(SPAWNED, marks=pytest.mark.slow)]
CONTEXTS = ["fork", pytest.param("spawn", marks=pytest.mark.slow)]


def ids(way) -> str:
    return "-".join(map(str, way.values()))


def walk(batches) -> list[list[int]]:
    return [batch.indices.tolist() for batch in batches]


@pytest.fixture(scope="module")
def epochs(npy) -> list[list[list[int]]]:
    """The batches of three epochs, without a DataLoader."""
    with open_stream(npy.path, batch_size=40, drop_last=False) as stream:
        return [walk(stream) for _ in range(4)]


class Own(IterableDataset):
    """What users write who do not know `as_dataset`."""

    def __init__(self, stream):
        self.stream = stream

    def __iter__(self):
        yield from self.stream


@pytest.mark.parametrize("way", WAYS, ids=ids)
@pytest.mark.parametrize("suffix", ["", "small.beton"])
def test_workers_share_the_batches_and_keep_their_order(npy, epochs, way, suffix):
    with open_stream(npy.path / suffix, batch_size=40, drop_last=False) as stream:
        loader = DataLoader(stream.as_dataset(), batch_size=None, **way)
        assert len(loader) == len(stream) == 9
        for epoch in range(2):
            batches = list(loader)
            assert walk(batches) == epochs[epoch]
            for batch in batches:
                assert_holds(batch, npy, stream.views)
                assert batch.images["low"].is_contiguous(memory_format=torch.channels_last)
                assert torch.equal(batch.positions[:1] % 40, torch.tensor([0]))


@pytest.mark.parametrize("way", FORKED, ids=ids)
def test_a_dataset_of_the_users_own_gets_each_sample_once(npy, epochs, way):
    with open_stream(npy.path, batch_size=40, drop_last=False, views=["low"]) as stream:
        assert walk(DataLoader(Own(stream), batch_size=None, **way)) == epochs[0]


def test_more_workers_than_batches_are_none_too_many(npy):
    with open_stream(npy.path, batch_size=355) as stream:
        dataset = stream.as_dataset()
        for _ in range(2):
            assert [len(batch) for batch in DataLoader(dataset, batch_size=None, num_workers=2)] == [355]


@pytest.mark.parametrize("way", FORKED[1:], ids=ids)
def test_ranks_and_workers_together_read_every_sample_once(npy, way):
    seen = []
    for rank in range(2):
        options = {"rank": rank, "world_size": 2, "drop_last": False, "views": ["low"]}
        with open_stream(npy.path, batch_size=20, **options) as stream:
            seen += sum(walk(DataLoader(stream.as_dataset(), batch_size=None, **way)), [])
    assert sorted(seen) == sorted(npy.samples)


@pytest.mark.parametrize("way", FORKED, ids=ids)
def test_an_epoch_that_was_left_is_followed_by_the_next(npy, epochs, way):
    with open_stream(npy.path, batch_size=40, drop_last=False, views=["low"]) as stream:
        loader = DataLoader(stream.as_dataset(), batch_size=None, **way)
        torch.manual_seed(1)
        batches = iter(loader)
        assert walk([next(batches), next(batches)]) == epochs[0][:2]
        del batches
        assert walk(loader) == epochs[1]


@pytest.mark.parametrize("way", WAYS, ids=ids)
def test_set_epoch_reaches_workers_that_go_on_living(npy, epochs, way):
    with open_stream(npy.path, batch_size=40, drop_last=False, views=["low"]) as stream:
        dataset = stream.as_dataset()
        loader = DataLoader(dataset, batch_size=None, **way)
        assert walk(loader) == epochs[0]
        dataset.set_epoch(3)
        assert walk(loader) == epochs[3]
        stream.set_epoch(1)
        assert walk(loader) == epochs[1]
        assert walk(loader) == epochs[2]


@pytest.mark.parametrize("way", FORKED, ids=ids)
def test_the_first_epoch_begins_where_the_stream_stands(npy, epochs, way):
    with open_stream(npy.path, batch_size=40, drop_last=False, views=["low"]) as stream:
        stream.set_epoch(1)
        batches = iter(stream)
        walk([next(batches), next(batches), next(batches)])
        loader = DataLoader(stream.as_dataset(), batch_size=None, **way)
        assert walk(loader) == epochs[1][3:]
        assert walk(loader) == epochs[2]


STEPS = (0, 1, 4, 8, 9, 12)


@pytest.mark.parametrize(
    ("way", "steps"),
    [
        *((way, steps) for way in (FORKED[0], FORKED[3]) for steps in STEPS),
        *((way, 4) for way in FORKED[1:3]),
        *(pytest.param(way, steps, marks=pytest.mark.slow) for way in FORKED[1:3] for steps in STEPS if steps != 4),
        pytest.param(SPAWNED, 4, marks=pytest.mark.slow),
    ],
)
def test_a_stateful_loader_resumes_exactly(npy, epochs, way, steps):
    """After any batch, at an epoch's end too; in a stream of its own, as after a restart."""
    following = sum(epochs[:3], [])
    with open_stream(npy.path, batch_size=40, drop_last=False, views=["low"]) as stream:
        loader = StatefulDataLoader(stream.as_dataset(), batch_size=None, **way)
        seen, left = [], steps
        while left >= 9:
            seen += walk(loader)
            left -= 9
        if left or not steps:
            batches = iter(loader)
            seen += walk([next(batches) for _ in range(left)])
        state = json.loads(json.dumps(loader.state_dict()))
        batches = None
        assert seen == following[:steps]
    with open_stream(npy.path, batch_size=40, drop_last=False, views=["low"]) as stream:
        loader = StatefulDataLoader(stream.as_dataset(), batch_size=None, **way)
        loader.load_state_dict(state)
        assert walk(loader) == following[steps : (steps // 9 + 1) * 9]
        assert walk(loader) == epochs[steps // 9 + 1]


def test_the_state_of_a_dataset_without_workers_is_that_of_its_stream(npy, epochs):
    with open_stream(npy.path, batch_size=40, drop_last=False, views=["low"]) as stream:
        dataset = stream.as_dataset()
        batches = iter(DataLoader(dataset, batch_size=None))
        walk([next(batches) for _ in range(4)])
        assert dataset.state_dict() == stream.state_dict()
        state = dataset.state_dict()
    with open_stream(npy.path, batch_size=40, drop_last=False, views=["low"]) as stream:
        dataset = stream.as_dataset()
        dataset.load_state_dict(state)
        loader = DataLoader(dataset, batch_size=None, num_workers=2)
        assert walk(loader) == epochs[0][4:]
        with pytest.raises(PassbandError, match="the position is known to the workers of the DataLoader alone; save"):
            dataset.state_dict()
        assert walk(loader) == epochs[1]


@pytest.mark.parametrize(
    ("worker", "message"),
    [
        ([1, 2, 0], "the state is of worker 1 of 2 of a DataLoader, and this is no worker of a DataLoader"),
        ("x", "worker is 'x'; it must be a list"),
    ],
)
def test_the_state_of_a_worker_is_no_other_process_s(npy, worker, message):
    with open_stream(npy.path, batch_size=40) as stream:
        with pytest.raises(PassbandError, match=message):
            stream.load_state_dict(stream.state_dict() | {"worker": worker})


@pytest.mark.parametrize(
    "way", [*FORKED[:2], *(pytest.param(way, marks=pytest.mark.slow) for way in FORKED[2:])], ids=ids
)  # torch waits five seconds for the other workers, which it does not stop
def test_damage_is_named_by_a_worker_too(damaged, npy, way):
    name = npy.manifest.shards[3].tar.name
    flip(damaged / name, 5000)
    with open_stream(damaged, batch_size=50) as stream:
        with pytest.raises(IntegrityError, match=f"{name}: sha256 is"):
            list(DataLoader(stream.as_dataset(), batch_size=None, **way))


@pytest.mark.slow
@pytest.mark.parametrize("context", CONTEXTS)
def test_a_shard_is_compared_by_one_worker_for_all(npy, epochs, monkeypatch, tmp_path, context):
    """In every epoch anew otherwise, by every worker."""
    with open_stream(npy.path, batch_size=40, drop_last=False, views=["low"]) as stream:
        assert walk(stream) == epochs[0]  # compares all shards
        dataset = stream.as_dataset()
        monkeypatch.setattr(
            "passband.pipeline.loading.descriptors.Descriptor.sha256", None
        )  # a worker that forks cannot call it
        loader = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context=context)
        assert walk(loader) == epochs[1]
        checked = stream._source.opened.reader.checked.share()
        before = checked.words.copy()
        checked.words[:] = 0
        if context == "spawn":
            assert walk(loader) == epochs[2]
            assert checked.words.tolist() == before.tolist()


@pytest.mark.parametrize("context", CONTEXTS)
def test_workers_of_a_remote_dataset_fetch_into_one_folder_and_leave_none(
    npy, s3_server, tmp_path, monkeypatch, context
):
    import boto3

    from tests.pipeline.loading.test_remote import copied, files_in

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        boto3.client("s3").create_bucket(Bucket=f"workers-{context}")
        uri = copied(npy.path, f"s3://workers-{context}/set")
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        with open_stream(uri, batch_size=40, drop_last=False) as stream:
            loader = DataLoader(stream.as_dataset(), batch_size=None, num_workers=2, multiprocessing_context=context)
            for batch in loader:
                assert_holds(batch, npy, stream.views)
            tars = [name for name in files_in(tmp_path) if name.endswith(".tar")]
            assert sorted(tars) == sorted(f"{shard.tar.sha256}.tar" for shard in npy.manifest.shards)
        assert not [name for name in files_in(tmp_path) if name.endswith(".tar")]


def test_threads_and_batches_ahead_are_divided(npy):
    from passband.pipeline.loading.building import Delivery
    from passband.pipeline.loading.share import Share

    delivery = Delivery(8, 4, True)
    assert delivery.within(Share()) == delivery
    assert delivery.within(Share(1, 4, True)) == Delivery(2, 1, False)
    assert delivery.within(Share(0, 16, True)) == Delivery(1, 1, False)
