"""The same dataset in an object store: a real S3 server on loopback, through fsspec."""

import boto3
import pytest

from passband.jobs.dataset.spec import parse_job
from passband.jobs.generation.run import SilentDisplay, generate
from passband.jobs.generation.verify import repaired, verify
from passband.pipeline.store import open_store
from tests.jobs.generation.made import small_job, stored_bytes

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def bucket(s3_server):
    boto3.client("s3").create_bucket(Bucket="passband")
    return "s3://passband"


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    out = tmp_path_factory.mktemp("local")
    generate(small_job(out, output={"formats": ["webdataset", "ffcv"]}))
    return out


def job(uri):
    given = small_job(uri, output={"formats": ["webdataset", "ffcv"]}).resolved()
    return parse_job(given)


def fetched(uri, folder):
    store = open_store(uri)
    for name in [n for part in ("", "shards", "records") for n in store.names(part)]:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(store.read(name))
    return folder


def test_an_object_store_gets_the_same_bytes(bucket, local, tmp_path):
    generate(job(f"{bucket}/a"))
    assert stored_bytes(fetched(f"{bucket}/a", tmp_path)) == stored_bytes(local)
    assert list(verify(open_store(f"{bucket}/a"))) == []


@pytest.mark.slow
def test_a_run_resumes_and_repairs_there(bucket, local, tmp_path):
    uri = f"{bucket}/b"
    with pytest.raises(Exception, match="1 of 8 shards failed"):
        generate(job(uri), faults={4: ("raise",) * 3})
    generate(job(uri))
    store = open_store(uri)
    content = bytearray(store.read("shards/small-000001.tar"))
    content[700] ^= 1
    store.put("shards/small-000001.tar", bytes(content))
    problems = list(verify(store))
    assert [problem.shard for problem in problems] == [1]
    repaired(store, problems, SilentDisplay())
    assert list(verify(store)) == []
    assert stored_bytes(fetched(uri, tmp_path)) == stored_bytes(local)
