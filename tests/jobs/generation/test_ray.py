"""Generation on real Ray: the same bytes as inline, whatever happens to the workers."""

import json

import pytest

from passband.jobs.generation.ledger import ShardsFailedError
from passband.jobs.generation.run import generate
from tests.jobs.generation.made import small_job, stored_bytes

FORMATS = {"formats": ["webdataset", "ffcv"]}


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    out = tmp_path_factory.mktemp("inline")
    generate(small_job(out, output=FORMATS))
    return stored_bytes(out)


@pytest.mark.usefixtures("ray_session")
@pytest.mark.parametrize(
    ("workers", "batch_size"),
    [pytest.param(1, 256, marks=pytest.mark.slow), (2, 7), pytest.param(2, 256, marks=pytest.mark.slow)],
)
def test_workers_change_no_byte(tmp_path, expected, workers, batch_size):
    compute = {"executor": "ray", "workers": workers, "batch_size": batch_size}
    generate(small_job(tmp_path, output=FORMATS, compute=compute))
    assert stored_bytes(tmp_path) == expected


@pytest.mark.slow
@pytest.mark.usefixtures("ray_session")
def test_faults_on_workers_change_no_byte_and_are_counted(tmp_path, expected):
    compute = {"executor": "ray", "workers": 2, "task_timeout_s": 30.0}
    faults = {1: ("raise",), 3: ("die",), 5: ("hang", "raise"), 6: ("die", "die")}
    generate(small_job(tmp_path, output=FORMATS, compute=compute), faults=faults)
    assert stored_bytes(tmp_path) == expected
    records = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("records/*.json"))]
    assert [record["attempts"] for record in records] == [1, 2, 1, 2, 1, 3, 3, 1]


@pytest.mark.slow
@pytest.mark.usefixtures("ray_session")
def test_poisoned_shards_are_named_by_cause_and_the_others_are_made(tmp_path, expected):
    compute = {"executor": "ray", "workers": 2, "task_timeout_s": 8.0, "max_attempts": 2}
    faults = {0: ("raise",) * 2, 4: ("die",) * 2, 7: ("hang",) * 2}
    with pytest.raises(ShardsFailedError) as error:
        generate(small_job(tmp_path, output=FORMATS, compute=compute), faults=faults)
    text = str(error.value)
    assert "3 of 8 shards failed; 5 are done" in text
    assert "shard 000000: RuntimeError: injected fault" in text
    assert "shard 000004: the worker process died" in text
    assert "shard 000007: killed, as it was not done after 8 s" in text
    generate(small_job(tmp_path, output=FORMATS))  # inline finishes what Ray began
    assert stored_bytes(tmp_path) == expected
