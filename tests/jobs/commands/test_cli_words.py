"""The words of the command line: version, completion, errors for people and machines, and what is told at the end."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import yaml

from passband.jobs import cli
from passband.jobs.analysis.studies import STUDIES
from passband.jobs.commands.shared import KEPT, stop
from passband.jobs.common.address_space import lack_of_memory
from passband.jobs.common.jobfile import JobError
from passband.jobs.training.launch import announced, local_rank
from passband.kernels.cuda.device import CupyDevice, DeviceError
from passband.kernels.cuda.driver import missing_gpu
from passband.pipeline.errors import PassbandError
from passband.pipeline.home import HomeError, expanded
from passband.pipeline.loading import open_stream
from passband.pipeline.loading.fetching import Cache
from passband.pipeline.loading.ranks import ALONE, LAUNCHER, Ranks
from passband.pipeline.sources.found import Wanted, find_files
from passband.pipeline.sources.local import existing_path
from passband.pipeline.sources.skipped import Skipped
from passband.pipeline.store import LocalStore
from tests.jobs.generation.made import small_job

COMMAND = [sys.executable, "-m", "passband"]


def command(*words, **options):
    return subprocess.run([*COMMAND, *map(str, words)], capture_output=True, text=True, timeout=250, **options)


@pytest.fixture
def job_file(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(small_job(tmp_path / "out").resolved()))
    return path


def test_version(passband):
    status, out, err = passband("--version")
    assert (status, err) == (0, "")
    assert out.startswith("passband ")
    assert out.split()[1][0].isdigit()


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not there")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [("passband ver", ["verify"]), ("passband run --out", ["--output"]), ("passband cluster u", ["up"])],
)
def test_bash_completes_commands_and_options(tmp_path, typed, offered):
    """By what the shell itself sources, with the program on its PATH."""
    program = tmp_path / "passband"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m passband "$@"\n')
    program.chmod(0o755)
    script = (
        'eval "$(_PASSBAND_COMPLETE=source_bash passband)"\n'
        'read -ra COMP_WORDS <<< "$1"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n'
        "complete -p passband > /dev/null || exit 3\n"
        "_passband_completion passband\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", typed], env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.split()) == (0, offered), done.stderr


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["run", "{tmp}/nothing.yaml"], 1, "cannot read the job file"),
        (["run"], 2, "Missing argument 'JOB'."),
        (["run", "{tmp}/nothing.yaml", "--workers", "x"], 2, "Invalid value for '--workers'"),
        (["plan", "{tmp}/nothing.yaml"], 1, "cannot read the job file"),
        (["train", "{tmp}/nothing.yaml"], 1, "cannot read the job file"),
        (["evaluate", "{tmp}/nothing.yaml"], 1, "cannot read the job file"),
        (["analyze", "sensitivity", "{tmp}/nothing.yaml"], 1, "cannot read the job file"),
        (["reproduce", "nothing"], 1, "nothing"),
        (["verify", "{tmp}"], 1, "no job.yaml"),
        (["status", "{tmp}"], 1, "no job.yaml"),
        (["inspect", "{tmp}"], 1, "no manifest.json"),
        (["report", "{tmp}"], 1, "is no finished run"),
        (["logs", "nobody"], 1, "nobody"),
    ],
)
def test_json_mode_gives_errors_as_json_where_its_events_go(passband, tmp_path, words, status, message):
    begun = time.time()
    code, out, err = passband(*(word.format(tmp=tmp_path) for word in words), "--json")
    assert (code, err) == (status, "")
    event = json.loads(out.splitlines()[-1])
    assert list(event) == ["event", "time", "message"]
    assert event["event"] == "error"
    assert message in event["message"]
    assert begun - 1 <= event["time"] <= time.time() + 1


def test_without_json_mode_an_error_is_one_line_on_standard_error(passband, tmp_path):
    status, out, err = passband("run", tmp_path / "nothing.yaml")
    assert (status, out) == (1, "")
    assert err.startswith("passband: cannot read the job file")
    assert passband("run")[2].endswith("Error: Missing argument 'JOB'.\n")


def test_what_nobody_expected_is_an_event_and_a_traceback(monkeypatch, capsys):
    def broken(**options):
        raise RuntimeError("who would have thought")

    monkeypatch.setattr("passband.jobs.dataset.listing.listing", broken)
    monkeypatch.setattr(sys, "argv", ["passband", "stages", "--json"])
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("passband.jobs.dataset.listing.listing", lambda: broken())
    with pytest.raises(RuntimeError, match="thought"):
        cli.main()
    signal.signal(signal.SIGINT, before[0])
    signal.signal(signal.SIGTERM, before[1])
    assert json.loads(capsys.readouterr().out)["message"] == "RuntimeError: who would have thought"


def test_every_event_has_its_time(passband, job_file, tmp_path):
    out = passband("run", job_file, "--json")[1]
    said = [json.loads(line) for line in out.splitlines()]
    assert {event["event"] for event in said} >= {"job", "planning", "started", "progress", "step", "finished"}
    times = [event["time"] for event in said]
    assert times == sorted(times)
    assert time.time() - 300 < times[0] <= times[-1] < time.time() + 1


KINDS = {
    "generate": ("passband run", ["run", "plan"]),
    "train": ("passband train", ["train"]),
    "evaluate": ("passband evaluate", ["evaluate"]),
    "analyze": ("passband analyze", [f"analyze {what}" for what in ("amplitude", *STUDIES)]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_of_another_kind_is_told_its_command(passband, tmp_path, kind):
    path = tmp_path / "job.yaml"
    told = 0
    for content in ({"kind": kind}, {"identity": "x", "job": {"kind": kind}}):
        path.write_text(yaml.safe_dump(content))
        for other, (_, commands) in KINDS.items():
            for words in commands if other != kind else ():
                status, _, err = passband(*words.split(), path)
                assert status == 1
                assert f"is a job of kind {kind} where {other} is needed; {KINDS[kind][0]} runs it" in err
                assert err.count("\n") == 1
                told += 1
    assert told >= 8


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "missing: kind; allowed: generate"),
        ({"kind": "generat"}, r"kind: 'generat' is unknown; allowed: generate \(did you mean generate\?\)"),
        ({"kind": ["x" * 100_000]}, "kind: .*is unknown; allowed: generate"),
    ],
)
def test_a_job_of_no_kind_is_told_what_is_allowed(given, message):
    from passband.jobs.dataset.spec import parse_job

    with pytest.raises(JobError, match=message) as error:
        parse_job(given)
    assert len(str(error.value)) < 300


def stopped(words, until, **options):
    """Start a command, interrupt it as soon as it has said `until`, and return status and what it said last."""
    child = subprocess.Popen(
        [*COMMAND, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )
    said = ""
    for line in child.stdout:
        said += line
        if until in line:
            child.send_signal(signal.SIGINT)
            break
    said += child.communicate(timeout=250)[0]
    return child.returncode, said


def test_a_run_that_is_stopped_says_what_is_kept_also_as_an_event(job_file, tmp_path):
    given = yaml.safe_load(job_file.read_text())
    given["output"]["samples_per_shard"] = 1
    job_file.write_text(yaml.safe_dump(given))
    status, said = stopped(["run", job_file, "--json"], '"progress"')
    event = json.loads(said.splitlines()[-1])
    assert (status, event["event"], event["message"]) == (130, "stopped", KEPT)


def test_only_what_keeps_something_says_so(monkeypatch, passband, tmp_path):
    """A signal that comes while a dataset is verified, planned or looked at leaves nothing behind."""

    def interrupted(*_, **__):
        os.kill(os.getpid(), signal.SIGINT)

    for place in ("generation.verify.verify", "comparison.status.read_run", "generation.inspect.describe"):
        monkeypatch.setattr(f"passband.jobs.{place}", interrupted)
    monkeypatch.setattr("passband.jobs.dataset.spec.load_job", interrupted)
    job = tmp_path / "job.yaml"
    job.write_text("")
    for words in (["verify", tmp_path], ["status", tmp_path], ["inspect", tmp_path], ["plan", job], ["run", job]):
        monkeypatch.setattr(stop, "number", 0)
        assert passband(*words) == (130, "", "passband: stopped\n")


def test_what_is_told_holds_for_its_part_alone():
    assert stop.told == "stopped"
    with stop.telling(KEPT):
        assert stop.told == KEPT
    assert stop.told == "stopped"


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"WORLD_SIZE": "2"}, "has WORLD_SIZE='2' but no RANK, and torchrun sets both; start the training by"),
        ({"WORLD_SIZE": ""}, "has WORLD_SIZE='' but no RANK"),
        ({"RANK": "1"}, "has RANK='1' but no WORLD_SIZE"),
        ({"RANK": ""}, "has RANK='' but no WORLD_SIZE"),
        ({"RANK": "0", "WORLD_SIZE": ""}, "has WORLD_SIZE=''; it must be an integer of at least 1"),
        ({"RANK": "-1", "WORLD_SIZE": "2"}, "has RANK='-1'; it must be an integer of at least 0"),
        ({"RANK": "two", "WORLD_SIZE": "2"}, "has RANK='two'; it must be an integer of at least 0"),
        ({"RANK": "2", "WORLD_SIZE": "2"}, "has RANK=2 and WORLD_SIZE=2; RANK is at most one less"),
        ({"RANK": "0", "WORLD_SIZE": "0"}, "has WORLD_SIZE='0'; it must be an integer of at least 1"),
        ({"RANK": "1", "WORLD_SIZE": "2"}, "has WORLD_SIZE=2 and no MASTER_ADDR and no MASTER_PORT"),
        ({"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "h"}, "has WORLD_SIZE=2 and no MASTER_PORT"),
    ],
)
def test_half_of_what_a_launcher_announces_is_one_line(passband, monkeypatch, tmp_path, environment, message):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    job = tmp_path / "train.yaml"
    job.write_text(
        "kind: train\nname: t\ndata: {path: d}\nnetwork: {kind: lenet}\nobjective: {kind: erm}\nepochs: 1\n"
        f"output: {{uri: {tmp_path}/out}}\n"
    )
    status, out, err = passband("train", job)
    assert (status, out) == (1, "")
    assert err.startswith("passband: the environment ")
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_what_torchrun_announces_is_read(monkeypatch):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert announced() == Ranks(0, 1, ALONE)
    for name, value in {"RANK": "1", "WORLD_SIZE": "3", "MASTER_ADDR": "h", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    assert announced() == Ranks(1, 3, LAUNCHER)


def test_the_number_on_a_machine_is_read_in_the_same_words(monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert local_rank() == 0
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert local_rank() == 3
    monkeypatch.setenv("LOCAL_RANK", "third")
    with pytest.raises(PassbandError, match="LOCAL_RANK='third'; it must be an integer of at least 0: start the train"):
        local_rank()


@pytest.mark.parametrize("path", ["~nobody-of-this-name/x", "~nobody-of-this-name"])
def test_an_unknown_user_is_one_line_and_no_folder(passband, job_file, tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    for words in (
        ["run", job_file, "--output", path],
        ["run", job_file, "--cache", path],
        ["status", path],
        ["verify", path],
        ["report", tmp_path, "--output", f"{path}/r.html"],
        ["reproduce", "digits", "--output", path, "--plan"],
    ):
        status, out, err = passband(*words)
        assert (status, out) == (1, "")
        assert "the home folder is not known: there is no user nobody-of-this-name; give the path without ~" in err
        assert err.count("\n") == 1
    assert [name for name in os.listdir(tmp_path) if name.startswith("~")] == []


@pytest.mark.parametrize(
    "given",
    [
        lambda path: open_stream(path, batch_size=2),
        lambda path: Cache(LocalStore("x"), path, verify=False),
        lambda path: find_files(Wanted("parquet", path, "", (), (".parquet",)), Skipped()),
        lambda path: existing_path("csv", path),
    ],
    ids=["stream", "cache", "files", "path"],
)
@pytest.mark.parametrize("path", ["~nobody-of-this-name/x", "~/x"])
def test_no_path_to_read_is_looked_for_in_a_folder_called_as_a_home(tmp_path, monkeypatch, path, given):
    monkeypatch.setenv("HOME", "")
    monkeypatch.chdir(tmp_path)
    (tmp_path / path).mkdir(parents=True)
    with pytest.raises(HomeError, match=f"{path}: the home folder is not known"):
        given(path)


def test_no_home_at_all_is_one_line(monkeypatch):
    monkeypatch.setenv("HOME", "")
    with pytest.raises(HomeError, match="~/x: the home folder is not known: HOME names no folder"):
        LocalStore("~/x")
    monkeypatch.setenv("HOME", "relative")
    with pytest.raises(HomeError):
        expanded("~")
    monkeypatch.setenv("HOME", "/h")
    assert (expanded("~"), expanded("~/x"), expanded("a/~"), expanded("x~")) == ("/h", "/h/x", "a/~", "x~")


FULL = "/dev/full"
needs_full = pytest.mark.skipif(not os.path.exists(FULL), reason="there is no /dev/full")


@needs_full
@pytest.mark.parametrize("words", [["stages"], ["stages", "--json"], ["schema"], ["--help"], ["--version"]])
def test_a_full_standard_output_is_one_line(words):
    with open(FULL, "w") as full:
        done = subprocess.run([*COMMAND, *words], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "passband: cannot write to standard output: No space left on device\n"


@pytest.mark.slow
@needs_full
def test_a_run_goes_on_without_its_progress_but_not_without_its_events(job_file, tmp_path):
    with open(FULL, "w") as full:
        silent = subprocess.run([*COMMAND, "run", job_file], stderr=full, stdout=subprocess.PIPE, text=True)
        assert silent.returncode == 0
        assert "355 samples" in silent.stdout
        events = subprocess.run([*COMMAND, "run", job_file, "--json"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert events.returncode == 1
    assert events.stderr == "passband: cannot write to standard output: No space left on device\n"


@needs_full
def test_an_error_that_nobody_hears_keeps_its_status(tmp_path):
    with open(FULL, "w") as full:
        for words in (["run", tmp_path / "nothing"], ["run", tmp_path / "nothing", "--json"]):
            done = subprocess.run([*COMMAND, *words], stdout=full, stderr=full)
            assert done.returncode == 1


@pytest.mark.slow
@pytest.mark.parametrize("closed", [(0, 1, 2), (1,), (0, 2)])
def test_closed_descriptors_are_no_files_of_the_dataset(job_file, tmp_path, closed):
    """What a library prints to a descriptor would else go into the file that got its number."""
    script = (
        "import os, sys\n"
        f"for number in {closed}: os.close(number)\n"
        f"os.execv(sys.executable, [sys.executable, '-m', 'passband', 'run', {str(job_file)!r}])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert command("verify", tmp_path / "out").returncode == 0
    stored = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert stored
    assert not any(b"samples/s" in path.read_bytes() for path in stored if path.suffix in (".tar", ".json", ".parquet"))


def test_a_reader_that_leaves_is_no_error_message():
    child = subprocess.Popen([*COMMAND, "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child.stdout.close()
    assert child.stderr.read() == b""
    child.stderr.close()
    assert child.wait() == 1


def limited(megabytes, *words, **options):
    """Run a command in a process of so little address space."""
    script = (
        "import os, resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_AS, ({megabytes << 20}, {megabytes << 20}))\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'passband', *sys.argv[1:]])\n"
    )
    run = [sys.executable, "-c", script, *map(str, words)]
    return subprocess.run(run, capture_output=True, text=True, timeout=250, **options)


@pytest.mark.parametrize("megabytes", [200, 400, 900])
@pytest.mark.parametrize("words", [["run"], ["run", "--json"]])
def test_too_little_address_space_is_one_line(job_file, words, megabytes):
    done = limited(megabytes, *words, job_file)
    said = json.loads(done.stdout)["message"] if "--json" in words else done.stderr.removeprefix("passband: ")
    assert done.returncode == 1
    assert said.strip() == (
        f"the address space of a process is limited to {megabytes} MB here (ulimit -v); passband needs at least "
        "1,024 MB, and most work 3,000 MB"
    )


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "out of memory"),
        (ImportError("libx.so: failed to map segment from shared object"), "out of memory: libx.so: failed to map"),
        (RuntimeError("can't start new thread"), "out of memory: can't start new thread"),
        (RuntimeError("std::bad_alloc"), "out of memory: std::bad_alloc"),
        (OSError(12, os.strerror(12)), "out of memory: [Errno 12] Cannot allocate memory"),
    ],
)
def test_out_of_memory_is_one_line(monkeypatch, passband, error, message):
    def fails():
        raise error

    monkeypatch.setattr("passband.jobs.dataset.listing.listing", fails)
    status, out, err = passband("stages")
    assert (status, out) == (1, "")
    assert err.startswith(f"passband: {message}")
    assert err.count("\n") == 1


def test_other_import_errors_are_bugs():
    assert lack_of_memory(ImportError("No module named 'x'")) is None
    assert lack_of_memory(RuntimeError("other")) is None


@pytest.mark.slow
@pytest.mark.parametrize("home", ["a file", "missing", "none", "read-only"])
def test_a_home_that_cannot_be_is_no_obstacle(job_file, tmp_path, home):
    environment = dict(os.environ)
    (tmp_path / "file").write_text("")
    (tmp_path / "locked").mkdir(mode=0o500)
    places = {"missing": tmp_path / "nowhere" / "h", "a file": tmp_path / "file", "read-only": tmp_path / "locked"}
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "MPLCONFIGDIR", "HOME"):
        environment.pop(name, None)
    if home in places:
        environment["HOME"] = str(places[home])
    before = set(os.listdir(tmp_path))
    done = command("run", job_file, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert set(os.listdir(tmp_path)) - before <= {"out", "nowhere"}
    assert command("jobs", cwd=tmp_path, env=environment).returncode == 0


@pytest.mark.slow
def test_a_job_on_the_cpu_leaves_cupys_folder_alone(job_file, tmp_path):
    """`auto` finds out by the driver that there is no GPU: CuPy makes its folder as it is imported."""
    home = tmp_path / "home"
    home.mkdir()
    for options in (["--backend", "cpu"], [] if missing_gpu() else ["--backend", "cpu"]):
        done = command("plan", job_file, *options, env=os.environ | {"HOME": str(home)})
        assert done.returncode == 0, done.stderr
    assert not (home / ".cupy").exists()


def test_a_missing_gpu_is_told_by_the_driver(monkeypatch):
    if missing_gpu() is None:
        pytest.skip("this machine has a GPU")
    monkeypatch.setitem(sys.modules, "cupy", None)  # not asked
    monkeypatch.setattr("passband.kernels.cuda.device.find_spec", lambda name: object())
    with pytest.raises(DeviceError, match="no GPU that CUDA can use: .*NVIDIA driver"):
        CupyDevice()


COMMANDS = [
    *("run", "plan", "status", "verify", "inspect", "export", "schema", "stages", "train", "evaluate", "reproduce"),
    *("report", "submit", "jobs", "logs", "cancel", "analyze", "analyze amplitude"),
    *(f"analyze {what}" for what in STUDIES),
    *("cluster", "cluster up", "bench", "bench augment", "bench training", ""),
]


@pytest.mark.parametrize("words", COMMANDS)
def test_the_help_of_every_command_fits_sixty_columns(passband, monkeypatch, words):
    monkeypatch.setenv("COLUMNS", "60")
    status, out, err = passband(*words.split(), "--help")
    assert (status, err) == (0, "")
    assert len(out.splitlines()) > 4
    assert max(map(len, out.splitlines())) <= 60
