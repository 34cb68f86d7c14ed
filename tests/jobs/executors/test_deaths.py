"""Whatever process of a run is killed, whenever: one sentence, nothing left behind, and the next run finishes."""

import re
import subprocess
import tempfile
from pathlib import Path

import pytest

from passband.jobs.dataset.spec import load_job
from passband.jobs.generation.run import generate
from tests.jobs.cluster.heads import job_file
from tests.jobs.executors.deaths import PHASES, ROLES, command, killed_run
from tests.jobs.generation.made import stored_bytes

SHARDS = 89
CASES = [
    *((roles, phase) for roles in [(role,) for role in ROLES] for phase in PHASES),
    (("worker", "environments"), "start"),
    (("worker", "environments"), "middle"),
    (("driver",), "start"),
    (("driver",), "middle"),
    (("driver",), "end"),
]
QUICK = [(("gcs",), "start"), (("worker", "environments"), "start")]
NATIVE = re.compile(r"^\[20\d\d-|\.cc:\d+|\.h:\d+|Traceback|ray\.exceptions|^\*\*\*", re.MULTILINE)
SENTENCES = re.compile(
    r"passband: (Ray broke off while it (started|ended): a server of it was killed, or ran out of memory"
    r"|Ray does not start: a server of it ended, or the machine is too busy"
    r"|the Ray cluster at 127\.0\.0\.1:\d+ (is gone|has no live node)"
    r"|no worker starts: its process died); run it again: what is finished is kept"
)


def big_job(folder: Path) -> Path:
    views = ["clean", {"prime": {"preset": "cifar"}, "copies": 6}]
    output = {"uri": str(folder / "killed"), "samples_per_shard": 4}
    return job_file(folder, "killed", image={"size": 32}, views=views, output=output)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inline")
    generate(load_job(big_job(folder)).with_compute(executor="inline"))
    return stored_bytes(folder / "killed")


@pytest.fixture
def temporary():
    with tempfile.TemporaryDirectory(prefix="pb", dir="/tmp") as folder:
        yield Path(folder)


@pytest.mark.timeout(1800)  # two runs, of which one may wait for a minute for what is not there any more
@pytest.mark.parametrize(
    ("roles", "phase"),
    [
        pytest.param(
            *case, id="-".join([*case[0], case[1]]), marks=pytest.mark.slow if case in QUICK else pytest.mark.campaign
        )
        for case in CASES
    ],
)
def test_a_run_that_loses_processes_says_so_in_a_sentence_and_is_finished_by_the_next(
    tmp_path, temporary, expected, roles, phase
):
    job = big_job(tmp_path)
    death = killed_run(job, tmp_path / "killed", SHARDS, roles, phase, temporary)
    last = death.err.splitlines()[-1]
    print(f"{'+'.join(roles)} {phase}: status {death.status} after {death.seconds:.1f} s; {last}")
    assert death.killed == len(roles) or death.status == 0  # it may be done before its end is seen
    assert death.left == []
    assert NATIVE.search(death.err) is None, death.err
    if roles == ("driver",):
        assert death.status in (0, -9)
    else:
        assert death.status in (0, 1)
        assert death.status == 0 or SENTENCES.fullmatch(last), death.err
    again = subprocess.run(command(job), capture_output=True, text=True, timeout=900)
    assert again.returncode == 0, again.stderr
    assert stored_bytes(tmp_path / "killed") == expected
