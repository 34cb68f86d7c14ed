"""Full disks, unwritable outputs, and memory."""

import os
import resource
import subprocess
import sys

import pytest
import yaml

from passband.jobs.generation.run import generate
from passband.pipeline.errors import OutputError
from tests.jobs.generation.made import small_job, stored_bytes
from tests.pipeline.sources.files import png


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    generate(small_job(out))
    return stored_bytes(out)


@pytest.fixture
def full_disk(tmp_path):
    """Mount a file system of 1 MiB: it holds some shards of the small job and not all."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount a small file system: {mounted.stderr.decode().strip()}")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize("executor", ["inline", "threads", pytest.param("ray", marks=pytest.mark.slow)])
def test_a_full_disk_is_one_sentence_and_loses_no_finished_shard(full_disk, expected, executor, request):
    if executor == "ray":
        request.getfixturevalue("ray_session")
    job = small_job(full_disk / "out", compute={"executor": executor})
    with pytest.raises(OutputError, match=r"^cannot write to .*: no space left; finished shards are kept[^\n]*$"):
        generate(job)
    done = len(list(full_disk.glob("out/records/*.json")))
    assert 0 < done < 8
    if executor != "ray":  # a worker of Ray may die a moment later; the next run sweeps what it leaves
        assert not list(full_disk.rglob(".passband-*"))
    subprocess.run(["mount", "-o", "remount,size=16m", str(full_disk)], check=True)
    generate(job)
    assert stored_bytes(full_disk / "out") == expected
    assert not list(full_disk.rglob(".passband-*"))


def test_a_limit_on_file_size_is_one_sentence(tmp_path):
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(small_job(tmp_path / "out").resolved()))
    command = [sys.executable, "-m", "passband", "run", str(tmp_path / "job.yaml")]
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # noqa: E731
    child = subprocess.run(command, preexec_fn=limit, capture_output=True, text=True)
    assert child.returncode == 1
    assert "file size limit reached; finished shards are kept, and the same command resumes" in child.stderr
    assert "Traceback" not in child.stderr


def test_an_output_that_is_a_file_is_one_sentence(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match="cannot write to .*out"):
        generate(small_job(tmp_path / "out"))


MEASURE = """
import sys
import numpy
from passband.jobs.generation.run import generate
from passband.jobs.dataset.spec import load_job
from tests.peak import peak_bytes
generate(load_job(sys.argv[1]))
print(peak_bytes() // 1024)
"""


def peak_kib(tmp_path, samples):
    """Peak memory of a run over `samples` images of 96x96 in a folder."""
    folder, content = tmp_path / f"images-{samples}", png(7, 96, 96)
    for number in range(samples):
        path = folder / f"class{number % 4}" / f"{number:06d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    job = small_job(
        tmp_path / f"out-{samples}", image={"size": 96}, views=["clean", {"radial": {"high": 8}}],
        output={"samples_per_shard": 128}, compute={"batch_size": 32, "batch_bytes": 2_000_000},
    )  # fmt: skip
    given = job.resolved() | {"source": {"kind": "imagefolder", "path": str(folder)}}
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(given))
    child = subprocess.run([sys.executable, "-c", MEASURE, str(tmp_path / "job.yaml")], capture_output=True, text=True)
    assert child.returncode == 0, child.stderr
    return int(child.stdout)


@pytest.mark.slow
def test_pixel_memory_does_not_grow_with_the_number_of_samples(tmp_path):
    few, many = peak_kib(tmp_path, 512), peak_kib(tmp_path, 4096)
    pixels_kib = (4096 - 512) * 96 * 96 * 3 / 1024
    keys_kib = (4096 - 512) * 200 / 1024
    noise_kib = 24 * 1024  # allocator and page cache of Arrow; a tenth of what all pixels would take
    assert noise_kib < pixels_kib / 3
    assert many - few < keys_kib + noise_kib, f"{few} KiB for 512 samples, {many} KiB for 4,096"


@pytest.mark.slow
def test_the_key_list_takes_at_most_200_bytes_a_sample(tmp_path):
    """Plan 20,000 and 100,000 samples of a Parquet file with keys of 40 bytes, and compare the peaks."""
    script = (
        "import sys\nfrom tests.peak import peak_bytes\n"
        "from passband.jobs.dataset.spec import parse_job\nfrom passband.jobs.dataset.plan import make_plan\n"
        "job = parse_job({'kind': 'generate', 'name': 'x', 'image': {'size': 8}, 'views': ['clean'],"
        " 'source': {'kind': 'parquet', 'path': sys.argv[1], 'key': 'key'}, 'output': {'uri': 'unused'}})\n"
        "plan = make_plan(job)\nassert len(plan.table) == int(sys.argv[2])\n"
        "print(plan.table.nbytes, peak_bytes())\n"
    )
    found = {}
    for samples in (20_000, 220_000):
        path = tmp_path / f"{samples}.parquet"
        write_keys(path, samples)
        command = [sys.executable, "-c", script, str(path), str(samples)]
        found[samples] = [int(word) for word in subprocess.check_output(command, text=True).split()]
    (small, small_peak), (large, large_peak) = found.values()
    assert (large - small) / 200_000 <= 200
    assert (large_peak - small_peak) / 200_000 <= 600  # sorted and shuffled: three lists for a moment


def write_keys(path, samples):
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = png(1, 2, 2)
    schema = pa.schema([("image", pa.binary()), ("label", pa.int64()), ("key", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, samples, 1000):
            rows = range(start, start + 1000)
            columns = [
                [content] * 1000,
                [row % 10 for row in rows],
                [f"train/n0123456/image_{row:010d}.JPEG" for row in rows],
            ]
            writer.write_table(pa.table(columns, schema=schema))
