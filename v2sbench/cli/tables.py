"""The verbs that tabulate and judge: table, gate, accept."""

from __future__ import annotations

import argparse

from v2sbench.cli.parser import Verb

__all__ = ["VERBS"]


def _table_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("splits", nargs="*", metavar="SPLIT", help="default: v2a_splits of params.yaml")
    parser.add_argument("--show", action="store_true", help="only print; write no files")
    parser.add_argument("--quiet", action="store_true", help="only write")


def run_table(args: argparse.Namespace) -> None:
    """Scores -> results/tables/SPLIT.{md,csv,tex} and the same on the terminal."""
    from v2sbench.card import load_params
    from v2sbench.sheet import build
    from v2sbench.tables import TABLES, console, write_tables

    for split in args.splits or load_params().v2a_splits:
        table = build(split) if args.show else write_tables(split)
        if not args.quiet:
            print(console(table), end="\n\n")
        print(f"table: {TABLES / split}.md (and .csv, .tex)")


def _gate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("split", metavar="SPLIT", help="a split with scores and a baseline")


def run_gate(args: argparse.Namespace) -> None:
    """Scores against the baseline; exit code 1 when a cell moved, better or worse."""
    from v2sbench.gate import gate

    gate(args.split)
    print(f"{args.split}: nothing moved against the baseline")


def _accept_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("split", metavar="SPLIT", help="a split with scores")
    parser.add_argument("--why", required=True, metavar="REASON", help="one line that stands in the baseline")


def run_accept(args: argparse.Namespace) -> None:
    """Make the scores the baseline."""
    from v2sbench.gate import accept

    print(accept(args.split, args.why))


VERBS = {
    "table": Verb(
        summary="scores -> results/tables/SPLIT.{md,csv,tex}, reported numbers beside measured ones",
        examples=("table demo-seen", "table --show"),
        options=_table_options,
        run=run_table,
    ),
    "gate": Verb(
        summary="scores against results/baseline/SPLIT.csv; exit code 1 when something moved",
        examples=("gate demo-seen",),
        options=_gate_options,
        run=run_gate,
    ),
    "accept": Verb(
        summary="make the scores the baseline",
        examples=('accept demo-seen --why "conformer blocks normalised before the residual"',),
        options=_accept_options,
        run=run_accept,
    ),
}
