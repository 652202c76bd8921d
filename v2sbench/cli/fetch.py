"""`v2sbench fetch`: download an openly licensed corpus, or say how another one is had."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from v2sbench.cli.parser import Verb
from v2sbench.runtime import UseError

if TYPE_CHECKING:
    from v2sbench.corpora import Corpus
    from v2sbench.tools.fetch import Report


def _fetch_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("corpus", metavar="CORPUS", help="see `v2sbench list corpora`")
    parser.add_argument("--root", type=Path, metavar="DIR", help="where to (default: $V2S_DATA/CORPUS)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--parts", metavar="P,P", help="only these; --list names them (default: everything)")
    which.add_argument("--speakers", metavar="S,S", help="only theirs, where the archives are cut by speaker")
    parser.add_argument("--jobs", type=int, metavar="N", help="downloads at a time (default: 4)")
    parser.add_argument("--keep", action="store_true", help="leave the archives in DIR/.fetch when they are unpacked")
    parser.add_argument("--list", action="store_true", help="say what there is to download, and download nothing")


def run_fetch(args: argparse.Namespace) -> None:
    """Publisher -> a corpus' folder."""
    from v2sbench.corpora import corpus
    from v2sbench.tools.fetch import chosen, fetch

    item = corpus(args.corpus)
    parts, speakers = _names(args.parts), _names(args.speakers)
    if not item.access.files:
        print(_steps(item))
        return
    if args.list:
        print(_table(item, args.root, {file.part for file in chosen(item, parts=parts, speakers=speakers)}))
        return
    report = fetch(item, args.root, parts=parts, speakers=speakers, jobs=args.jobs, keep=args.keep)
    print(_told(item, report))
    where = f" --root {args.root}" if args.root else ""
    print(f"next: v2sbench prepare {item.name}{where}")


def _names(option: str | None) -> list[str]:
    """The names of a list; UseError for a list without one."""
    if option is None:
        return []
    names = [name.strip() for name in option.split(",") if name.strip()]
    if not names:
        raise UseError(f"{option!r} names nothing; see: v2sbench fetch --help")
    return names


def _steps(item: Corpus) -> str:
    """How a corpus is had that is not downloaded from here."""
    lines = [item.title, item.access.note or item.licence, item.url]
    lines += [f"  {number}. {step}" for number, step in enumerate(item.access.steps, 1)]
    if not item.access.steps:
        lines.append("Nobody wrote down here how it is had; ask where it is described.")
    if not item.embedded:
        lines.append(f"then: v2sbench prepare {item.name}{'' if item.parts else ' --root DIR'}")
    return "\n".join(line for line in lines if line)


def _table(item: Corpus, root: Path | None, wanted: set[str]) -> str:
    """What there is to download, and what of it was."""
    from tabulate import tabulate

    from v2sbench.corpora import folder_of
    from v2sbench.tools.fetch import amount, is_here

    folder = folder_of(item, root)
    files = [file for file in item.access.files if file.part in wanted]
    rows = [
        [file.part, file.name, amount(file.size) if file.size else "?",
         file.digest.split(":")[0] or ("the publisher's list" if file.index else "none published"),
         "here" if is_here(file, folder) else ""]
        for file in files
    ]  # fmt: skip
    sizes = [file.size for file in files if file.size]
    total = f"{amount(sum(sizes))} and {len(files) - len(sizes)} files of unknown size" if sizes else "sizes unknown"
    if len(sizes) == len(files):
        total = amount(sum(sizes))
    table = tabulate(rows, headers=["part", "file", "size", "checked by", ""], tablefmt="simple", disable_numparse=True)
    return f"{table}\n{len(files)} files, {total}\n{item.access.note}"


def _told(item: Corpus, report: Report) -> str:
    """What a fetch did, and what is there now."""
    scan = report.scan
    lines = [f"{item.name}: {len(report.fetched)} files fetched, {len(report.present)} there already, in {report.root}"]
    if report.damaged:
        lines.append(f"came damaged and were fetched again: {', '.join(report.damaged)}")
    if report.unverified:
        lines.append(
            f"no digest is published of {', '.join(report.unverified)}: only lengths and the archives' own check sums "
            "were compared"
        )
    if report.kept:
        lines.append(
            f"left as they lay there, with other bytes than the published ones: {len(report.kept)} files, "
            f"e.g. {report.kept[0]}"
        )
    lines.append(
        f"there now: {len(scan.clips)} clips of {len(scan.counts)} speakers, {len(scan.problems)} unusable files; "
        f"{scan.layout or 'no layout recognised'}"
    )
    lines.append(item.access.note)
    return "\n".join(lines)


VERBS = {
    "fetch": Verb(
        summary="download an openly licensed corpus; for any other, the steps to get it",
        examples=("fetch grid --speakers s1,s2", "fetch libritts --parts dev-clean", "fetch lrw", "fetch vctk --list"),
        options=_fetch_options,
        run=run_fetch,
    ),
}
