"""A source that tells its domains itself: their names, their numbers and what a dataset's identity says of them."""

import json
import os

import pyarrow.parquet as pq
import pytest
import yaml

from passband.jobs.common.jobfile import JobError
from passband.jobs.dataset.blueprint import read_blueprint
from passband.jobs.dataset.plan import make_plan
from passband.jobs.dataset.spec import load_job, parse_job
from passband.jobs.generation.run import generate
from passband.jobs.training.spec import load_train_job
from passband.pipeline.store import open_store
from tests.pipeline.sources import files

NAMES = ["drawing", "photo", "web"]


@pytest.fixture
def root(tmp_path):
    return files.write_domains(tmp_path / "data", NAMES)


def job(root, out="out", more=None, **source):
    given = {
        "kind": "generate",
        "name": "x",
        "source": {"kind": "domains", "path": str(root), **source},
        "image": {"size": 16},
        "views": ["clean"],
        "output": {"uri": str(root.parent / out)},
        "compute": {"executor": "inline"},
    }
    return parse_job(given | (more or {}))


def read_rows(out):
    """Return (key, domain, group) of every sample, from the provenance beside the shards."""
    tables = [pq.read_table(path) for path in sorted((out / "records").glob("*.parquet"))]
    columns = [table.select(["key", "domain", "group"]).to_pylist() for table in tables]
    return [tuple(row.values()) for rows in columns for row in rows]


def read_records(out):
    return [json.loads(path.read_text()) for path in sorted((out / "records").glob("*.json"))]


def test_every_sample_knows_its_domain_and_the_manifest_their_names(root):
    manifest = generate(job(root))
    assert manifest.domains == NAMES
    assert manifest.group_counts == {"0": 6, "1": 6, "2": 6}
    rows = read_rows(root.parent / "out")
    assert {NAMES[domain] for _, domain, _ in rows} == set(NAMES)
    assert all(key.startswith(f"{NAMES[domain]}/") for key, domain, _ in rows)
    assert all(group == domain for _, domain, group in rows)


def test_the_identity_does_not_depend_on_where_or_how_domains_are_named(root, tmp_path):
    every = generate(job(root)).identity
    assert generate(job(root, "named", domains=["web", "photo", "drawing"])).identity == every
    assert generate(job(root, "classes", classes=["cat", "dog"], ignore=["none"])).identity == every
    os.rename(root, tmp_path / "moved")
    assert generate(job(tmp_path / "moved", "moved-out")).identity == every
    others = [
        generate(job(tmp_path / "moved", f"out{number}", **options)).identity
        for number, options in enumerate(
            ({"domains": ["photo", "web"]}, {"split": "train"}, {"classes": ["dog", "cat"]}, {"classes": ["cat"]})
        )
    ]
    assert len({every, *others}) == 5


def test_a_run_goes_on_whatever_order_domains_are_named_in(root):
    made = generate(job(root))
    stored = read_blueprint(open_store(str(root.parent / "out"))).job.source[0].domain_names
    assert stored == NAMES
    (root.parent / "out" / "manifest.json").unlink()
    assert generate(job(root, domains=["photo", "web", "drawing"])).identity == made.identity
    files.write_folder(root / "later")  # what was begun is not changed by a domain that is added
    (root.parent / "out" / "manifest.json").unlink()
    assert generate(job(root)) == made
    begun = parse_job(yaml.safe_load((root.parent / "out" / "job.yaml").read_text())["job"])
    assert begun.source[0].domain_names == NAMES


def test_what_a_domain_lacks_is_kept_as_a_warning_and_a_damaged_image_is_recorded(root):
    for name in ("1.PNG", "2.PNG", "deep/0.PNG"):
        (root / "web" / "dog" / name).unlink()
    (root / "photo" / "cat" / "1.PNG").write_bytes(files.png()[:40])
    manifest = generate(job(root, more={"bad_images": 1}))
    assert manifest.samples == 14
    blueprint = read_blueprint(open_store(str(root.parent / "out")))
    assert blueprint.warnings == ("the domain web has no image of dog",)
    (bad,) = [bad for record in read_records(root.parent / "out") for bad in record["bad"]]
    assert bad["key"] == "photo/cat/1.PNG"


@pytest.mark.parametrize("group", ["domain", "domain_severity"])
def test_groups_may_be_domains(root, group):
    base = [{"corrupt": {"types": ["gaussian_noise"], "severity": 2}}]
    manifest = generate(job(root, more={"group": group, "base": base}))
    stride, severity = (1, 0) if group == "domain" else (6, 2)
    assert manifest.group_counts == {str(number * stride + severity): 6 for number in range(3)}


def test_a_source_with_domains_of_its_own_stands_alone(root):
    with pytest.raises(JobError, match="source domains tells its domains itself: it stands alone"):
        job(root, domain="photo")
    both = [{"kind": "domains", "path": str(root)}, {"kind": "digits", "domain": "uci"}]
    with pytest.raises(JobError, match="source domains tells its domains itself: it stands alone"):
        job(root, more={"source": both})


PACS = ("art_painting", "cartoon", "photo", "sketch")


def test_the_recipes_read_the_domains_that_they_name(tmp_path, monkeypatch, request):
    recipes = request.config.rootpath / "jobs" / "recipes"
    for name in PACS:
        for number in range(5):
            for label in ("dog", "guitar"):
                (tmp_path / "data/PACS" / name / label).mkdir(parents=True, exist_ok=True)
                (tmp_path / "data/PACS" / name / label / f"{number}.jpg").write_bytes(files.png(number))
    monkeypatch.chdir(tmp_path)
    jobs = [parse_job(reference.job) for reference in load_train_job(recipes / "pacs-train.yaml").references()]
    plans = {job.name: make_plan(job) for job in (*jobs, load_job(recipes / "pacs-sada.yaml"))}
    assert {name: (len(plan.table), plan.domains) for name, plan in plans.items()} == {
        "pacs-photo": (8, ("photo",)),
        "pacs-photo-test": (2, ("photo",)),
        "pacs-unseen": (30, ("art_painting", "cartoon", "sketch")),
        "pacs-sada": (8, ("photo",)),
    }
    assert {plan.classes for plan in plans.values()} == {("dog", "guitar")}
