"""The ``passband`` command."""

import signal
import sys
from typing import Annotated, Any

import typer

from passband.jobs.commands import (
    analysis,
    bench,
    cluster,
    evaluation,
    generation,
    init,
    reporting,
    reproduction,
    training,
)
from passband.jobs.commands.shared import stop
from passband.jobs.common import events
from passband.jobs.common.address_space import check_address_space, lack_of_memory
from passband.jobs.common.standard_streams import StreamError, discard_output, flush_output, mend_streams

app = typer.Typer(
    help="Precompute frequency-aware augmented image datasets as verified shards.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    init.init,
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

_UsageError: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")  # typer names it not


def _tell_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"passband {version('passband')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="say which Passband this is", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    check_address_space()


def main() -> None:
    """Run the command line; a PassbandError becomes one message and exit status 1."""
    mend_streams()
    events.output.is_document = False
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    status = _run()
    try:
        flush_output()
    except BrokenPipeError:
        status = status or 1
    except StreamError as error:
        status = _tell(str(error))
    sys.exit(status)


def _run() -> int:
    """Run the command that was given and return the exit status; whatever goes wrong is told here."""
    from passband.pipeline.errors import PassbandError

    try:
        ended = typer.main.get_command(app).main(prog_name="passband", standalone_mode=False)
        return ended if isinstance(ended, int) else 0
    except PassbandError as error:
        return _tell(str(error))
    except _UsageError as error:
        return _tell_usage(error)
    except BrokenPipeError:
        discard_output()
        return 1
    except SystemExit as error:
        return _end(error)
    except OSError as error:
        if (lack := lack_of_memory(error)) is not None:
            return _tell(lack)
        return _tell(f"{error.filename}: {error.strerror or error}" if error.filename else error.strerror or str(error))
    except Exception as error:
        if (lack := lack_of_memory(error)) is not None:
            return _tell(lack)
        if _as_json():
            _announce("error", f"{type(error).__name__}: {error}")
        raise


def _as_json() -> bool:
    return "--json" in sys.argv[1:]


def _announce(event: str, message: str) -> None:
    """Say how the command ends: where its events go in JSON mode, and on standard error otherwise."""
    try:
        if _as_json() and not events.output.is_document:
            return events.say(event, message=message)
    except (StreamError, BrokenPipeError):
        discard_output()
    sys.stderr.write(f"passband: {message}\n")


def _tell(message: str) -> int:
    """Say what went wrong and return the exit status."""
    _announce("error", message)
    return 1


def _tell_usage(error: Any) -> int:
    if _as_json():
        _announce("error", error.format_message())
    else:
        error.show()
    return int(error.exit_code)


def _end(error: SystemExit) -> int:
    """Return the status of a command that ended itself, or was ended by a signal and says what that leaves."""
    if not stop.number:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    _announce("stopped", stop.told)
    return 128 + stop.number  # the status that was raised may have been changed on its way


if __name__ == "__main__":
    main()
