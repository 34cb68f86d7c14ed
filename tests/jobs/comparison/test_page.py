"""The page as a whole: one file, nothing outside, and nothing of others overwritten."""

import json
import re
import shutil

import pytest

from passband.jobs.comparison.page import page
from passband.jobs.comparison.reading import read_runs
from passband.jobs.comparison.reproductions import blocks_of
from passband.jobs.reproduce.tables import as_markdown
from tests.jobs.comparison.runs_made import make_dataset, write_analysis, write_reproduction
from tests.jobs.drawing.page import Page, scroll_width


@pytest.fixture(scope="session")
def all_runs(runs, tmp_path_factory):
    reproduction = write_reproduction(tmp_path_factory.mktemp("reproduction") / "sharpdro")
    return [str(path) for path in (*runs, reproduction)]


@pytest.fixture(scope="session")
def shown(all_runs) -> str:
    return page(read_runs(all_runs))


def test_the_page_is_one_file_of_wellformed_html(shown):
    found = Page(shown)
    assert len(found.all("title")) == len(found.all("h1")) == 1
    assert found.all("script") == found.all("link") == []
    assert all(image["alt"] and image["src"].startswith("data:image/png;base64,") for image in found.all("img"))
    links = [a[name] for _, a in found.elements for name in ("src", "srcset", "action", "data") if name in a]
    assert all(link.startswith("data:") for link in links)
    assert "url(" not in shown
    assert re.search("https?://", shown) is None


def test_a_page_of_many_views_stays_below_2_mb_and_shows_the_same_samples(make, folder_of):
    folder = folder_of({name: [(96, 96)] * 4 for name in "ab"})  # noise, of which nothing is smaller
    sets = [
        make(source={"kind": "imagefolder", "path": str(folder)}, image={"size": size}, views=views, name=f"set-{size}")
        for size, views in ((96, ["clean", {"phase_only": {}, "copies": 19}]), (32, ["clean", "dct_flip"]))
    ]
    shown = page(read_runs([str(made.store.root) for made in sets]))
    assert len(shown.encode()) < 2_000_000
    text = Page(shown).text
    (count,) = map(int, re.findall(r"The same (\d) samples in every sheet", text))
    assert 1 < count < 8
    alts = [image["alt"] for image in Page(shown).all("img")]
    assert [sum(alt.startswith(f"{view} of sample") for alt in alts) for view in ("clean", "phase_only-19")] == [
        2 * count,
        count,
    ]


def test_contents_lead_to_every_section(shown):
    found = Page(shown)
    anchors = [link["href"] for link in found.all("a")]
    assert anchors == [f"#{section['id']}" for section in found.all("section")]
    assert anchors == ["#datasets", "#trainings", "#evaluations", "#analyses", "#reproductions", "#runs"]


def test_one_kind_needs_no_contents(runs):
    found = Page(page(read_runs([str(runs.sensitivity)])))
    assert found.all("nav") == []
    assert "1 analysis" in found.text


def test_every_run_is_named_with_its_folder(shown, all_runs):
    text = Page(shown).text
    for run in read_runs(all_runs):
        assert run.label in text
        assert run.identity in text
    assert "10 runs side by side" in text
    assert "3 datasets, 2 trainings, 2 evaluations, 2 analyses and 1 reproduction" in text


def test_the_tables_of_a_reproduction_are_as_they_are(shown, all_runs):
    text = Page(shown).text.replace(" ", "")
    (run,) = read_runs(all_runs[-1:])
    blocks = blocks_of(run.content)
    assert len(blocks) == 25
    for block in blocks:
        for line in as_markdown(block).splitlines()[4:]:
            assert re.sub(r"[|*\s]", "", line) in text
    assert "A<finding>&more." in text


def test_the_same_runs_give_the_same_bytes(runs):
    chosen = [str(runs.digits), str(runs.sensitivity)]
    assert page(read_runs(chosen)) == page(read_runs(chosen))


HOSTILE = '<img src=x onerror="alert(1)">&amp;\x07'


def test_names_from_users_stay_text(runs, tmp_path):
    results = json.loads((write_analysis(tmp_path / "a", "x") / "results.json").read_text())
    (tmp_path / "a" / "results.json").write_text(json.dumps(results | {"name": HOSTILE}))
    shutil.copytree(runs.evaluated_erm, tmp_path / "e")
    results = json.loads((tmp_path / "e" / "results.json").read_text())
    results["rows"][1] |= {"condition": f"domain {HOSTILE}"}
    (tmp_path / "e" / "results.json").write_text(json.dumps(results | {"name": HOSTILE}))
    content = page(read_runs([str(tmp_path / "a"), str(tmp_path / "e")]), HOSTILE)
    found = Page(content)
    assert all(not name.startswith("on") for _, attributes in found.elements for name in attributes)
    assert "\x07" not in content
    assert found.text.count('<img src=x onerror="alert(1)">&amp;') >= 6


@pytest.mark.parametrize("width", [1400, 420])
def test_nothing_sticks_out_of_the_page(shown, tmp_path, width):
    assert scroll_width(shown, width, tmp_path) == width


def test_a_long_name_does_not_widen_the_page(tmp_path):
    made = make_dataset(tmp_path / "set", "a-name-that-goes-on" + "x" * 70)
    analysis = write_analysis(tmp_path / "analysis", "unbroken" * 30)
    content = page(read_runs([str(made), str(analysis)]), "unbroken" * 30)
    assert scroll_width(content, 420, tmp_path) == 420


def test_the_command_writes_the_page(passband, runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert passband("report", runs.sensitivity)[:2] == (0, "look at report.html\n")
    assert "<h1>sensitivity</h1>" in (tmp_path / "report.html").read_text()
    status, out, _ = passband("report", runs.sensitivity, runs.amplitude, "--title", "Maps & more", "--json")
    assert status == 0  # a page of ours is replaced
    said = json.loads(out)
    assert (said["output"], said["title"]) == (str(tmp_path / "report.html"), "Maps & more")
    assert [(run["kind"], run["label"]) for run in said["runs"]] == [
        ("analyze", "sensitivity"),
        ("analyze", "amplitude"),
    ]
    assert "<h1>Maps &amp; more</h1>" in (tmp_path / "report.html").read_text()
    assert passband("report", runs.amplitude, "--output", "new/folder/page.html")[0] == 0
    assert (tmp_path / "new" / "folder" / "page.html").exists()


def test_what_we_did_not_write_is_not_replaced(passband, runs, tmp_path):
    card = runs.digits / "report.html"
    before = card.read_bytes()
    status, _, err = passband("report", runs.digits, "--output", card)
    assert (status, card.read_bytes()) == (1, before)
    assert f"--output {card}: is there already and was not written by passband report" in err


@pytest.mark.parametrize(("name", "message"), [("page", "ends in .html"), ("folder.html", "is a folder")])
def test_an_output_that_cannot_be_is_refused_before_the_work(passband, runs, tmp_path, name, message):
    (tmp_path / "folder.html").mkdir()
    status, _, err = passband("report", runs.digits, "--output", tmp_path / name)
    assert status == 1
    assert message in err


def test_a_folder_that_is_no_run_is_named(passband, tmp_path):
    status, out, err = passband("report", tmp_path, "--output", tmp_path / "report.html")
    assert (status, out) == (1, "")
    assert (
        err == f"passband: {tmp_path}: is no finished run: there is neither a manifest.json nor a results.json in it\n"
    )
    assert not (tmp_path / "report.html").exists()
