import pytest

from passband.jobs.bench.energy import NvmlMeter, RaplMeter, find_meter, joules_per_run


@pytest.fixture
def packages(tmp_path):
    """Two processor packages, the second with a domain below it, as the kernel lays them out."""
    for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:1:0"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "energy_uj").write_text("900000\n")
        (folder / "max_energy_range_uj").write_text("999999\n")
    return tmp_path


def test_packages_are_added_up_without_their_domains(packages):
    meter = find_meter("cpu", root=packages)
    assert isinstance(meter, RaplMeter)
    (packages / "intel-rapl:0" / "energy_uj").write_text("950000\n")
    (packages / "intel-rapl:1" / "energy_uj").write_text("910000\n")
    (packages / "intel-rapl:1:0" / "energy_uj").write_text("999000\n")
    assert meter.joules() == pytest.approx(0.06)


def test_a_counter_that_began_again_is_followed(packages):
    meter = find_meter("cpu", root=packages)
    (packages / "intel-rapl:0" / "energy_uj").write_text("100000\n")
    assert meter.joules() == pytest.approx(0.2)
    (packages / "intel-rapl:0" / "energy_uj").write_text("300000\n")
    assert meter.joules() == pytest.approx(0.4)


def test_without_counters_there_is_a_reason(tmp_path, packages):
    assert "no RAPL counters" in find_meter("cpu", root=tmp_path / "nowhere")
    (packages / "intel-rapl:0" / "energy_uj").unlink()
    assert find_meter("cpu", root=packages).endswith("energy_uj: No such file or directory")
    assert "PCI" in find_meter("cuda")
    assert isinstance(find_meter("cuda", "0000:00:00.0"), str)  # neither library nor driver here, or no such GPU


def test_a_run_is_repeated_until_the_counter_has_moved():
    now, spent = [0.0], [5000]

    def run():
        now[0] += 0.3
        spent[0] += 600  # millijoules

    meter = NvmlMeter(lambda: spent[0])
    assert joules_per_run(meter, run, least_s=1.0, clock=lambda: now[0]) == (pytest.approx(0.6), 4)
