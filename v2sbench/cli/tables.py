"""The verbs that tabulate and judge: table, gate, accept."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from v2sbench.cli.parser import Verb
from v2sbench.runtime import CheckError, UseError


def _table_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("splits", nargs="*", metavar="SPLIT", help="default: v2a_splits of params.yaml")
    parser.add_argument(
        "--scores", type=Path, metavar="DIR", help="instead of a split's: scores that `score --out DIR` wrote"
    )
    parser.add_argument("--show", action="store_true", help="only print; write no files")
    parser.add_argument("--quiet", action="store_true", help="only write")
    parser.add_argument(
        "--base",
        metavar="NAME",
        help="compare every variant and user's system with this one and mark what differs (default: the first of "
        "--systems, or of the users' systems where there is one)",
    )
    parser.add_argument(
        "--systems", metavar="A,B", help="only these systems, and of the reported methods none but these"
    )
    parser.add_argument(
        "--columns", metavar="M,M", help="only these metrics, e.g. stoi,cer; see: v2sbench list metrics"
    )
    parser.add_argument(
        "--protocols", action="store_true", help="instead: each system under every protocol it was scored under"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write there; a table of one's own choice is else only printed"
    )


def run_table(args: argparse.Namespace) -> None:
    """Scores -> results/tables/SPLIT.{md,csv,tex,json} and the same on the terminal.

    What the options choose is no table of the pipeline, so it is written only where --out says.
    """
    from v2sbench.results.measured import MEASURED
    from v2sbench.results.tables import TABLES

    chosen = bool(args.base or args.systems or args.columns or args.protocols or args.scores)
    out = args.out or (None if args.show or chosen else TABLES)
    if args.show and args.out:
        raise UseError("--show writes nothing, --out DIR does; give one of them")
    if args.quiet and out is None:
        raise UseError("--quiet writes and does not print, but this writes nothing; give --out DIR")
    if args.protocols and (args.base or args.columns):
        raise UseError("--protocols shows each protocol's own metrics and compares nothing; drop --base, --columns")
    if args.scores and args.splits:
        raise UseError(f"a split ({args.splits[0]}) and --scores exclude each other")
    for split in [args.scores.resolve().name] if args.scores else args.splits or _of_experiment():
        measured = args.scores.resolve().parent if args.scores else MEASURED
        said, files = (_spread if args.protocols else _tabulated)(args, split, measured, out)
        if not args.quiet:
            print(said, end="\n\n")
        if out:
            print(f"table: {out / split}{files}")
        elif chosen:
            print("table: nothing written; --out DIR writes it")


def _of_experiment() -> tuple[str, ...]:
    """The splits of the experiment."""
    from v2sbench.nets.card_reading import load_params

    return load_params().v2a_splits


def _listed(text: str | None) -> tuple[str, ...]:
    """Comma-separated names, each once."""
    return tuple(dict.fromkeys(name.strip() for name in (text or "").split(",") if name.strip()))


def _tabulated(args: argparse.Namespace, split: str, measured: Path, out: Path | None) -> tuple[str, str]:
    """The table, written where `out` says; what it says, and which files. A folder has no reported numbers."""
    from v2sbench.results.claims import CLAIMS
    from v2sbench.results.published import REPORTED
    from v2sbench.results.sheet import build
    from v2sbench.results.tables import console, save

    reported, claims = (None, None) if args.scores else (REPORTED, CLAIMS)
    table = build(
        split, measured=measured, reported=reported, claims=claims, base=args.base, only=_listed(args.systems),
        columns=_listed(args.columns),
    )  # fmt: skip
    if out:
        save(table, out)
    return console(table, bold=_shows_bold()), ".md (and .csv, .tex, .json)"


def _shows_bold() -> bool:
    """Whether people read this on a terminal with bold letters, and did not ask for none."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb" and "NO_COLOR" not in os.environ


def _spread(args: argparse.Namespace, split: str, measured: Path, out: Path | None) -> tuple[str, str]:
    """Systems under several protocols, written where `out` says; what it says, and which files."""
    from v2sbench.results.spread import console, save, spread

    found = spread(split, measured=measured, only=_listed(args.systems))
    if out:
        save(found, out)
    return console(found), ".protocols.md (and .csv)"


def _gate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("split", metavar="SPLIT", help="a split with scores and a baseline")
    parser.add_argument("--systems", metavar="A,B", help="look at these systems of the baseline only")


def run_gate(args: argparse.Namespace) -> None:
    """Scores against the baseline; everything that moved is printed before it fails, better or worse."""
    from v2sbench.results.gate import hold, report, summary

    held = hold(args.split, only=_listed(args.systems))
    print(report(held))
    if held.changes:
        raise CheckError(summary(held))


def _accept_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("split", metavar="SPLIT", help="a split with scores")
    parser.add_argument("--why", required=True, metavar="REASON", help="one line that stands in the baseline")
    parser.add_argument(
        "--systems", metavar="A,B", help="only these, your own among them; what the baseline has of others stays "
        "(default: variants, ceilings and floors, and those of your own that are in it)",
    )  # fmt: skip


def run_accept(args: argparse.Namespace) -> None:
    """Make the scores the baseline."""
    from v2sbench.results.baseline import BASELINE, accept

    done = accept(args.split, args.why, systems=_listed(args.systems))
    print(f"baseline: {BASELINE / args.split}.csv: {done.changed}")


VERBS = {
    "table": Verb(
        summary="scores -> results/tables/SPLIT.{md,csv,tex,json}, reported numbers beside measured ones",
        examples=(
            "table demo-seen",
            "table grid4-seen --base v2a-mel-s-speaker-tuned",
            "table grid4-seen --systems mine,v2a-mel-s-speaker-tuned --columns stoi,wer --out my-tables",
            "table grid4-seen --protocols",
            "table --scores my-scores --base mine",
        ),
        options=_table_options,
        run=run_table,
    ),
    "gate": Verb(
        summary="scores against results/baseline/SPLIT.csv; exit code 1 when something moved",
        examples=("gate demo-seen", "gate grid4-seen --systems mine"),
        options=_gate_options,
        run=run_gate,
    ),
    "accept": Verb(
        summary="make the scores the baseline",
        examples=(
            'accept demo-seen --why "conformer blocks normalised before the residual"',
            'accept grid4-seen --systems mine --why "our first numbers"',
        ),
        options=_accept_options,
        run=run_accept,
    ),
}
