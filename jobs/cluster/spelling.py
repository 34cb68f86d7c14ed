"""Submitted jobs for a terminal of 60 columns."""

import textwrap
import time

from passband.jobs.cluster.tracking import Tracked


def spell_jobs(found: list[Tracked]) -> str:
    """Spell a list of jobs, two lines each: ids are long, and are copied."""
    if not found:
        return "no job was submitted from here"
    return "\n".join(f"{job.record.id}\n  {_row(job)}" for job in found)


def _row(job: Tracked) -> str:
    progress = "?" if job.progress is None else job.progress.spelled()
    return f"{job.record.kind:<9} {job.state:<8} {progress:<20} {age(job.record.submitted)}".rstrip()


def spell_job(job: Tracked) -> str:
    """Spell all that is known of a job."""
    record = job.record
    lines = [
        f"{record.id}: {job.state}",
        f"{record.kind:<10}{record.name}, submitted {age(record.submitted)}",
        f"output    {record.output}",
        f"progress  {_progress(job)}",
        f"cluster   {record.address}",
    ]
    if job.silence is not None:
        silence = job.silence.replace(f"the cluster at {record.address} ", "")
        lines += _beside("", f"{silence}; the output says how far it is")
    elif job.reason is not None:
        lines += _beside(job.state, job.reason)
        if job.state == "failed":
            lines.append(f"          passband logs {record.id}")
    if job.state in ("failed", "stopped", "lost"):
        lines.append(_next(job))
    return "\n".join(lines)


def _beside(word: str, text: str) -> list[str]:
    """Return lines with `word` in the first column and `text` in the second."""
    return [f"{word if not row else '':<10}{line}" for row, line in enumerate(textwrap.wrap(text, 50))]


def _next(job: Tracked) -> str:
    """Say what can be done for a job that did not get to its end."""
    if job.progress is not None and job.progress.state == "finished":
        return "its output is finished: another run did the rest"
    return "submit the same job again to resume it"


def spell_cancelled(job: Tracked, before: str) -> str:
    """Say what became of a job that was asked to stop, and what is kept."""
    record = job.record
    if before != "running" and before != "waiting":
        return f"{record.id}: was {before} before; {_progress(job)}"
    if not job.has_ended:
        when = "; the cluster ends it when it gets its place" if job.state == "waiting" else ""
        return f"{record.id}: was asked to stop and is still {job.state}{when}"
    return f"{record.id}: {job.state}\nkept      {_progress(job)} in {record.output}\n{_next(job)}"


def _progress(job: Tracked) -> str:
    return f"unknown: {job.problem}" if job.progress is None else job.progress.spelled()


def age(since: float) -> str:
    """Spell how long ago a moment was: 40 s, 12 min, 5 h, 3 days."""
    seconds = max(0.0, time.time() - since)
    for unit, length, above in (("days", 86400, 2 * 86400), ("h", 3600, 5400), ("min", 60, 90)):
        if seconds >= above:
            return f"{seconds // length:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"
