"""A newcomer's first job: it says what was found, passes `passband plan` as it is, and shows what a run stores."""

import json
import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from passband.jobs.commands.shared import stop
from passband.jobs.dataset.plan import make_plan
from passband.jobs.dataset.spec import load_job, parse_job
from passband.jobs.generation.run import generate
from passband.jobs.init import first_job, survey
from passband.jobs.init.preview import preview_samples
from passband.pipeline.formats.webdataset.decode import read_shard
from passband.pipeline.manifest import read_manifest
from passband.pipeline.sources.imagefolder import ImageFolder
from passband.pipeline.store import open_store
from tests.jobs.init.made import write_images
from tests.pipeline.sources import files


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Commands are given in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def init(passband, *words):
    """Call the command without a picture and return the job as YAML reads it, its text and what was warned of."""
    status, out, err = passband("init", *words, "--no-sheet")
    assert status == 0, err
    path = re.search("^wrote (.*)$", out, re.MULTILINE).group(1)
    text = Path(path).read_text(encoding="utf-8")
    assert make_plan(load_job(path)).table.num_rows > 0
    return yaml.safe_load(text), text, err


def refused(passband, *words):
    status, out, err = passband("init", *words)
    assert (status, out, err.count("\n")) == (1, "", 1), err
    return err.removeprefix("passband: ").rstrip("\n")


def test_a_folder_becomes_a_job_and_a_picture(passband, here):
    write_images(here / "pets", count=12, size=(300, 240), suffix="jpg")
    status, out, err = passband("init", "pets")
    assert (status, err.replace("compiling the kernels, once; it takes half a minute\n", "")) == (0, "")
    assert out == (
        "24 images in 2 classes\nwrote pets.yaml\nlook at pets.png\nnext:\n"
        "  passband plan pets.yaml\n  passband run pets.yaml\n"
    )
    text = (here / "pets.yaml").read_text()
    assert "# 24 images in 2 classes: cat: 12, dog: 12.\n" in text
    assert "# Width x height: all 300x240; 24 JPEG.\n" in text
    assert "# The median of the shorter sides is 240 pixels; 224 is the largest usual size" in text
    job = load_job("pets.yaml")
    assert [name for name, _ in job.view_recipes()] == ["clean", "prime-1", "prime-2", "low", "high"]
    assert (job.image.size, job.output.uri) == ([224, 224], "runs/pets")
    with Image.open("pets.png") as sheet:
        assert sheet.width > 5 * 224
        assert sheet.height > 10 * 224
    status, out, err = passband("plan", "pets.yaml")
    assert (status, "24 x 5 views of 2 classes" in out) == (0, True), err
    assert sorted(os.listdir(here)) == ["pets", "pets.png", "pets.yaml"]


def test_the_picture_shows_what_a_run_stores(passband, here):
    """Among them a folder with a damaged image: its place is taken by another."""
    write_images(here / "pets", ("cat", "dog", "eel"), count=5, size=(32, 32))
    (here / "pets" / "eel" / "9.png").write_bytes((here / "pets" / "eel" / "1.png").read_bytes()[:100])
    init(passband, "pets")
    job = load_job("pets.yaml").model_copy(update={"bad_images": 1})
    shown = preview_samples(job, make_plan(job, unread=True))
    assert len(shown) == 10
    assert sorted({sample.label for sample in shown}) == [0, 1, 2]
    generate(job)
    store = open_store(job.output.uri)
    manifest = read_manifest(store)
    stored = {sample.index: sample for shard in manifest.shards for sample in read_shard(store, manifest, shard)}
    for sample in shown:
        assert (sample.key, sample.label) == (stored[sample.index].key, stored[sample.index].label)
        for view, same in zip(sample.views, stored[sample.index].views, strict=True):
            assert np.array_equal(view, same)


def test_an_unread_plan_is_the_plan_but_for_the_hashes(here):
    write_images(here / "pets")
    job = parse_job(
        {
            "kind": "generate",
            "name": "x",
            "source": {"kind": "imagefolder", "path": "pets"},
            "image": {"size": 32},
            "views": ["clean"],
            "output": {"uri": "out"},
        }
    )
    unread, read = make_plan(job, unread=True), make_plan(job)
    assert unread.table.drop_columns("sha256").equals(read.table.drop_columns("sha256"))
    assert set(unread.table["sha256"].to_pylist()) == {bytes(32)}
    assert unread.class_counts == read.class_counts == [12, 12]


STRANGE = [
    *("my photos", "a: b", 'it\'s "quoted"', "日本", "1e3", "null", "yes", "007", "x - y", "[a]", "{b}", "#hash", "é"),
    *("%TAG", "a\\b", "*star", "&amp", "!tag", "@at", "`tick`", "2024-01-02", "0x1f", "a # b", "? q", "}, x: {y"),
    *("\U0001f408", "a\u2028b", "a\tb", "\u202ex", "\ufeffx", "x" * 240),
]


@pytest.mark.parametrize("name", STRANGE)
def test_any_name_of_a_folder_or_class_is_read_back(passband, here, name):
    write_images(here / name, (name, "other"), count=2)
    job, text, _ = init(passband, name, "--output", "job.yaml")
    assert job["source"]["path"] == name
    status, out, err = passband("plan", "job.yaml", "--json")
    assert (status, sorted(json.loads(out)["classes"])) == (0, sorted([name, "other"])), err
    assert not name.isprintable() or len(name) > 160 or f"{name}: 2" in text.replace("\n# ", " ")
    assert all(line.isprintable() for line in text.split("\n") if line.lstrip().startswith("#"))


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("my photos", "my-photos"),
        ("日本", "images"),
        ("Café (2024)", "Cafe-2024"),
        ("1e3", "1e3"),
        (".x_", "x"),
        ("x" * 200, "x" * 60),
        ("yes", "yes"),
    ],
)
def test_the_job_is_called_after_the_folder(passband, here, folder, name):
    write_images(here / folder, count=1)
    job, _, _ = init(passband, f"{folder}/")
    assert (job["name"], job["output"]["uri"]) == (name, f"runs/{name}")
    assert (here / f"{name}.yaml").exists()


@pytest.mark.parametrize("kind", ["images", "imagefolder splits", "tars", "parquet"])
def test_each_option_that_is_offered_can_be_taken(passband, here, kind):
    if kind == "tars":
        files.write_shards(here / "x")
    elif kind == "parquet":
        files.write_parquet(here / "x" / "a.parquet")
    else:
        write_images(here / ("x" if kind == "images" else "x/train"), count=2)
    _, text, _ = init(passband, "x")
    lines = text.splitlines()
    offered = [n for n, line in enumerate(lines) if re.match(r"\s*# [a-z_]+: ", line)]
    keys = {lines[n].split()[1] for n in offered}
    assert keys >= {"fit:", "bad_images:", "formats:", "compute:"}
    assert ("classes:" in keys) == (kind in ("tars", "parquet"))
    for n in offered:
        taken = [*lines[:n], lines[n].replace("# ", "", 1), *lines[n + 1 :]]
        (here / "taken.yaml").write_text("\n".join(taken))
        job = load_job(here / "taken.yaml")
        make_plan(job)
        assert job.resolved() != load_job("x.yaml").resolved(), lines[n]


def test_one_split_is_read_and_the_others_are_named(passband, here):
    write_images(here / "pets" / "train")
    write_images(here / "pets" / "val", count=1)
    job, text, err = init(passband, "pets")
    assert job["source"] == {"kind": "imagefolder", "path": "pets", "split": "train"}
    assert "the others make jobs of their own: val." in text
    assert "warning: pets is a folder of splits (train, val); the job reads train alone" in err
    assert "24 images" in text


def test_folders_that_hold_one_other_are_passed_through(passband, here):
    write_images(here / "archive" / "PetImages" / "test")
    write_images(here / "archive" / "PetImages" / "validation")
    (here / "archive" / "readme.txt").write_text("x")
    job, _, err = init(passband, "archive")
    assert job["source"]["path"] == "archive/PetImages"
    assert job["source"]["split"] == "validation"
    assert job["source"]["ignore"] == ["*.txt"]
    write_images(here / "b" / "PetImages")
    job, _, err = init(passband, "b")
    assert job["source"] == {"kind": "imagefolder", "path": "b/PetImages"}
    assert "warning: b holds one folder, which holds others; the job reads b/PetImages" in err


def test_what_is_no_image_is_left_out_and_told(passband, here):
    write_images(here / "pets")
    (here / "pets" / "labels.csv").write_text("x")
    (here / "pets" / "cat" / "Thumbs.db").write_text("x")
    (here / "pets" / "LICENSE").write_text("x")
    (here / "pets" / "all.tar").write_text("x")
    (here / "pets" / ".hidden").write_text("x")
    job, text, err = init(passband, "pets")
    assert job["source"]["ignore"] == ["*.csv", "*.db", "*.tar", "LICENSE"]
    assert "warning: left out: 4 ignored (LICENSE, all.tar, labels.csv, ...)" in err
    assert "# Left out: 1 hidden (.hidden).\n" in text


def test_shards_parquet_files_and_cifar_are_told_apart(passband, here):
    files.write_shards(here / "tars")
    (here / "tars" / "README.png").write_bytes(files.png())
    assert init(passband, "tars")[0]["source"] == {"kind": "webdataset", "path": "tars"}
    assert init(passband, "tars/part-000.tar")[0]["source"] == {"kind": "webdataset", "path": "tars/part-000.tar"}
    files.write_parquet(here / "hub" / "data" / "train-0.parquet")
    files.write_parquet(here / "hub" / "data" / "test-0.parquet")
    job, text, err = init(passband, "hub")
    assert job["source"] == {"kind": "parquet", "path": "hub", "split": "train"}
    assert "the others make jobs of their own: test." in text
    assert "warning: the files speak of the splits train, test; the job reads train alone" in err
    job, _, _ = init(passband, "hub/data/test-0.parquet")
    assert (job["name"], job["source"]["path"]) == ("test-0", "hub/data/test-0.parquet")
    (here / "data").mkdir()
    files.write_cifar(here / "data" / "cifar-10-batches-bin")
    job, text, _ = init(passband, "data")
    assert job["source"] == {"kind": "cifar10", "path": "data/cifar-10-batches-bin", "split": "train"}
    assert "25 raw" in text
    files.write_cifar(here / "c100", coarse=True)
    assert init(passband, "c100")[0]["source"]["kind"] == "cifar100"


@pytest.mark.parametrize(
    ("size", "side"),
    [
        ((8, 8), 32),
        ((28, 28), 32),
        ((60, 56), 64),
        ((55, 90), 32),
        ((112, 200), 128),
        ((150, 150), 128),
        ((900, 196), 224),
    ],
)
def test_the_size_is_a_usual_one_near_the_median(passband, here, size, side):
    write_images(here / "pets", count=1, size=size)
    assert init(passband, "pets")[0]["image"]["size"] == side


def test_sizes_are_told_from_the_least_to_the_largest(passband, here):
    write_images(here / "pets", ("cat",), count=3, size=(40, 30))
    write_images(here / "pets", ("dog",), count=2, size=(100, 200), suffix="jpg")
    write_images(here / "pets", ("eel",), count=2, size=(10, 20), suffix="png")
    _, text, err = init(passband, "pets")
    assert "# Width x height: from 10x20 to 100x200, median 40x30; 5 PNG, 2 JPEG.\n" in text
    assert "warning: 5 of 7 images are smaller than 32 x 32, and enlarged" in err


def test_folders_that_hold_the_same_folders_are_domains(passband, here):
    for name in ("photo", "sketch"):
        write_images(here / "pacs" / name, count=6)
    job, text, err = init(passband, "pacs")
    assert job["source"] == {"kind": "domains", "path": "pacs"}
    assert "warning: the folders of pacs (photo, sketch) hold folders of the same names; the job reads them as" in err
    assert "# 24 images in 2 classes" in text
    assert "  # domains: [photo]  # read these alone; the others may be tested on\n" in text
    assert "  # split: train  # without every fifth image" in text
    (here / "pacs" / "photo" / "stray.png").write_bytes(files.png())
    assert init(passband, "pacs", "--output", "again.yaml")[0]["source"]["kind"] == "imagefolder"


def test_a_folder_in_a_class_is_no_domain(passband, here):
    for name, inner in (("left", "perched"), ("right", "flying")):
        write_images(here / "birds" / name / "all", count=6)
        write_images(here / "birds" / name / inner, count=6)
    assert init(passband, "birds")[0]["source"]["kind"] == "imagefolder"


def test_thin_classes_are_told(passband, here):
    write_images(here / "pets", ("cat",), count=12)
    write_images(here / "pets", ("dog",), count=3)
    (here / "pets" / "eel").mkdir()
    _, _, err = init(passband, "pets")
    assert "warning: 1 of 3 classes has fewer than 10 images: dog 3\n" in err
    assert "warning: no image in 1 of 3 classes: eel\n" in err
    write_images(here / "one", ("train",))
    _, _, err = init(passband, "one")
    assert "warning: there is one class, train, and its name speaks of a split" in err
    write_images(here / "three", ("train", "extra"))
    assert "warning: train: taken as a class, though called like a split" in init(passband, "three")[2]
    write_images(here / "two", ("cat",))
    assert "warning: there is one class, cat; a training needs two or more" in init(passband, "two")[2]


def test_images_that_cannot_be_read_have_a_budget_with_which_it_runs(passband, here):
    write_images(here / "pets", size=(32, 32))
    (here / "pets" / "cat" / "bad.png").write_bytes(b"<html>")
    (here / "pets" / "cat" / "empty.png").write_bytes(b"")
    job, _, err = init(passband, "pets")
    assert job["bad_images"] == 2
    assert "warning: 2 of 26 images cannot be read: cat/" in err
    assert "an HTML page, no image" in err
    assert passband("run", "pets.yaml")[0] == 0


@pytest.mark.parametrize(("most", "seconds"), [(60, 60.0), (1000, 0.0)])
def test_of_many_images_a_part_is_looked_at(passband, here, monkeypatch, most, seconds):
    write_images(here / "pets", count=100, size=(33, 32))
    read = []
    content = ImageFolder._content
    monkeypatch.setattr(ImageFolder, "_content", lambda source, key: read.append(key) or content(source, key))
    monkeypatch.setattr(survey, "MOST", most)
    monkeypatch.setattr(survey, "MOST_S", seconds)
    status, _, err = passband("init", "pets", "--no-sheet")
    assert (status, err) == (0, "")
    assert 8 <= len(read) < 130  # one run of 64 images, or the last one of 8, and another
    assert f"Looked at {len(read)} images of them." in (here / "pets.yaml").read_text().replace("\n# ", " ")


def test_nothing_is_written_over_without_force(passband, here):
    write_images(here / "pets")
    (here / "pets.yaml").write_text("mine")
    assert refused(passband, "pets") == "pets.yaml: is there already; --force writes over it"
    (here / "pets.yaml").unlink()
    (here / "pets.png").write_text("mine")
    assert refused(passband, "pets") == "pets.png: is there already; --force writes over it"
    assert not (here / "pets.yaml").exists()
    assert passband("init", "pets", "--force")[0] == 0
    assert (here / "pets.png").read_bytes().startswith(b"\x89PNG")


def test_files_go_where_they_are_asked_for(passband, here):
    write_images(here / "pets")
    (here / "own jobs").mkdir()
    status, out, _ = passband("init", "pets", "--output", "own jobs/a.yml", "--sheet", "b.png")
    assert (status, "  passband run 'own jobs/a.yml'\n" in out) == (0, True)
    assert load_job("own jobs/a.yml").output.uri == "own jobs/runs/pets"
    assert (here / "b.png").exists()


def test_output_and_images_never_lie_inside_one_another(passband, here, monkeypatch):
    write_images(here / "runs" / "pets")
    assert init(passband, "runs/pets")[0]["output"]["uri"] == "runs/pets-views"
    monkeypatch.chdir(here / "runs" / "pets")
    told = refused(passband, ".")
    assert told == "pets.yaml would lie among the images of '.'; name another place with --output"
    job, _, _ = init(passband, ".", "--output", "../../here.yaml")
    assert job["output"]["uri"] == "../../runs/pets-views"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "'nowhere': there is no such folder"),
        ([""], "'': there is no such folder"),
        (["empty"], "'empty': holds no image, .tar or .parquet file; images end in .png, "),
        (["notes.txt"], "'notes.txt': is a file; a folder of images is needed, or a .tar or .parquet file"),
        (["flat"], "'flat': holds images, but no folder for each class"),
        (["split"], "'split/train': holds images, but no folder for each class"),
        (["bad"], "none of the 1 images that were looked at can be read: x/0.png ("),
        (["pets", "--output", "a.json"], "--output a.json: is to be a file that ends in .yaml"),
        (["pets", "--sheet", "a.jpg"], "--sheet a.jpg: is to be a file that ends in .png"),
        (["pets", "--sheet", "a.png", "--no-sheet"], "--no-sheet and --sheet exclude each other"),
        (["pets", "--output", "nowhere/a.yaml"], "nowhere/a.yaml: there is no folder nowhere"),
        (["mixed"], "source imagefolder: 1 files cannot be used ('a.png' lies in no class folder)"),
    ],
)
def test_what_makes_no_job_is_told_in_a_sentence(passband, here, words, message):
    (here / "empty").mkdir()
    (here / "notes.txt").write_text("x")
    write_images(here, ("flat",), count=1)
    write_images(here / "split", ("train", "test"), count=1)
    write_images(here / "mixed")
    (here / "mixed" / "a.png").write_bytes(files.png())
    (here / "bad" / "x").mkdir(parents=True)
    (here / "bad" / "x" / "0.png").write_bytes(b"")
    write_images(here / "pets", count=1)
    assert refused(passband, *words).startswith(message)
    assert not [name for name in os.listdir(here) if name.endswith((".yaml", ".png"))]


def test_machines_are_told_in_json(passband, here):
    write_images(here / "pets", count=1, size=(32, 32))
    status, out, err = passband("init", "pets", "--json")
    told = json.loads(out.splitlines()[-1])
    assert (status, err, told["event"], told["samples"], told["class_counts"]) == (0, "", "finished", 2, [1, 1])
    assert told["output"] == str(here / "pets.yaml")
    assert told["sheet"] == str(here / "pets.png")
    assert told["warnings"] == ["2 of 2 classes have fewer than 10 images: cat 1, dog 1"]
    status, out, err = passband("init", "nowhere", "--json")
    assert (status, err, json.loads(out)["message"]) == (1, "", "'nowhere': there is no such folder")


def test_a_line_break_in_a_name_stays_inside_quotes(passband, here):
    write_images(here / "a\nname: b", count=1)
    job, text, _ = init(passband, "a\nname: b", "--output", "job.yaml")
    assert (job["source"]["path"], job["name"]) == ("a\nname: b", "a-name-b")


def test_a_name_that_is_no_text_is_refused(passband, here):
    folder = os.fsdecode(b"pets\xff")
    write_images(here / folder, count=1)
    assert refused(passband, folder).startswith("the name 'pets\\udcff' is not valid UTF-8: no job file can hold it")
    write_images(here / "pets", count=1)
    (here / "pets" / os.fsdecode(b"a.\xff")).write_text("x")
    assert refused(passband, "pets").startswith("the name '*.\\udcff' is not valid UTF-8")


def test_ctrl_c_leaves_nothing(passband, here, monkeypatch):
    write_images(here / "pets", count=1)
    for name in ("number", "told"):  # which outlast the command
        monkeypatch.setattr(stop, name, getattr(stop, name))
    looked = first_job.survey
    monkeypatch.setattr(first_job, "survey", lambda *given: os.kill(os.getpid(), signal.SIGINT) or looked(*given))
    status, out, err = passband("init", "pets")
    assert (status, out, err) == (130, "", "passband: stopped; nothing was written\n")
    assert os.listdir(here) == ["pets"]
