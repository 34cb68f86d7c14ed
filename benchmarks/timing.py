"""Timing in turn, as ``passband bench`` does it, under the name that the benchmarks here import."""

from passband.jobs.bench.machine import describe_machine
from passband.jobs.bench.timing import quartiles, time_in_turn

__all__ = ["describe_machine", "quartiles", "time_in_turn"]
