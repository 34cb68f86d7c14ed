"""What the tests of the benchmarks measure: small and quick, but real."""

from passband.jobs.bench.cases import make_cases
from passband.jobs.bench.trial import Plan

SIZE, BATCH = 16, 4


def small_plan(patterns=(), rounds=1, **options):
    """Return a plan of few images of 16 pixels."""
    cases = make_cases([SIZE], patterns, batch=lambda size: BATCH)
    return Plan(cases, rounds, copy_bytes=2**20, **options)


class Silent:
    """Shows nothing and remembers what it was told."""

    def __init__(self):
        self.steps, self.advanced = [], []

    def step(self, name, total):
        self.steps.append((name, total))

    def advance(self, name):
        self.advanced.append(name)
