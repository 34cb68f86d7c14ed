"""The metrics of a training that was killed and goes on."""

import resource

import pytest

from passband.jobs.training.log import MetricLog, read_metrics
from passband.pipeline.errors import IntegrityError, OutputError
from passband.pipeline.layout import METRICS


def write(folder, first, last, tensorboard=False):
    log = MetricLog(folder, first, tensorboard)
    for step in range(first + 1, last + 1):
        log.write(step, 0, {"loss": step / 10})
    log.close()


def test_lines_after_the_checkpoint_are_written_again(tmp_path):
    write(tmp_path, 0, 7)
    write(tmp_path, 5, 9)
    assert [line["step"] for line in read_metrics(tmp_path)] == list(range(1, 10))
    assert read_metrics(tmp_path)[0] == {"step": 1, "epoch": 0, "loss": 0.1}


def test_half_a_line_is_dropped(tmp_path):
    write(tmp_path, 0, 3)
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"step": 4, "lo')
    assert [line["step"] for line in read_metrics(tmp_path)] == [1, 2, 3]
    write(tmp_path, 3, 4)
    assert [line["step"] for line in read_metrics(tmp_path)] == [1, 2, 3, 4]


@pytest.mark.parametrize("line", ["\0\0\0", "[1]", '{"loss": 1}', '{"step": 2, "lo'])
def test_a_damaged_line_is_named(tmp_path, line):
    write(tmp_path, 0, 3)
    lines = (tmp_path / METRICS).read_text().splitlines()
    (tmp_path / METRICS).write_text("\n".join([lines[0], line, *lines[2:], ""]))
    for look in (read_metrics, lambda folder: MetricLog(folder, 3, False)):
        with pytest.raises(IntegrityError, match="metrics.jsonl: line 2 is damaged; remove it"):
            look(tmp_path)


def test_a_line_that_is_not_text_is_named(tmp_path):
    write(tmp_path, 0, 3)
    content = (tmp_path / METRICS).read_bytes()
    (tmp_path / METRICS).write_bytes(b"\xff" + content[1:])
    with pytest.raises(IntegrityError, match="metrics.jsonl: line 1 is damaged"):
        read_metrics(tmp_path)


def test_a_full_disk_is_named(tmp_path):
    log = MetricLog(tmp_path, 0, False)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(OutputError, match=f"cannot write to {tmp_path}: file size limit reached"):
            log.write(1, 0, {"loss": 1.0})
    finally:
        log.close()
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_no_metrics_yet(tmp_path):
    assert read_metrics(tmp_path) == []


def test_tensorboard_reads_what_was_written(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    write(tmp_path, 0, 4, tensorboard=True)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    found = [(event.step, round(event.value, 3)) for event in events.Scalars("loss")]
    assert found == [(1, 0.1), (2, 0.2), (3, 0.3), (4, 0.4)]
