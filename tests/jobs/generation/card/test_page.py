import base64
import gc
import io
import os
import re
import shlex
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import chdir, redirect_stdout
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from passband.jobs.drawing.sheet import MAX_VIEWS
from passband.jobs.generation.card.bars import MAX_BARS
from passband.jobs.generation.card.facts import MAX_BAD
from passband.jobs.generation.card.page import write_card
from passband.pipeline.formats.webdataset.decode import read_shard
from passband.pipeline.manifest import read_manifest, read_record
from passband.pipeline.records import BadSample
from passband.pipeline.store import LocalStore
from tests.jobs.conftest import HOSTILE_CLASS, HOSTILE_FILE
from tests.jobs.drawing.page import Page, scroll_width


def code_blocks(readme: str, language: str) -> list[str]:
    return re.findall(rf"^(`{{3,}}){language}\n(.*?)\n\1$", readme, re.MULTILINE | re.DOTALL)


def run(code: str, folder: Path) -> str:
    """Run `code` as a user would: in the dataset's folder, in a fresh interpreter."""
    finished = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=240)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def run_here(code: str, folder: Path) -> str:
    """Run `code` in the dataset's folder and in this process, as a program of its own."""
    said = io.StringIO()
    with chdir(folder), redirect_stdout(said), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of others, as in a program
        exec(compile(code, "snippet", "exec"), {"__name__": "__main__"})
        gc.collect()  # webdataset leaves its files to the collector, which complains
    return said.getvalue()


@pytest.fixture(params=["here", pytest.param("fresh", marks=pytest.mark.slow)])
def run_snippet(request) -> Callable[[str, Path], str]:
    return {"here": run_here, "fresh": run}[request.param]


def test_the_report_is_one_file_of_wellformed_html(digits):
    report = digits.text("report.html")
    assert report.startswith("<!DOCTYPE html>")
    page = Page(report)
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("title")) == len(page.all("h1")) == 1
    assert [meta for meta in page.all("meta") if meta.get("name") == "viewport"]
    assert page.all("script") == page.all("link") == []
    assert all(image["alt"] and image["src"].startswith("data:image/png;base64,") for image in page.all("img"))
    rows = [image["alt"] for image in page.all("img") if " of sample " in image["alt"]]
    assert [alt.partition(" of ")[0] for alt in rows] == [view.name for view in digits.manifest.views] * 10
    assert all(source["srcset"].startswith("data:image/png;base64,") for source in page.all("source"))
    links = [a[name] for _, a in page.elements for name in ("src", "href", "srcset", "action", "data") if name in a]
    assert all(link.startswith("data:") for link in links)
    assert "url(" not in report
    assert re.search("https?://", report) is None


def test_the_report_says_what_the_manifest_and_records_say(digits):
    text = Page(digits.text("report.html")).text
    manifest = digits.manifest
    assert manifest.identity in text
    assert digits.blueprint.fingerprint in text
    for view in manifest.views:
        assert view.name in text
    for name, version in manifest.environment.items():
        assert f"{name} {version}" in text
    on_disk = sum(s.tar.bytes + s.provenance.bytes + s.record.bytes for s in manifest.shards) + manifest.beton.bytes
    assert (
        f"{on_disk / 1e6:.3g} MB on disk" in " ".join(reversed(re.split(r" (?=on disk )", text)[0:1]))
        or "on disk" in text
    )
    assert f"{manifest.samples:,}" in text


def test_the_table_of_steps_adds_up_the_records(digits):
    records = [read_record(digits.store, shard.shard) for shard in digits.manifest.shards]
    seconds = sum(record.stage_seconds["radial"] for record in records)
    row = re.search(r"^\| radial \| (\S+) s \| (\S+)% \| (\S+) \|$", digits.text("README.md"), re.MULTILINE)
    assert row is not None
    assert float(row.group(1)) == pytest.approx(seconds, rel=0.06)  # two digits are told
    total = sum(sum(record.stage_seconds.values()) for record in records)
    assert float(row.group(2)) == pytest.approx(100 * seconds / total, abs=0.06)
    assert float(row.group(3).replace(",", "")) == pytest.approx(digits.manifest.samples / seconds, rel=6e-3)


def test_class_counts_are_those_of_the_samples(digits):
    found = np.zeros(10, int)
    for shard in digits.manifest.shards:
        for sample in read_shard(digits.store, digits.manifest, shard):
            found[sample.label] += 1
    rows = re.search(r"\| class \| samples \|\n.*?\n\n", digits.text("README.md"), re.DOTALL)
    assert [int(n) for n in re.findall(r"\| (\d+) \|$", rows.group(), re.MULTILINE)] == found.tolist()


def test_writing_the_card_again_gives_the_same_bytes(digits, drawn_cards):
    before = [digits.store.read(name) for name in ("README.md", "report.html")]
    records = [read_record(digits.store, shard.shard) for shard in digits.manifest.shards]
    with drawn_cards():
        write_card(digits.store, digits.blueprint, read_manifest(digits.store), records)
    assert [digits.store.read(name) for name in ("README.md", "report.html")] == before


def test_the_readme_is_a_dataset_card(digits):
    readme = digits.text("README.md")
    _, front, body = readme.split("---\n", 2)
    assert yaml.safe_load(front)["size_categories"] == ["n<1K"]
    assert "](report.html)" in body
    assert "![" not in body
    assert all(line.count("|") >= 3 for line in body.splitlines() if line.startswith("|"))


def test_the_command_of_the_card_makes_the_same_shards(digits, passband, tmp_path):
    ((_, command),) = code_blocks(digits.text("README.md"), "sh")
    assert command in unescape(digits.text("report.html"))
    words = shlex.split(command.replace("NEW_FOLDER", str(tmp_path / "again")))
    assert words[0] == "passband"
    status, _, errors = passband(*words[1:])
    assert status == 0, errors
    again = read_manifest(LocalStore(tmp_path / "again"))
    assert [shard.tar for shard in again.shards] == [shard.tar for shard in digits.manifest.shards]


def snippet(readme: str, imported: str) -> str:
    blocks = [code for _, code in code_blocks(readme, "python")]
    (code,) = [code for code in blocks if re.search(rf"^(from|import) {imported}", code, re.MULTILINE)]
    return code


@pytest.mark.parametrize(
    "encoding", ["png", "npy", *(pytest.param(name, marks=pytest.mark.slow) for name in ("webp", "jpeg"))]
)
def test_the_webdataset_snippet_runs(run_snippet, make, folder_of, encoding):
    folder = folder_of({"a": [(20, 12)] * 3, "b": [(20, 12)] * 2})
    views = ["clean", {"radial": {"low": 2, "range": "float"}, "name": "high-pass"}, {"radial": {"high": 3}}]
    made = make(
        drawn=False,
        source={"kind": "imagefolder", "path": str(folder)},
        image={"size": [20, 12]},
        views=views,
        output={"encoding": encoding, "samples_per_shard": 2},
    )
    code = snippet(made.text("README.md"), "webdataset")
    code += "\n    print(clean.dtype, clean.shape, high_pass.dtype, high_pass.shape, int(radial.sum()), label, group)"
    samples = [s for shard in made.manifest.shards for s in read_shard(made.store, made.manifest, shard)]
    expected = [
        f"uint8 (20, 12, 3) float16 (20, 12, 3) {int(sample.views[2].sum())} {sample.label} {sample.group}"
        for sample in samples
    ]
    assert run_snippet(code, made.store.root).splitlines() == expected


@pytest.mark.parametrize(
    "names",
    [
        ("8bit", "label"),
        ("class", "dataset"),
        *(pytest.param(names, marks=pytest.mark.slow) for names in [("print", "sample"), ("a_b", "a-b")]),
    ],
)
def test_the_webdataset_snippet_runs_whatever_views_are_called(run_snippet, make, folder_of, names):
    views = ["clean", *({"dct_flip": {}, "name": name} for name in names)]
    source = {"kind": "imagefolder", "path": str(folder_of({"a": [(8, 8)] * 2}))}
    made = make(drawn=False, source=source, image={"size": 8}, views=views)
    code = snippet(made.text("README.md"), "webdataset")
    variables = [re.search(rf"^    (\w+) = .*{name}.png", code, re.MULTILINE)[1] for name in names]
    assert len(set(variables)) == len(names)
    shapes = ", ".join(f"{variable}.shape" for variable in variables)
    code += f"\n    print({{{shapes}}}, dataset is not None, sample is not None, label, group)"
    assert run_snippet(code, made.store.root) == "{(8, 8, 3)} True True 0 0\n" * 2


def test_the_provenance_snippet_runs(digits):
    assert "source_sha256" in run(code_blocks(digits.text("README.md"), "python")[-1][1], digits.store.root)


@pytest.mark.slow
def test_the_ffcv_snippet_runs(digits):
    pytest.importorskip("ffcv", reason="ffcv is not installed")
    assert "64, 32, 32, 3" in run(snippet(digits.text("README.md"), "ffcv"), digits.store.root)


def test_the_snippet_of_the_stream_runs(run_snippet, digits):
    code = code_blocks(digits.text("README.md"), "python")[0][1]
    lines = run_snippet(code, digits.store.root).splitlines()
    assert lines == ["torch.Size([64, 3, 32, 32]) torch.uint8 torch.Size([64])"] * (digits.manifest.samples // 64)


@pytest.mark.slow
def test_the_snippet_of_a_training_runs_in_two_processes(digits, tmp_path):
    code = snippet(digits.text("README.md"), "torch")
    tell = "import os; trained = bool(network.module[1].weight.grad.any())"
    tell += "; os.write(1, f'ended {torch.distributed.get_rank()} {trained}\\n'.encode())"  # of both in one piece
    (tmp_path / "train.py").write_text(f"{code}\n{tell}\ntorch.distributed.destroy_process_group()\n")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    finished = subprocess.run(
        [*launcher, tmp_path / "train.py"], cwd=digits.store.root, capture_output=True, text=True, timeout=240
    )
    assert finished.returncode == 0, finished.stderr
    assert sorted(finished.stdout.splitlines()) == ["ended 0 True", "ended 1 True"]


def test_the_snippet_of_datasets_runs(digits, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    said = run(snippet(digits.text("README.md"), "datasets"), digits.store.root)
    assert re.search(rf"^{digits.manifest.samples} <PIL.\S+ image mode=RGB size=32x32 at \w+> \d$", said, re.MULTILINE)


def test_the_snippet_of_timm_runs(run_snippet, digits):
    assert re.fullmatch(r"\(32, 32\) \d\n", run_snippet(snippet(digits.text("README.md"), "timm"), digits.store.root))


def test_names_from_users_stay_text(hostile):
    report = hostile.text("report.html")
    page = Page(report)
    assert all(not name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert "<b" not in re.sub(r"<body>", "", report)
    assert HOSTILE_CLASS in page.text
    assert f"plain/{HOSTILE_FILE}" in page.text
    readme = hostile.text("README.md")
    outside = re.sub(r"^(`{3,}).*?^\1$", "", readme, flags=re.MULTILINE | re.DOTALL)
    assert "<" not in outside.partition("---\n")[2].partition("---\n")[2]
    assert re.search(r"(?<!\\)\]\(javascript:", outside) is None


def test_bad_images_are_listed_with_their_reason(hostile):
    (bad,) = hostile.manifest.bad
    text = Page(hostile.text("report.html")).text
    assert f"{bad.key} " in text
    assert re.sub(r"\s+", " ", bad.reason) in text
    assert "1 left out" in text


def test_of_many_bad_images_the_first_are_listed(hostile, drawn_cards):
    many = [BadSample(index=i, key=f"key-{i}-end", reason="no image") for i in range(MAX_BAD + 7)]
    write_card(hostile.store, hostile.blueprint, hostile.manifest.model_copy(update={"bad": many}))
    text = Page(hostile.text("report.html")).text
    with drawn_cards():
        write_card(hostile.store, hostile.blueprint, hostile.manifest)
    assert f"key-{MAX_BAD - 1}-end" in text
    assert f"key-{MAX_BAD}-end" not in text
    assert f"{MAX_BAD + 7} left out" in text


def test_of_hundreds_of_classes_the_first_are_shown(make, folder_of):
    folder = folder_of({f"class-{i:03d}": [(1, 1)] * (1 + i % 3) for i in range(210)})
    made = make(source={"kind": "imagefolder", "path": str(folder)}, image={"size": 1}, views=["clean"])
    text = Page(made.text("report.html")).text
    assert f"class-{MAX_BARS - 1:03d}" in text
    assert f"class-{MAX_BARS:03d}" not in text
    assert "210 classes: 1 to 3 samples in each, median 2. The first 50 are shown, 160 are not." in text


def test_one_sample_of_one_class_and_no_augmented_view(make, folder_of):
    folder = folder_of({"only": [(5, 7)]})
    made = make(source={"kind": "imagefolder", "path": str(folder)}, image={"size": [1, 1]}, views=["clean"])
    page = Page(made.text("report.html"))
    assert "1 labelled image of imagefolder" in page.text
    assert "averaged over the channels of 1 sample." in page.text
    assert len(page.all("img")) == 3  # a thumbnail, one spectrum, the chart


def test_a_dataset_of_nothing_but_bad_images_has_a_card(make, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.png").write_bytes(b"not an image")
    made = make(source={"kind": "imagefolder", "path": str(tmp_path)}, views=["clean"], bad_images=1)
    page = Page(made.text("report.html"))
    assert page.all("img") == []
    assert "The dataset has no samples." in page.text
    assert "1 left out" in page.text


def test_domains_name_the_groups(make, folder_of):
    folder = folder_of({str(i): [(9, 9)] for i in range(10)})
    sources = [
        {"kind": "digits", "split": "test", "domain": "scanned"},
        {"kind": "imagefolder", "path": str(folder), "domain": "noise"},
    ]
    made = make(source=sources, image={"size": 9}, views=["clean"])
    readme = made.text("README.md")
    counts = made.manifest.group_counts
    assert counts["1"] == 10
    assert f"| 0: scanned | {counts['0']} |\n| 1: noise | 10 |\n" in readme


@pytest.mark.parametrize("name", ["digits", "hostile"])
@pytest.mark.parametrize("width", [420, 1400])
def test_the_page_never_scrolls_sideways(name, width, request, tmp_path):
    report = request.getfixturevalue(name).text("report.html")
    assert scroll_width(report, width, tmp_path) <= width


def test_the_browser_check_can_fail(tmp_path):
    wide = '<!DOCTYPE html><html><body style="margin:0"><div style="width:600px">x</div></body></html>'
    assert scroll_width(wide, 420, tmp_path) == 600


def test_importing_the_card_leaves_matplotlib_alone():
    code = (
        "import sys, passband.jobs.generation.card.page; sys.exit('matplotlib' in sys.modules or 'ray' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], env=os.environ).returncode == 0


def test_of_very_many_views_some_are_shown(make, folder_of):
    folder = folder_of({"a": [(8, 8)] * 2})
    views = ["clean", {"dct_flip": {}, "copies": 68}, {"radial": {"high": 3}, "name": "last"}]
    made = make(source={"kind": "imagefolder", "path": str(folder)}, image={"size": 8}, views=views)
    page = Page(made.text("report.html"))
    assert "6 further views are not shown" in page.text
    assert len([image for image in page.all("img") if "spectrum of" in image["alt"]]) == MAX_VIEWS
    assert "Mean log-amplitude spectrum of last" in [image["alt"] for image in page.all("img")]
    assert "| 1–68 | dct_flip-1 … dct_flip-68 | dct_flip-1.png … dct_flip-68.png, uint8 |" in made.text("README.md")


@pytest.mark.parametrize(
    ("size", "copies", "samples"),
    [
        (32, 19, 10),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in ((96, 19, 10), (96, 63, 2), (224, 19, 3), (512, 19, 2))
        ),
    ],
)
def test_a_page_shows_all_views_and_stays_below_2_mb(make, folder_of, tmp_path, size, copies, samples):
    folder = folder_of({name: [(size, size)] * 5 for name in "ab"})  # noise, of which nothing is smaller
    views = ["clean", {"phase_only": {}, "copies": copies}]
    source, output = {"kind": "imagefolder", "path": str(folder)}, {"encoding": "npy"}
    made = make(source=source, image={"size": size}, views=views, output=output)
    report = made.text("report.html")
    assert len(report.encode()) < 2_000_000
    images = Page(report).all("img")
    thumbnails = [image for image in images if " of sample " in image["alt"]]
    names = [view.name for view in made.manifest.views]
    rows = len(thumbnails) // len(names)
    assert 1 <= rows <= samples
    assert [image["alt"].partition(" of ")[0] for image in thumbnails] == names * rows
    for image in [*thumbnails, *(image for image in images if "spectrum of" in image["alt"])]:
        with Image.open(io.BytesIO(base64.b64decode(image["src"].partition(",")[2]))) as picture:
            assert picture.format == "JPEG" if max(picture.size) > 96 else picture.format in ("PNG", "JPEG")
            assert max(picture.size) <= 256
    assert "further views" not in report
    if (size, copies) in ((224, 19), (32, 19)):
        assert scroll_width(report, 1400, tmp_path) <= 1400  # nothing of it is out of sight
        assert scroll_width(report, 480, tmp_path) <= 480


def test_of_a_very_long_job_the_beginning_is_shown(make, folder_of):
    source = {"kind": "imagefolder", "path": str(folder_of({"a": [(8, 8)] * 2}))}
    views = ["clean", *([{"dct": {"size": 8, "keep": "low"}}] * 255 for _ in range(4))]
    made = make(drawn=False, source=source, image={"size": 8}, views=views)
    lines = yaml.safe_dump(made.blueprint.job.resolved(), sort_keys=False).splitlines()
    for name in ("README.md", "report.html"):
        text = unescape(made.text(name))
        shown, more = re.search(
            r"(kind: generate\n.*)\n# and ([\d,]+) more lines, in job.yaml", text, re.DOTALL
        ).groups()
        assert int(more.replace(",", "")) > 100
        assert shown.splitlines() == lines[: len(lines) - int(more.replace(",", ""))]
