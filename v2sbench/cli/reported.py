"""The verb for the papers' numbers: reported add, reported check."""

from __future__ import annotations

import argparse

from v2sbench.cli.parser import Verb
from v2sbench.runtime import CheckError, UseError

_NEEDED = ("split", "method", "metric", "value", "source", "locator", "grade")
_OPTIONAL = ("init", "identity", "protocol", "note")


def _reported_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("add", "check"), nargs="?", help="add one number, or check all of them")
    parser.add_argument("--split", metavar="S", help="the split of this suite that the number belongs to")
    parser.add_argument("--method", metavar="NAME", help="name of the system in its source")
    parser.add_argument("--metric", metavar="M", help="a metric, or `pesq` where the source does not say which PESQ")
    parser.add_argument("--value", metavar="X", help="as printed there; rates in percent")
    parser.add_argument("--source", metavar="KEY", help="key of the paper in results/sources.bib")
    parser.add_argument("--locator", metavar="WHERE", help="where in the source: table, section, page")
    parser.add_argument("--grade", metavar="G", help="primary: read by you; secondary: quoted by others; assumed")
    parser.add_argument("--init", metavar="I", help="scratch, frozen or tuned, where the source says it")
    parser.add_argument("--identity", metavar="E", help="speaker or face, where the source says it")
    parser.add_argument("--protocol", metavar="P", help="a named protocol, or facts such as asr=whisper, `;`-separated")
    parser.add_argument("--note", metavar="TEXT", help="anything a reader must know")


def run_reported(args: argparse.Namespace) -> None:
    """One number into results/reported.csv, or all that is wrong with the file; exit code 1 when something is."""
    from v2sbench.corpora import splits
    from v2sbench.results.published import REPORTED, SOURCES, add, problems, read_reported, read_sources

    given = [name for name in (*_NEEDED, *_OPTIONAL) if getattr(args, name) is not None]
    if args.action is None:
        raise UseError("reported what? add or check; see: v2sbench reported --help")
    if args.action == "check":
        if given:
            raise UseError(f"--{given[0]} goes with `reported add`, not with check")
        lines = read_reported()
        found = problems(lines, splits=splits(), sources=read_sources())
        for said in found:
            print(said)
        if found:
            raise CheckError(f"{REPORTED}: {len(found)} problems, listed above")
        print(f"reported: {len(lines)} numbers in {REPORTED}, all of known splits and with a source in {SOURCES}")
        return
    missing = [f"--{name}" for name in _NEEDED if name not in given]
    if missing:
        raise UseError(f"a reported number needs {', '.join(missing)} too; see: v2sbench reported --help")
    line = {name: (getattr(args, name) or "").strip() for name in (*_NEEDED, *_OPTIONAL)}
    new = add(line, splits=splits(), sources=read_sources())
    print(
        f"reported: {new.split}, {new.method}: {new.metric} {new.value:g} ({new.source}, {new.locator}, {new.grade}); "
        f"{len(read_reported())} numbers in {REPORTED}"
    )


VERBS = {
    "reported": Verb(
        summary="add a paper's number to results/reported.csv, or check the file",
        examples=(
            "reported add --split grid4-seen --method SVTS --metric stoi --value 0.70 --source mira2022svts "
            '--locator "Table 2" --grade primary',
            "reported check",
        ),
        options=_reported_options,
        run=run_reported,
    ),
}
