"""Make calls under a sanitizer, in a child process: ``python -m tests.cuda_host.sanitized thread [CALL ...]``.

A sanitizer's runtime must be in a process before anything else, so the interpreter is started with it preloaded. The
interpreter and NumPy are not compiled for it: what it reports lies in a kernel.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.cuda_host.calls import LARGE, SMALL, SQUARES, Call, calls
from tests.cuda_host.device import HostDevice

ROOT = Path(__file__).parents[2]
RUNTIMES = {"thread": ["libtsan.so"], "address": ["libasan.so", "libubsan.so"]}
OPTIONS = {
    "TSAN_OPTIONS": "halt_on_error=1:exitcode=66:report_signal_unsafe=0:report_thread_leaks=0",
    "ASAN_OPTIONS": "halt_on_error=1:detect_leaks=0:exitcode=66:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=66",
}
"""Python never frees all it has, so leaks are nothing to look for."""
SINGLE = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}


def run_sanitized(sanitizer: str, words: Sequence[object], module: str = "tests.cuda_host.sanitized"):
    """Start a module of this folder under a sanitizer; return the finished process."""
    environment = {**os.environ, **OPTIONS, **SINGLE, "LD_PRELOAD": ":".join(map(_runtime, RUNTIMES[sanitizer]))}
    command = [sys.executable, "-m", module, sanitizer, *map(str, words)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def _runtime(name: str) -> str:
    return subprocess.run(
        ["g++", f"-print-file-name={name}"], capture_output=True, text=True, check=True
    ).stdout.strip()


def run_calls(sanitizer: str, made: Sequence[Call], seeds: Sequence[int] = (2,)) -> None:
    """Make the calls in this process; the last line that it wrote names the call that a report is about."""
    for seed in seeds:
        device = HostDevice(seed=seed, sanitizer=sanitizer)
        for call in made:
            print(f"{call} seed {seed}", flush=True)
            call.run(device)


def main(sanitizer: str, *names: str) -> None:
    every = calls((*SMALL, *SQUARES, *LARGE))
    chosen = [call for call in every if str(call) in names] if names else calls()
    run_calls(sanitizer, chosen)
    print(f"{len(chosen)} calls made", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
