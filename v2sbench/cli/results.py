"""The verbs that tabulate, judge and show: table, gate, accept, report, reported, sweep."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from v2sbench.cli.options import DIR, FILE, names_in, system_option, systems_of, verb
from v2sbench.runtime import CheckError, UseError

NUMBER = {
    "split": ("S", "The split of this suite that the number belongs to."),
    "method": ("NAME", "Name of the system in its source."),
    "metric": ("M", "A metric, or `pesq` where the source does not say which PESQ."),
    "value": ("X", "As printed there; rates in percent."),
    "source": ("KEY", "Key of the paper in results/sources.bib."),
    "locator": ("WHERE", "Where in the source: table, section, page."),
    "grade": ("G", "primary: read by you; secondary: quoted by others; assumed."),
    "init": ("I", "scratch, frozen or tuned, where the source says it."),
    "identity": ("E", "speaker or face, where the source says it."),
    "protocol": ("P", "A named protocol, or facts such as asr=whisper, `;`-separated."),
    "note": ("TEXT", "Anything a reader must know."),
}
"""Option of `reported add` -> metavar, help."""
OPTIONAL = ("init", "identity", "protocol", "note")


@verb(
    "scores -> results/tables/SPLIT.{md,csv,tex,json}, reported numbers beside measured ones",
    "table demo-seen",
    "table grid4-seen --base v2a-mel-s-speaker-tuned",
    "table grid4-seen --systems mine,v2a-mel-s-speaker-tuned --columns stoi,wer --out my-tables",
    "table grid4-seen --protocols",
    "table --scores my-scores --base mine",
)
@click.argument("splits", nargs=-1, metavar="[SPLIT]...", help="Default: v2a_splits of params.yaml.")
@click.option("--scores", type=DIR, help="Instead of a split's: scores that `score --out DIR` wrote.")
@click.option("--show", is_flag=True, help="Only print; write no files.")
@click.option("--quiet", is_flag=True, help="Only write.")
@click.option(
    "--base", metavar="NAME", help="Mark what differs from it (default: the first of --systems, or of the users')."
)
@click.option("--systems", metavar="A,B", help="Only these systems, and of the reported methods none but these.")
@click.option("--columns", metavar="M,M", help="Only these metrics, e.g. stoi,cer; see: v2sbench list metrics.")
@click.option("--trainings", is_flag=True, help="A row a training instead of a row a recipe.")
@click.option("--protocols", is_flag=True, help="Instead: each system under every protocol it was scored under.")
@click.option("--out", type=DIR, help="Write there; a table of one's own choice is else only printed.")
def table(
    splits: tuple[str, ...],
    scores: Path | None,
    show: bool,
    quiet: bool,
    base: str | None,
    systems: str | None,
    columns: str | None,
    trainings: bool,
    protocols: bool,
    out: Path | None,
) -> None:
    """Scores -> results/tables/SPLIT.{md,csv,tex,json} and the same on the terminal.

    A table that options choose is none of the pipeline's, so it is written only where --out says.
    """
    from v2sbench.results import Results, layout
    from v2sbench.results import table as make_table

    chosen = bool(base or systems or columns or trainings or protocols or scores)
    if show and out:
        raise UseError("--show writes nothing, --out DIR does; give one of them")
    out = out or (None if show or chosen else layout.TABLES)
    if quiet and out is None:
        raise UseError("--quiet writes and does not print, but this writes nothing; give --out DIR")
    if protocols and (base or columns):
        raise UseError("--protocols shows each protocol's own metrics and compares nothing; drop --base, --columns")
    if scores and splits:
        raise UseError(f"a split ({splits[0]}) and --scores exclude each other")
    if scores:  # a folder of scores has no reported numbers
        folder = scores.resolve()
        asked = [Results(split=folder.name, measured=folder.parent, published=None, claims=None, single=trainings)]
    else:
        asked = [Results(split=split, single=trainings) for split in splits or _splits()]
    for results in asked:
        split = results.split
        if protocols:
            said, files = _spread(split, results.measured, names_in(systems), out), ".protocols.md (and .csv)"
        else:
            found = make_table(results, base=base, only=names_in(systems), columns=names_in(columns))
            if out:
                layout.save(found, out)
            said, files = layout.console(found, bold=_shows_bold()), ".md (and .csv, .tex, .json)"
        if not quiet:
            print(said, end="\n\n")
        if out:
            print(f"table: {out / split}{files}")
        elif chosen:
            print("table: nothing written; --out DIR writes it")


def _splits() -> tuple[str, ...]:
    """The splits of the experiment."""
    from v2sbench.nets import load_params

    return load_params().v2a_splits


def _shows_bold() -> bool:
    """Whether people read this on a terminal with bold letters, and did not ask for none."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb" and "NO_COLOR" not in os.environ


def _spread(split: str, measured: Path, only: tuple[str, ...], out: Path | None) -> str:
    """Systems under several protocols, written where `out` says; returns the text for the terminal."""
    from v2sbench.results.spread import console, save, spread

    found = spread(split, measured=measured, only=only)
    if out:
        save(found, out)
    return console(found)


@verb(
    "same audio, same scores? other audio, numbers within the spread? exit code 1 when not",
    "gate demo-seen",
    "gate grid4-seen --systems mine",
)
@click.argument("split", help="A split with scores and a baseline.")
@click.option("--systems", metavar="A,B", help="Look at these systems of the baseline only.")
@click.option("--tell", is_flag=True, help="Say it in one sentence, and fail nothing.")
def gate(split: str, systems: str | None, tell: bool) -> None:
    """Scores against the baseline. What differs is printed before it fails, better or worse."""
    from v2sbench.results import check
    from v2sbench.results.gate_report import report, summary

    checked = check(split, only=names_in(systems))
    if tell:
        print(f"v2sbench: {summary(checked)}")
        return
    print(report(checked))
    if checked.changes:
        raise CheckError(summary(checked))


@verb(
    "make the scores the baseline",
    'accept demo-seen --why "conformer blocks normalised before the residual"',
    'accept grid4-seen --systems mine --why "our first numbers"',
)
@click.argument("split", help="A split with scores.")
@click.option("--why", required=True, metavar="REASON", help="One line that stands in the baseline.")
@click.option(
    "--systems", metavar="A,B", help="Only these; others stay (default: ours, and those of yours that are in it)."
)
@click.option("--publish", is_flag=True, help="For the maintainers: write results/published, with table and spread.")
@click.option("--add", is_flag=True, help="With --publish: only add this processor's trainings to the spread.")
def accept(split: str, why: str, systems: str | None, publish: bool, add: bool) -> None:
    """Make the scores the baseline."""
    from v2sbench.results import accept
    from v2sbench.results.gate_files import BASELINE

    if add and not publish:
        raise UseError("--add goes with --publish")
    if publish:
        from v2sbench.results.publish import publish as publish_run

        print(f"published: {publish_run(split, why, add=add)}")
        return
    done = accept(split, why, systems=names_in(systems))
    print(f"baseline: {BASELINE / split}.csv: {done.changed}")


@verb(
    "scores and audio -> results/reports/SPLIT.html: tables, claims, charts, clips to listen to",
    "report demo-seen",
    "report grid4-seen --system mine=my-system/",
    "report demo-seen --clips 0 --out numbers-only.html",
)
@click.argument("splits", nargs=-1, metavar="[SPLIT]...", help="Default: v2a_splits of params.yaml.")
@click.option("--out", type=FILE, help="Write the page there, and nothing else.")
@click.option("--clips", type=int, metavar="N", help="Clips to listen to (default: 9; 0: no listening page).")
@system_option
def report(splits: tuple[str, ...], out: Path | None, clips: int | None, systems: tuple[str, ...]) -> None:
    """Scores and audio -> one HTML page a split, and the files that `dvc plots` shows.

    A system of the user's is scored first; what was scored is not scored again.
    """
    from v2sbench.cli.score import score_split
    from v2sbench.report import CLIPS, write_plots, write_report
    from v2sbench.results import table as make_table

    splits = splits or _splits()
    if out is not None and len(splits) != 1:
        raise UseError(f"--out is for one split, not for {len(splits)}: {', '.join(splits)}")
    for split in splits:
        own = systems_of(systems, split)
        if own:
            score_split(split, own=own)
        scored = make_table(split)  # seconds of work, so once for page and plots
        print(f"report: {write_report(scored, out, clips=CLIPS if clips is None else clips, folders=own)}")
        if out is None:
            print(f"plots: {write_plots(scored)}")


@verb(
    "add a paper's number to results/reported.csv, or check the file",
    "reported add --split grid4-seen --method SVTS --metric stoi --value 0.70 --source mira2022svts "
    '--locator "Table 2" --grade primary',
    "reported check",
)
@click.argument("action", type=click.Choice(["add", "check"]), help="Add one number, or check all of them.")
def reported(action: str, **line: str | None) -> None:
    """One number into results/reported.csv, or all that is wrong with the file; exit code 1 when something is."""
    from v2sbench.corpora import splits
    from v2sbench.results.published import REPORTED, SOURCES, add, problems, read_reported, read_sources

    if action == "check":
        for name, value in line.items():
            if value is not None:
                raise UseError(f"--{name} goes with `reported add`, not with check")
        lines = read_reported()
        found = problems(lines, splits=splits(), sources=read_sources())
        for said in found:
            print(said)
        if found:
            raise CheckError(f"{REPORTED}: {len(found)} problems, listed above")
        print(f"reported: {len(lines)} numbers in {REPORTED}, all of known splits and with a source in {SOURCES}")
        return
    missing = [f"--{name}" for name, value in line.items() if value is None and name not in OPTIONAL]
    if missing:
        raise UseError(f"a reported number needs {', '.join(missing)} too; see: v2sbench reported --help")
    number = {name: (value or "").strip() for name, value in line.items()}
    new = add(number, splits=splits(), sources=read_sources())
    print(
        f"reported: {new.split}, {new.method}: {new.metric} {new.value:g} ({new.source}, {new.locator}, {new.grade}); "
        f"{len(read_reported())} numbers in {REPORTED}"
    )


for _name, (_metavar, _help) in NUMBER.items():
    reported.params.append(click.Option([f"--{_name}"], metavar=_metavar, help=_help))


@verb(
    "one thing of the experiment varied -> results/sweeps/NAME.{md,csv,png}; runs what is missing",
    "sweep amount",
    "sweep amount --collect",
)
@click.argument("name", required=False, metavar="[NAME]", help="A file of sweeps/, without .yaml.")
@click.option("--collect", is_flag=True, help="Run nothing; only table and plot anew.")
def sweep(name: str | None, collect: bool) -> None:
    """A sweep's points, run where they were not yet -> results/sweeps/NAME.{md,csv,png}, the table on the terminal."""
    from v2sbench.tools import sweep as sweeps
    from v2sbench.tools import sweep_report

    if not name:
        known = ", ".join(sweeps.list_sweeps()) or "none here; run from the project's root"
        raise UseError(f"which sweep? ({known}) e.g. make sweep NAME=amount")
    plan = sweeps.read_sweep(name)
    if not collect:
        sweeps.reproduce(plan)
    done = sweep_report.collect(plan)
    page = sweep_report.write(done)
    print(sweep_report.console(done), end="\n\n")
    print(f"sweep: {page} (and .csv, .png)")


VERBS = (table, gate, accept, report, reported, sweep)
