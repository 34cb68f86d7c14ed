"""More classes than ``job.yaml`` is read with are refused as the job is planned."""

import pytest
import yaml

from passband.jobs.common.yamlsize import MAX_NODES
from passband.jobs.common.yamltext import parse_yaml
from passband.jobs.dataset.plan import PlanError
from passband.jobs.dataset.storable import refuse_unreadable
from tests.jobs.dataset.test_planning import write_job
from tests.pipeline.sources import files


@pytest.mark.parametrize("command", ["plan", "run"])
def test_more_classes_than_a_job_is_read_with_are_refused_before_anything_is_stored(passband, tmp_path, command):
    files.write_parquet(tmp_path / "a.parquet", label=lambda n: n)
    path = write_job(tmp_path, {"kind": "parquet", "path": str(tmp_path / "a.parquet"), "classes": MAX_NODES + 50})
    status, _, said = passband(command, path)
    assert (status, said.count("\n")) == (1, 1)
    assert "500,050 classes make 500," in said
    assert "at most 490,000 can be stored there" in said
    assert not (tmp_path / "out").exists()


def test_names_that_are_long_altogether_are_refused():
    with pytest.raises(PlanError, match=r"the names of 20,000 classes make job.yaml 19\.\d MB long; at most 15 MB can"):
        refuse_unreadable({"classes": [f"{n:01000}" for n in range(20_000)]}, 20_000)


def test_as_many_as_are_allowed_can_be_read_again():
    given = {"classes": [f"{n:01000}" for n in range(12_000)]}
    refuse_unreadable(given, 12_000)
    assert parse_yaml(yaml.dump(given, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper))) == given
