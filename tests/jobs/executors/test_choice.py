"""Which executor a job gets, and what its workers reserve."""

from dataclasses import dataclass
from typing import Any

import pytest

from passband.jobs.executors.base import ExecutorError, Retries
from passband.jobs.executors.choice import Choice, choose, open_executor, usable_cpus
from passband.jobs.generation.run import generate
from tests.jobs.generation.made import small_job


@dataclass(frozen=True)
class AskingForCpus:
    """Tells what its worker reserves, and how many threads it may use."""

    name: str = "question"

    def run(self, attempt: int) -> Any:
        import os

        import ray

        reserved = ray.get_runtime_context().get_assigned_resources()["CPU"]
        return reserved, os.environ["OMP_NUM_THREADS"]


@pytest.mark.parametrize("threads", [None, 1, 2])
def test_a_ray_worker_reserves_a_cpu_for_each_of_its_threads(threads, ray_session):
    choice = choose("ray", 1, None, threads=threads)
    with open_executor(choice, Retries(1), 60.0, 1, lambda: None) as executor:
        (outcome,) = executor.run([AskingForCpus()])
    assert outcome.record == (threads or 1, str(threads or 1))


def test_threads_of_a_job_reach_what_its_workers_reserve(tmp_path, ray_session):
    compute = {"executor": "ray", "workers": 1, "threads": 4}  # more than the session has
    with pytest.raises(ExecutorError, match="it needs {'CPU': 4, 'GPU': 0}"):
        generate(small_job(tmp_path / "set", compute=compute))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (("auto", None, None), Choice("inline", 1, usable_cpus())),
        (("auto", None, None, 0, 3), Choice("inline", 1, 3)),
        (("auto", 2, None), Choice("ray", 2, 1)),
        (("auto", 2, None, 0, 3), Choice("ray", 2, 3)),
        (("ray", None, None), Choice("ray", usable_cpus(), 1)),
        (("ray", None, None, 0, usable_cpus()), Choice("ray", 1, usable_cpus())),
        (("ray", None, None, 0, 10 * usable_cpus()), Choice("ray", 1, 10 * usable_cpus())),
        (("auto", None, "host:1", 0, 4), Choice("ray", max(1, usable_cpus() // 4), 4, "host:1", True)),
        (("auto", 1, None, 1), Choice("inline", 1, usable_cpus())),
        (("ray", 1, None, 1), Choice("ray", 1, usable_cpus(), gpus=1)),
        (("ray", 1, None, 1, 5), Choice("ray", 1, 5, gpus=1)),
    ],
    ids=str,
)
def test_the_choice(asked, expected):
    assert choose(*asked) == expected
