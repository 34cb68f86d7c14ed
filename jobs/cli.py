"""The ``passband`` command."""

import os
import signal
import sys

import typer

from jobs.commands import analysis, bench, cluster, evaluation, generation, reporting, reproduction, training
from jobs.commands.shared import stop

app = typer.Typer(
    help="Precompute frequency-aware augmented image datasets as verified shards.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    generation.run,
    generation.plan,
    generation.status,
    generation.verify,
    generation.inspect,
    generation.export,
    generation.schema,
    generation.stages,
    training.train,
    evaluation.evaluate,
    reproduction.reproduce,
    reporting.report,
    cluster.submit,
    cluster.jobs,
    cluster.logs,
    cluster.cancel,
):
    app.command()(command)
app.add_typer(analysis.analyze, name="analyze")
app.add_typer(cluster.cluster, name="cluster")
app.add_typer(bench.bench, name="bench")


def main() -> None:
    """Run the command line; a PassbandError becomes one message and exit status 1."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    from pipeline.errors import PassbandError

    try:
        app()
    except PassbandError as error:
        sys.stderr.write(f"passband: {error}\n")
        sys.exit(1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except SystemExit:
        if not stop.number:
            raise
        sys.stderr.write(f"passband: {stop.told}\n")
        sys.exit(128 + stop.number)  # the status that was raised may have been changed on its way
    except MemoryError as error:
        told = " ".join(str(error).split())
        sys.stderr.write(f"passband: memory does not suffice{told and f': {told}'}\n")
        sys.exit(1)
    except OSError as error:
        sys.stderr.write(f"passband: {error.filename or ''}: {error.strerror or error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
