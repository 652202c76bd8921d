"""The verb that shows: report."""

from __future__ import annotations

import argparse
from pathlib import Path

from v2sbench.cli.parser import Verb
from v2sbench.runtime import UseError


def _report_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("splits", nargs="*", metavar="SPLIT", help="default: v2a_splits of params.yaml")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the page there, and nothing else")
    parser.add_argument(
        "--clips", type=int, metavar="N", help="clips to listen to (default: 9; 0 leaves the listening page out)"
    )
    parser.add_argument(
        "--system", action="append", default=[], metavar="NAME=DIR",
        help="also a system of your own: scored first where it was not, then a row and a player like every other",
    )  # fmt: skip


def run_report(args: argparse.Namespace) -> None:
    """Scores and audio -> one HTML page a split, and the files that `dvc plots` shows."""
    from v2sbench.nets.card_reading import load_params
    from v2sbench.report import CLIPS, write_report
    from v2sbench.report.numbers import read
    from v2sbench.report.plots import write_plots

    splits = args.splits or load_params().v2a_splits
    if args.out is not None and len(splits) != 1:
        raise UseError(f"--out is for one split, not for {len(splits)}: {', '.join(splits)}")
    own = dict(_named(text) for text in args.system)
    for split in splits:
        for name, folder in own.items():
            _score_own(split, name, folder)
        clips, scored = CLIPS if args.clips is None else args.clips, read(split)
        print(f"report: {write_report(split, args.out, clips=clips, folders=own, scored=scored)}")
        if args.out is None:
            print(f"plots: {write_plots(split, scored=scored)}")


def _named(text: str) -> tuple[str, Path]:
    """`NAME=DIR`."""
    name, equals, folder = text.partition("=")
    if not (name and equals and folder):
        raise UseError(f"--system takes NAME=DIR, not {text!r}")
    return name, Path(folder)


def _score_own(split: str, name: str, folder: Path) -> None:
    """Score a system of the user's; what was scored is not scored again."""
    from v2sbench.cli import run

    run(["score", "--split", split, "--wavs", str(folder), "--name", name])


VERBS = {
    "report": Verb(
        summary="scores and audio -> results/reports/SPLIT.html: tables, claims, charts, clips to listen to",
        examples=(
            "report demo-seen",
            "report grid4-seen --system mine=my-system/",
            "report demo-seen --clips 0 --out numbers-only.html",
        ),
        options=_report_options,
        run=run_report,
    ),
}
