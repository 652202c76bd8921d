"""The verb that varies one thing of the experiment: sweep."""

from __future__ import annotations

import argparse

from v2sbench.cli.parser import Verb
from v2sbench.runtime import UseError


def _sweep_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="a file of sweeps/, without .yaml")
    parser.add_argument("--collect", action="store_true", help="run nothing; only table and plot anew")


def run_sweep(args: argparse.Namespace) -> None:
    """A sweep's points, run where they were not yet -> results/sweeps/NAME.{md,csv,png}, the table on the terminal."""
    from v2sbench.tools.sweep import collect, console, list_sweeps, read_sweep, reproduce, write

    if not args.name:
        known = ", ".join(list_sweeps()) or "none here; run from the project's root"
        raise UseError(f"which sweep? ({known}) e.g. make sweep NAME=amount")
    sweep = read_sweep(args.name)
    if not args.collect:
        reproduce(sweep)
    report = collect(sweep)
    page = write(report)
    print(console(report), end="\n\n")
    print(f"sweep: {page} (and .csv, .png)")


VERBS = {
    "sweep": Verb(
        summary="one thing of the experiment varied -> results/sweeps/NAME.{md,csv,png}; runs what is missing",
        examples=("sweep amount", "sweep amount --collect"),
        options=_sweep_options,
        run=run_sweep,
    ),
}
