"""The commands that run jobs on a cluster. Everything heavy is imported by the command that needs it."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from passband.jobs.commands.shared import AsJson, JobFile, print_json, stop

if TYPE_CHECKING:
    from passband.jobs.cluster.client import ClusterJob
    from passband.jobs.cluster.head import Head
    from passband.jobs.cluster.records import Record
    from passband.jobs.cluster.submission import Submission

NEWEST = 20

Url = Annotated[str | None, typer.Option("--address", help="of the cluster's job server", metavar="URL")]
TokenFile = Annotated[
    Path | None, typer.Option("--token-file", help="default: the one of `cluster up`", metavar="FILE")
]
JobId = Annotated[str, typer.Argument(help="as `submit` printed it", metavar="ID")]
Workers = Annotated[
    int | None, typer.Option("--workers", help="default: one for every CPU of the cluster", metavar="N", min=1)
]
OtherOutput = Annotated[str | None, typer.Option("--output", help="instead of output.uri", metavar="URI")]

cluster = typer.Typer(
    help="A cluster of one node on this machine, to submit jobs to.", no_args_is_help=True, rich_markup_mode=None
)


@cluster.command()
def up(
    num_cpus: Annotated[int | None, typer.Option("--num-cpus", help="default: all", metavar="N", min=1)] = None,
    num_gpus: Annotated[int | None, typer.Option("--num-gpus", help="default: all", metavar="N", min=0)] = None,
    port: Annotated[
        int, typer.Option("--dashboard-port", help="0: any free one", metavar="P", min=0, max=65535)
    ] = 8265,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Run a cluster on this machine until Ctrl-C. It listens on loopback only, and asks for a token."""
    from passband.jobs.cluster.client import is_ready
    from passband.jobs.cluster.head import running_head, wait_ready
    from passband.jobs.cluster.token import default_token_file

    with stop.deferred():
        with running_head(num_cpus, num_gpus, port, token_file or default_token_file()) as head:
            if wait_ready(head, lambda: is_ready(head.address, head.token_file), lambda: stop.number != 0):
                _tell_up(head, as_json)
            while not stop.number and head.ended() is None:
                time.sleep(0.2)
            status = head.ended()
    if not stop.number:
        from passband.jobs.cluster.state import ClusterError

        raise ClusterError(f"the cluster's head ended by itself (status {status}); its jobs went with it")
    stop.number = 0  # it was asked to end, and that is no failure
    print_json({"event": "stopped"}) if as_json else typer.echo("the cluster is stopped; outputs keep what is finished")


def _tell_up(head: "Head", as_json: bool) -> None:
    if as_json:
        told = {"address": head.address, "gcs_address": head.gcs_address, "token_file": str(head.token_file)}
        print_json({"event": "ready", **told, "pid": head.process.pid})
        return
    typer.echo(f"the cluster is up at {head.address}; Ctrl-C stops it")
    typer.echo(f"token in {head.token_file}")
    typer.echo(f"passband submit JOB --address {head.address}")


def submit(
    job: JobFile,
    address: Url = None,
    token_file: TokenFile = None,
    workers: Workers = None,
    output: OtherOutput = None,
    job_id: Annotated[str | None, typer.Option("--id", help="default: NAME-TIME-XXXX", metavar="ID")] = None,
    num_cpus: Annotated[
        float | None, typer.Option("--num-cpus", help="reserved for the job's own process", metavar="N", min=0)
    ] = None,
    num_gpus: Annotated[
        float | None, typer.Option("--num-gpus", help="reserved for the job's own process", metavar="N", min=0)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show what would be submitted; send nothing")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="show its log until it ends, with its status")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a job on a cluster: to generate, analyze, train or evaluate. The same command resumes it."""
    from passband.jobs.cluster.submission import read_submission
    from passband.jobs.cluster.submit import choose_address, send

    submission = read_submission(job, output, workers)
    place = choose_address(address)
    if dry_run:
        _tell_submission(submission, place, as_json)
        return
    record = send(submission, place, token_file, job_id, num_cpus, num_gpus)
    if as_json:
        print_json(record.as_json())
    else:
        typer.echo(record.id)
        typer.echo(f"{record.kind} into {record.output}")
        if not follow:
            typer.echo(f"passband status {record.id}")
            typer.echo(f"passband logs {record.id} -f")
    if follow:
        _follow(record, token_file)


def _tell_submission(submission: "Submission", address: str, as_json: bool) -> None:
    from dataclasses import asdict

    from passband.jobs.common.yamltext import dump_yaml

    if as_json:
        print_json({"address": address, **asdict(submission)})
        return
    typer.echo(f"{submission.kind} {submission.name} to {address} (nothing is sent)")
    typer.echo(f"command  passband {' '.join(submission.words)} JOB")
    if submission.spreads:
        typer.echo(f"workers  {submission.workers or 'one for every CPU of the cluster'}")
    typer.echo(f"output   {submission.output}")
    typer.echo(dump_yaml(submission.job).rstrip())


def jobs(
    address: Url = None,
    token_file: TokenFile = None,
    everything: Annotated[bool, typer.Option("--all", help="not only the newest 20")] = False,
    as_json: AsJson = False,
) -> None:
    """List the jobs that were submitted from here, or those of the cluster at an address."""
    from passband.jobs.cluster.spelling import spell_jobs
    from passband.jobs.cluster.tracking import list_jobs

    found = list_jobs(address, token_file, None if everything else NEWEST)
    print_json([job.as_json() for job in found]) if as_json else typer.echo(spell_jobs(found))


def logs(
    job_id: JobId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="until it ends, with its status")] = False,
    address: Url = None,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Show what a submitted job has printed."""
    from passband.jobs.cluster.tracking import find_job, open_client

    record = find_job(job_id, address, token_file)
    if follow:
        _follow(record, token_file)
        return
    client = open_client(record, token_file)
    text, beside = client.log(record.id), _beside_log(client.find(record.id))
    if as_json:
        print_json({"id": record.id, "log": text, "message": beside})
        return
    typer.echo(text, nl=False)
    if beside:
        sys.stderr.write(f"the job {beside}\n")


def _beside_log(found: "ClusterJob | None") -> str:
    """Return what a job's log does not say of it: why it could not start, above all."""
    from passband.jobs.cluster.failure import told_beside_log

    return "" if found is None else told_beside_log(found) or ""


def _follow(record: "Record", token_file: Path | None) -> None:
    """Show a log until the job ends; end with the job's status."""
    from passband.jobs.cluster.tracking import exit_status, open_client

    client = open_client(record, token_file)
    with stop.deferred():
        client.follow(record.id, lambda text: typer.echo(text, nl=False), lambda: stop.number != 0)
    if stop.number:
        number, stop.number = stop.number, 0
        sys.stderr.write(f"\nthe job runs on: passband logs {record.id} -f\n")
        sys.exit(128 + number)
    found = client.wait_ended(record.id, timeout_s=10)
    if beside := _beside_log(found):
        sys.stderr.write(f"the job {beside}\n")
    sys.exit(exit_status(found))


def cancel(job_id: JobId, address: Url = None, token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """Stop a submitted job; what it finished is kept, and submitting it again resumes it."""
    from passband.jobs.cluster.spelling import spell_cancelled
    from passband.jobs.cluster.tracking import cancelled, find_job

    record = find_job(job_id, address, token_file)
    found, before = cancelled(record, token_file)
    print_json({**found.as_json(), "was": before}) if as_json else typer.echo(spell_cancelled(found, before))
    if not found.has_ended:
        sys.exit(1)


def tell_job(job_id: str, address: str | None, token_file: Path | None, as_json: bool) -> None:
    """Say how far a submitted job is; exit status 1 if it failed or is lost."""
    from passband.jobs.cluster.spelling import spell_job
    from passband.jobs.cluster.tracking import Clusters, find_job, track

    found = track(find_job(job_id, address, token_file), Clusters(token_file))
    print_json(found.as_json()) if as_json else typer.echo(spell_job(found))
