"""What a dry run tells of the images, and what a run repeats of it."""

import json
import os

import pytest
import yaml

from passband.jobs.dataset.blueprint import read_blueprint
from passband.jobs.dataset.plan import make_plan
from passband.jobs.dataset.spec import parse_job
from passband.jobs.generation.run import generate
from passband.pipeline.store import open_store
from tests.pipeline.sources import files


def folder(tmp_path, names=("cat", "dog")):
    root = files.write_folder(tmp_path / "photos", names)
    (root / "bird").mkdir()
    (root / ".git").mkdir()
    (root / "cat" / "._0.png").write_bytes(b"")
    return root


def make_job(tmp_path, source):
    return parse_job(
        {
            "kind": "generate",
            "name": "x",
            "source": source,
            "image": {"size": 16},
            "views": ["clean"],
            "output": {"uri": str(tmp_path / "out")},
            "compute": {"executor": "inline"},
        }
    )


def write_job(tmp_path, source):
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(make_job(tmp_path, source).resolved()))
    return path


@pytest.mark.parametrize(
    ("size", "fit", "enlarged"),
    [
        (16, "crop", 0),  # of 16 pixels and more; the others are 6 x 9
        ([6, 9], "crop", 0),
        ([7, 9], "crop", 3),
        ([7, 9], "pad", 0),
        ([7, 10], "pad", 3),
        ([6, 10], "stretch", 3),
        ("native", "crop", 0),
    ],
)
def test_plan_tells_how_many_images_are_enlarged(passband, tmp_path, size, fit, enlarged):
    from PIL import Image

    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
    sides = [(9, 6)] * 3 if size != 16 else [(30, 16), (16, 16), (20, 40)]
    for number, side in enumerate(sides):
        Image.new("RGB", side).save(tmp_path / "photos" / "cat" / f"{number}.png")
    job = make_job(tmp_path, {"kind": "imagefolder", "path": str(tmp_path / "photos")}).resolved()
    job["image"] = {"size": size, "fit": fit}
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(job))
    status, out, _ = passband("plan", path)
    assert status == 0
    lines = [line for line in out.splitlines() if line.startswith("enlarged")]
    said = f"enlarged 3 images are smaller than {' x '.join(map(str, size))}" if enlarged else ""
    assert lines == ([said] if enlarged else [])
    assert json.loads(passband("plan", path, "--json")[1])["enlarged"] == enlarged


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")


def test_plan_tells_classes_counts_and_what_is_left_out(passband, tmp_path):
    path = write_job(tmp_path, {"kind": "imagefolder", "path": str(folder(tmp_path)), "ignore": ["2.*"]})
    status, out, _ = passband("plan", path)
    assert status == 0
    lines = out.splitlines()
    assert "samples  4 x 1 views of 3 classes" in lines
    assert "classes  bird, cat, dog" in lines
    assert "images   0 to 2 a class" in lines
    assert "empty    no image in 1 of 3 classes: bird" in lines
    assert "left out 2 hidden (.git/, cat/._0.png)" in lines
    assert "left out 2 ignored (cat/2.PNG, dog/2.PNG)" in lines
    found = json.loads(passband("plan", path, "--json")[1])
    assert (found["classes"], found["class_counts"]) == (["bird", "cat", "dog"], [0, 2, 2])
    assert found["empty_classes"] == ["bird"]
    assert found["skipped"][1] == {
        "source": "imagefolder",
        "reason": "ignored",
        "count": 2,
        "examples": ["cat/2.PNG", "dog/2.PNG"],
    }
    assert found["warnings"] == []


def test_plan_is_readable_on_a_narrow_terminal(passband, tmp_path):
    names = [f"class number {n} of a long list" for n in range(200)]
    for split in ("train", "val"):
        files.write_parquet(tmp_path / f"data/{split}-0.parquet", label=lambda n: names[n])
    (tmp_path / "data" / ".cache").mkdir()
    path = write_job(tmp_path, {"kind": "parquet", "path": str(tmp_path / "data"), "classes": names})
    lines = passband("plan", path)[1].splitlines()
    assert max(map(len, lines[1:])) <= 60
    text = " ".join(" ".join(lines).split())
    assert "class number 11 of a long list and 188 more" in text
    assert "no image in 190 of 200 classes: class number 10 of" in text
    assert "warning files of the splits train, validation are taken together: the option 'split' takes one" in text
    assert json.loads(passband("plan", path, "--json")[1])["classes"] == names


def test_a_run_says_warnings_once_and_the_card_keeps_them(passband, tmp_path):
    (tmp_path / "data").mkdir()
    for split in ("train", "test"):
        files.write_parquet(tmp_path / f"data/{split}-0.parquet", count=2)
    path = write_job(tmp_path, {"kind": "parquet", "path": str(tmp_path / "data"), "classes": 3})
    status, _, err = passband("run", path)
    assert status == 0
    assert err.count("warning: files of the splits train, test are taken together") == 1
    assert err.count("warning: no image in 1 of 3 classes: 2\n") == 1
    assert read_blueprint(open_store(tmp_path / "out")).warnings[0].startswith("files of the splits train, test")
    for name in ("report.html", "README.md"):
        text = (tmp_path / "out" / name).read_text()
        assert "files of the splits train, test are taken together" in text
        assert "No image in 1 of 3 classes: 2." in text
    assert "no image in" not in passband("run", path)[2]


def test_several_sources_are_told_apart(tmp_path, passband):
    root, other = folder(tmp_path), files.write_folder(tmp_path / "other", ("bird", "cat", "dog"))
    sources = [
        {"kind": "imagefolder", "path": str(root), "domain": "real"},
        {"kind": "imagefolder", "path": str(other), "domain": "drawn", "split": "dog"},
    ]
    out = passband("plan", write_job(tmp_path, sources))[1]
    assert "left out real: 2 hidden (.git/, cat/._0.png)" in out
    assert "warning  drawn: the folder 'dog' is taken as a class" in out


@pytest.mark.parametrize("kind", ["parquet", "webdataset", "imagefolder"])
def test_options_that_only_say_where_images_lie_are_no_part_of_the_identity(tmp_path, kind):
    """An `ignore` that leaves out nothing changes nothing, but in imagefolder, where it always counted."""
    root = tmp_path / "data"
    if kind == "parquet":
        files.write_parquet(root / "a.parquet")
    elif kind == "webdataset":
        files.write_shards(root)
    else:
        files.write_folder(root)
    source = {"kind": kind, "path": str(root)}
    made = generate(make_job(tmp_path, source))
    again = make_job(tmp_path, source | {"path": f"{root}/"})
    assert generate(again).identity == made.identity
    if kind != "imagefolder":
        assert generate(make_job(tmp_path, source | {"ignore": ["x"]})).identity == made.identity


def test_the_plan_of_a_split_is_that_of_its_folder(tmp_path):
    for split in ("train", "test"):
        files.write_folder(tmp_path / "data" / split)
    plans = [
        make_plan(make_job(tmp_path, {"kind": "imagefolder", "path": os.fspath(path), "split": "train"}))
        for path in (tmp_path / "data", tmp_path / "data" / "train")
    ]
    assert plans[0].table == plans[1].table
    assert plans[0].fingerprint == plans[1].fingerprint
