import json
import os
import pty
import subprocess
import sys

import jsonschema
import pytest
import yaml
from PIL import Image

from passband.jobs.dataset.spec import load_job
from passband.jobs.generation.run import generate
from tests.jobs.generation.made import small_job, stored_bytes


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "out"
    generate(small_job(out))
    return out


@pytest.fixture
def job_file(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(small_job(tmp_path / "out").resolved()))
    return path


def test_run_says_what_it_made(passband, job_file, tmp_path):
    status, out, err = passband("run", job_file)
    assert status == 0
    assert "355 samples x 3 views" in out
    assert "report.html" in out
    assert "small: 355 samples x 3 views in 8 shards" in err
    assert "shards 8/8" in err
    assert (tmp_path / "out" / "report.html").exists()


def test_run_speaks_json_lines(passband, job_file, tmp_path):
    status, out, err = passband("run", job_file, "--json", "--output", tmp_path / "other")
    assert (status, err) == (0, "")
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["event"] for event in events[:3]] == ["job", "planning", "started"]
    assert [e["done"] for e in events if e["event"] == "progress"] == list(range(1, 9))
    assert events[-1]["event"] == "finished"
    assert (tmp_path / "other" / "manifest.json").exists()
    assert not (tmp_path / "out").exists()


def test_run_draws_on_a_narrow_terminal(job_file):
    main, terminal = pty.openpty()
    environment = os.environ | {"COLUMNS": "60", "LINES": "20", "TERM": "xterm"}
    command = [sys.executable, "-m", "passband", "run", str(job_file)]
    child = subprocess.Popen(command, stderr=terminal, stdout=subprocess.PIPE, env=environment)
    os.close(terminal)
    drawn = b""
    while True:
        try:
            piece = os.read(main, 4096)
        except OSError:
            break
        if not piece:
            break
        drawn += piece
    assert child.wait() == 0
    child.stdout.close()
    os.close(main)
    text = drawn.decode()
    assert "samples/s" in text
    assert "ETA" in text
    assert "8/8 shards" in text


def test_a_bad_job_is_told_without_a_traceback(passband, tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(
        "kind: generate\nname: x\nsource: {kind: digits}\nimage: {size: 16}\nviews: [clean, {radial: {low: -3}}]\n"
    )
    status, _, err = passband("run", path)
    assert status == 1
    assert "views[1].radial.low: got -3" in err
    assert "output: " in err
    assert "Traceback" not in err


def test_plan_tells_cost_and_writes_nothing(passband, job_file, tmp_path):
    status, out, _ = passband("plan", job_file)
    assert status == 0
    assert "355 x 3 views of 10 classes" in out
    assert "shards   8" in out
    status, out, _ = passband("plan", job_file, "--json")
    found = json.loads(out)
    made = sum(path.stat().st_size for path in _run(job_file).glob("shards/*"))
    assert found["bytes"] == pytest.approx(made, rel=0.1)
    assert found["seconds"] > 0


def _run(job_file):
    out = job_file.parent / "out"
    assert not out.exists()
    generate(load_job(job_file))
    return out


def test_status_reads_the_output_alone(passband, dataset, tmp_path):
    status, out, _ = passband("status", dataset)
    assert (status, "finished" in out, "8 of 8 done" in out) == (0, True, True)
    with pytest.raises(Exception, match="1 of 8 shards failed"):
        generate(small_job(tmp_path / "part"), faults={3: ("raise",) * 3})
    status, out, _ = passband("status", tmp_path / "part", "--json")
    found = json.loads(out)
    assert (found["state"], found["done"], found["shards"]) == ("unfinished", 7, 8)
    assert "injected fault" in found["failed"]["3"]
    generate(small_job(tmp_path / "part"))
    assert json.loads(passband("status", tmp_path / "part", "--json")[1])["failed"] == {}
    status, _, err = passband("status", tmp_path)
    assert (status, "no job.yaml" in err) == (1, True)


def test_verify_and_repair(passband, dataset, tmp_path):
    generate(small_job(tmp_path))
    assert passband("verify", tmp_path)[0] == 0
    victim = tmp_path / "shards" / "small-000002.tar"
    victim.write_bytes(victim.read_bytes()[:-1] + b"x")
    status, out, err = passband("verify", tmp_path)
    assert (status, "small-000002.tar: sha256" in out) == (1, True)
    assert err == f"1 thing is not as recorded; passband verify {tmp_path} --repair makes it again\n"
    status, out, err = passband("verify", tmp_path, "--json")
    assert (status, len(json.loads(out)["problems"]), err) == (1, 1, "")
    status, out, _ = passband("verify", tmp_path, "--repair")
    assert (status, "remade 1 shard: 2" in out) == (0, True)
    assert stored_bytes(tmp_path) == stored_bytes(dataset)


@pytest.mark.parametrize("where", [[], ["--cache", "cache"]])
def test_run_looks_at_what_is_there_unless_it_is_told_to_trust_it(passband, job_file, tmp_path, monkeypatch, where):
    """A cached dataset is one too: found finished, it was not looked at."""
    monkeypatch.chdir(tmp_path)
    assert passband("run", job_file, *where)[0] == 0
    (victim,) = tmp_path.rglob("small-000002.tar")
    content = victim.read_bytes()
    victim.write_bytes(content[:-1] + b"x")
    status, _, err = passband("run", job_file, *where, "--trust")
    assert (status, "comparing only the sizes of 8 shards made before\n" in err) == (0, True)
    assert victim.read_bytes() != content
    status, _, err = passband("run", job_file, *where)
    assert (status, "checking 8 shards made before\n" in err) == (0, True)
    assert "small-000002.tar: sha256 is" in err
    assert "; the shard is made again\n" in err
    assert victim.read_bytes() == content
    victim.unlink()
    (manifest,) = tmp_path.rglob("manifest.json")
    manifest.write_text("{")
    status, _, err = passband("run", job_file, *where, "--trust")
    assert (status, victim.read_bytes() == content) == (0, True)
    assert passband("verify", manifest.parent)[0] == 0


def test_status_does_not_call_a_dataset_finished_that_does_not_open(passband, tmp_path):
    generate(small_job(tmp_path))
    (tmp_path / "manifest.sha256").unlink()
    found = json.loads(passband("status", tmp_path, "--json")[1])
    assert found["state"] == "unfinished"
    assert "manifest.sha256, which was written with it, is missing" in found["problems"][0]
    generate(small_job(tmp_path))
    found = json.loads(passband("status", tmp_path, "--json")[1])
    assert (found["state"], found["problems"]) == ("finished", [])


def test_inspect_shows_dataset_shard_sample_and_sheet(passband, dataset, tmp_path):
    found = json.loads(passband("inspect", dataset, "--json")[1])
    assert (found["samples"], found["shards"]) == (355, 8)
    assert json.loads(passband("inspect", dataset, "--shard", 3, "--json")[1])["shard"] == 3
    sample = json.loads(passband("inspect", dataset, "--sample", 100, "--json")[1])
    assert sample["index"] == 100
    by_key = json.loads(passband("inspect", dataset, "--sample", sample["key"], "--json")[1])
    assert by_key == sample
    for options in ([], ["--shard", 2], ["--sample", 100]):
        sheet = tmp_path / "sheet.png"
        assert passband("inspect", dataset, "--sheet", sheet, *options)[0] == 0
        with Image.open(sheet) as image:
            assert min(image.size) > 50
        sheet.unlink()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shard", 99], "shards 0 to 7, there is no 99"),
        (["--sample", "nobody"], "no sample with key or index 'nobody'"),
    ],
)
def test_inspect_names_what_is_not_there(passband, dataset, options, message):
    status, _, err = passband("inspect", dataset, *options)
    assert status == 1
    assert message in err


def test_export_writes_a_beton(passband, tmp_path):
    generate(small_job(tmp_path))
    status, out, _ = passband("export", tmp_path)
    assert (status, "small.beton" in out) == (0, True)
    assert passband("verify", tmp_path)[0] == 0


def test_schema_accepts_what_we_ship(passband, request):
    schemas = {kind: json.loads(passband("schema", kind)[1]) for kind in ("generate", "train", "evaluate", "analyze")}
    assert json.loads(passband("schema")[1]) == schemas["generate"]
    for recipe in (request.config.rootpath / "jobs" / "recipes").glob("*.yaml"):
        job = yaml.safe_load(recipe.read_text())
        jsonschema.validate(job, schemas[job["kind"]])
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(job | {"sead": 1}, schemas[job["kind"]])


def test_stages_lists_everything(passband):
    text = passband("stages")[1]
    for word in ("prime", "radial", "svd", "preset", "imagefolder", "mnist5k"):
        assert word in text
    found = json.loads(passband("stages", "--json")[1])
    assert found["stages"]["radial"]["options"]["high"]


@pytest.mark.parametrize(
    "words",
    [
        ["status", "{out}/job.yaml"],
        ["verify", "{out}/job.yaml"],
        ["export", "{out}/nothing"],
        ["inspect", "{out}", "--sheet", "{out}/nothing/sheet.png"],
        ["inspect", "{out}", "--sheet", "{out}/shards"],
        ["run", "{out}/shards"],
        ["status", "s3://no-such-bucket-of-ours/x"],
    ],
)
def test_what_cannot_be_is_one_line(passband, dataset, words, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # nobody listens there
    status, out, err = passband(*(word.format(out=dataset) for word in words))
    assert (status, out) == (1, "")
    assert err.startswith("passband: ")
    assert err.count("\n") == 1
    assert not (dataset / "nothing").exists()


def test_inline_is_allowed_over_a_file_that_names_workers(passband, job_file, tmp_path):
    given = yaml.safe_load(job_file.read_text())
    given["compute"] = {"workers": 2}
    job_file.write_text(yaml.safe_dump(given))
    assert passband("run", job_file, "--executor", "inline")[0] == 0
