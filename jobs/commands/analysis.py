"""The commands that analyze images and frozen models: one for each study, and one for the amplitude of images."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from passband.jobs.analysis.studies import STUDIES
from passband.jobs.commands.generation import Address, ExecutorName, Workers
from passband.jobs.commands.shared import KEPT, AsJson, JobFile, print_json, stop

if TYPE_CHECKING:
    from passband.jobs.analysis.results import Analysis
    from passband.jobs.analysis.spec import AnalyzeJob, What

OtherOutput = Annotated[str | None, typer.Option("--output", help="instead of output.uri", metavar="URI")]
DryRun = Annotated[bool, typer.Option("--plan", help="how much work it is, how long it takes; write nothing")]

analyze = typer.Typer(
    help="Study a frozen model, and the frequencies of images.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@analyze.command()
def amplitude(job: JobFile, output: OtherOutput = None, as_json: AsJson = False) -> None:
    """Map the mean amplitude of the images. It is times the scale of the job."""
    _run(_load(job, output), "amplitude", as_json)


def _command(what: str) -> Callable[..., None]:
    """Return the command of a study; all of them have the same options."""

    def command(
        job: JobFile,
        executor: ExecutorName = None,
        workers: Workers = None,
        address: Address = None,
        output: OtherOutput = None,
        plan: DryRun = False,
        as_json: AsJson = False,
    ) -> None:
        spec = _load(job, output).with_compute(executor=executor, workers=workers, address=address)
        if plan:
            _tell_plan(spec, what, as_json)
        else:
            _run(spec, what, as_json)

    return command


for _name, _kind in STUDIES.items():
    analyze.command(_name, help=_kind.summary)(_command(_name))


def _load(path: JobFile, output: str | None) -> "AnalyzeJob":
    from passband.jobs.analysis.spec import load_analyze_job

    spec = load_analyze_job(path)
    return spec if output is None else spec.with_output(output)


def _run(spec: "AnalyzeJob", what: "What", as_json: bool) -> None:
    from passband.jobs.analysis.display import AnalysisDisplay
    from passband.jobs.analysis.run import analyze

    told = KEPT if what in STUDIES else stop.told  # an amplitude is one pass, and begins again
    with stop.telling(told), AnalysisDisplay.for_streams(as_json) as display:
        found = analyze(spec, what, display=display, checkpoint=stop.check)
    if as_json:
        print_json({"event": "finished", "output": spec.output.uri, "results": found.model_dump()})
    else:
        typer.echo(_table(found, spec.output.uri))


def _table(found: "Analysis", uri: str) -> str:
    """Spell what an analysis came to, for a terminal of 60 columns."""
    from passband.jobs.analysis.mapping import told_maps
    from passband.jobs.common.wording import duration

    lines = STUDIES[found.what].load().told(found) if found.what in STUDIES else told_maps(found)
    lines += ["", f"images      {found.samples:,} of {found.of:,}"]
    if found.surrogate is not None:
        share = "" if found.model_share is None else f", {found.model_share:.1%} of it the model"
        lines.append(f"surrogate   {found.surrogate.network}, sha256 {found.surrogate.sha256[:16]}")
        lines.append(f"work        {duration(found.seconds)}{share}")
    return "\n".join([*lines, f"written to  {uri}"])


def _tell_plan(spec: "AnalyzeJob", what: "What", as_json: bool) -> None:
    from passband.jobs.analysis.probe import estimate
    from passband.jobs.common.wording import duration

    found = estimate(spec, what)
    if as_json:
        print_json(found.told())
        return
    share = "" if found.model_share is None else f", {found.model_share:.1%} of it the model"
    lines = [f"{spec.name} -> {spec.output.uri} (nothing is written)"]
    lines.append(f"{'parts':<13}{', '.join(found.parts)}")
    lines.append(f"{found.noun:<13}{found.items:,}")
    lines.append(f"images       {found.samples:,} of {found.of:,}")
    if found.passes is not None:
        lines.append(f"passes       {found.passes:,} of {found.batch} images")
    lines.append(f"time         about {duration(found.seconds)}, start-up aside")
    lines.append(f"workers      {found.workers} with threads {found.threads}")
    lines.append(f"measured on  {found.probed:,} {found.noun}{share}")
    typer.echo("\n".join(lines))
