"""What native code writes to standard error is dropped for a while; what Python writes is not."""

import os
import subprocess
import sys

from passband.jobs.executors.muted import muted

SCRIPT = """
import os, sys
from passband.jobs.executors.muted import muted
{before}
print("before", file=sys.stderr)
with muted():
    os.write(2, b"native\\n") if {open} else None
    print("within", file=sys.stderr)
    os.system("echo a child >&2")
print("after", file=sys.stderr)
os.write(2, b"native again\\n") if {open} else None
sys.stdout.write(str(len(os.listdir("/proc/self/fd"))))
"""


def run(before: str, still_open: bool) -> tuple[str, str]:
    script = SCRIPT.format(before=before, open=still_open)
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True)
    return done.stdout, done.stderr


def test_only_what_python_writes_is_heard():
    out, err = run("", True)
    assert err.splitlines() == ["before", "within", "after", "native again"]
    assert out == run("muted().__enter__", True)[0]  # no descriptor more than without


def test_a_standard_error_that_is_closed_is_nothing_to_mute():
    assert run("os.close(2); sys.stderr = open(os.devnull, 'w')", False)[1] == ""


def test_another_standard_error_of_python_is_left_alone(capsys):
    with muted():
        print("captured", file=sys.stderr)
    assert capsys.readouterr().err == "captured\n"
    os.fstat(2)
