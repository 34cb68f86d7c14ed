"""The benchmark of the stages, really run on a few small images."""

import dataclasses

import numpy as np
import pytest

from passband.jobs.bench.augment import measure
from passband.jobs.bench.cases import SIZES, make_cases
from passband.jobs.bench.contender import Workbench, make_images, make_run
from passband.jobs.bench.device import CpuDevice
from passband.jobs.bench.document import Document
from passband.jobs.bench.machine import is_busy
from passband.jobs.bench.table import format_document, format_trials, spell_device
from passband.jobs.bench.trial import estimate
from passband.pipeline.networks.network import NetworkSpec, build_network, network_bytes
from tests.jobs.bench.made import BATCH, SIZE, Silent, small_plan


@pytest.fixture(scope="module")
def document():
    return measure(small_plan(price_per_hour=2.0), CpuDevice(), Silent())


def test_every_case_is_measured(document):
    assert {row.name: row.error for row in document.rows if row.error} == {}
    assert [row.name for row in document.rows] == [case.name for case in small_plan().cases]
    for row in document.rows:
        assert (row.size, row.batch, row.rounds) == (SIZE, BATCH, 1)
        assert row.images_per_s.median > 0
        assert row.share_of_copy == pytest.approx(
            row.least_bytes_per_image * row.batch / row.seconds.median / document.copy_bandwidth.bytes_per_s.median
        )
        assert row.cost_per_million_images == pytest.approx(2e6 / 3600 / row.images_per_s.median)
        assert row.peak_bytes >= BATCH * 3 * SIZE * SIZE * 4  # its result at least
    assert document.complete


def test_the_document_reads_back(document):
    assert Document.model_validate_json(document.model_dump_json()) == document
    assert document.schema_version == 1
    assert document.date.endswith("+00:00")
    assert (document.device.backend, document.settings.rounds) == ("cpu", 1)
    assert document.versions["numpy"] == np.__version__
    assert (document.energy.meter is None) == (document.energy.reason is not None)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_fits(document, width):
    lines = format_document(document, width).splitlines()
    assert max(map(len, lines)) <= width
    shown = "\n".join(lines)
    for row in document.rows:
        assert row.name in shown
    assert ("peak" in shown) == (width == 120)
    assert "of copy" in shown


def test_a_busy_machine_is_told(document):
    for load, busy in ((1.1, True), (0.9, False), (None, False)):
        facts = document.device.model_copy(update={"cpus": 2, "load": load})
        assert is_busy(facts) == busy
        assert ("busy: load 1.1 on 2 CPUs" in spell_device(facts)) == busy


def test_a_case_that_fails_leaves_the_others(monkeypatch):
    plan = small_plan(["dct_flip", "svd/leading"])
    broken = dataclasses.replace(plan.cases[1], options={"rank": 99, "keep": "leading"})
    document = measure(dataclasses.replace(plan, cases=[plan.cases[0], broken]), CpuDevice(), Silent())
    flip, svd = document.rows
    assert flip.error is None
    assert flip.images_per_s is not None
    assert svd.error == "ValueError: rank is 99; allowed for 16 x 16 images: 1 to 16"
    assert "svd/leading at 16 px failed: ValueError: rank is 99" in format_document(document, 100)


def test_what_was_measured_until_a_stop_is_kept():
    progress = Silent()

    def stopped():
        return ("timing", 6) in progress.steps and len(progress.advanced) >= 2 + 4  # two tried, then copy, a, b, copy

    document = measure(small_plan(["radial/low", "dct_flip"], rounds=2), CpuDevice(), progress, stopped)
    assert not document.complete
    assert [row.rounds for row in document.rows] == [1, 1]
    assert [row.peak_bytes for row in document.rows] == [None, None]
    assert "stopped early" in format_document(document, 60)


def test_a_stop_before_the_first_round_leaves_no_table():
    document = measure(small_plan(["radial"]), CpuDevice(), Silent(), stopped=lambda: True)
    assert (document.rows, document.copy_bandwidth, document.complete) == ([], None, False)
    assert "stopped too early" in format_document(document, 60)


def test_sizes_are_told_apart(document):
    rows = [row.model_copy(update={"size": size}) for size in (32, 64) for row in document.rows[:2]]
    lines = format_document(document.model_copy(update={"rows": rows}), 60).splitlines()
    (rule,) = [number for number, line in enumerate(lines) if line.startswith("───")]
    assert [bool(line) for line in lines[rule + 1 : rule + 6]] == [True, True, False, True, True]


def test_a_dry_run_tries_everything_and_adds_up():
    plan = small_plan(["radial"], rounds=9)
    trials, seconds = estimate(plan, Workbench(CpuDevice()), Silent())
    assert seconds == pytest.approx(sum(trial.seconds_per_image * BATCH * 10 for trial in trials))
    lines = format_trials(trials, 9, seconds).splitlines()
    assert len(lines) == 1 + 3 + 1
    assert max(map(len, lines)) <= 60


def test_runs_are_of_other_samples():
    bench = Workbench(CpuDevice())
    run = make_run(small_plan(["prime/cifar"]).cases[0], bench)
    assert (run() != run()).any()


def test_stored_pixels_go_in_and_come_out():
    (case,) = small_plan(["dct/low"]).cases
    pixels = make_run(case, Workbench(CpuDevice(), "uint8"))()
    images = make_run(case, Workbench(CpuDevice(), "float32"))()
    assert (pixels.dtype, pixels.shape) == (np.uint8, (BATCH, SIZE, SIZE, 3))
    np.testing.assert_allclose(pixels.transpose(0, 3, 1, 2) / 255, images, atol=0.5 / 255 + 1e-6)


def test_images_are_as_decoded_and_of_any_size():
    for size in (*SIZES, 17):
        images = make_images(2, size)
        assert images.shape == (2, 3, size, size)
        np.testing.assert_array_equal(images * 255, np.rint(images * 255))


def test_the_untrained_surrogate_is_never_fooled():
    bench = Workbench(CpuDevice())
    (case,) = make_cases([32], ["sada"], batch=lambda size: 8)
    from passband.jobs.bench.contender import make_stage
    from passband.pipeline.augment import Draws

    result = make_stage(case, bench.device).apply(
        bench.images(8, 32), np.zeros(8, np.int64), Draws(0, np.arange(8, dtype=np.uint32), 1)
    )
    assert result.recorded["steps"].tolist() == [5] * 8


def test_a_checkpoint_is_attacked_at_its_own_size(tmp_path):
    spec = NetworkSpec(
        kind="convnet", shape=[3, SIZE, SIZE], classes=list("abc"), mean=[0.5] * 3, std=[0.25] * 3
    )  # other classes than ours
    (tmp_path / "model.pt").write_bytes(network_bytes(build_network(spec, seed=0)))
    cases = make_cases([SIZE, 32], ["sada"], batch=lambda size: BATCH)
    plan = dataclasses.replace(small_plan(checkpoint=tmp_path), cases=cases)
    document = measure(plan, CpuDevice(), Silent())
    fits, other = document.rows
    assert fits.error is None
    assert "takes images of shape [3, 16, 16], the data has [3, 32, 32]" in other.error
