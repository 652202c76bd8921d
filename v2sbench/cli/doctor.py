"""`v2sbench doctor`: what is on this disk against what should be, and what is broken."""

from __future__ import annotations

import argparse
from pathlib import Path

from v2sbench.cli.parser import CLIPS, Verb
from v2sbench.runtime import UseError


def _doctor_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("corpus", nargs="?", metavar="CORPUS", help="a corpus; without one, this machine is looked at")
    parser.add_argument("--root", type=Path, metavar="DIR", help="the corpus (default: $V2S_DATA/CORPUS)")
    parser.add_argument("--clips", type=Path, metavar="DIR", help="prepared clips (default: clips/CORPUS)")
    parser.add_argument(
        "--list", dest="listing", type=Path, metavar="FILE", help="name what is missing of these `speaker/clip` lines"
    )
    depth = parser.add_mutually_exclusive_group()
    depth.add_argument("--fast", action="store_true", help="names and sizes alone; open no media file")
    depth.add_argument("--deep", action="store_true", help="decode and crop every clip as prepare does; keep nothing")
    parser.add_argument("--roi", metavar="NAME", help="what finds the mouth under --deep (default: as for prepare)")
    parser.add_argument("--sheet", type=Path, metavar="PNG", help="draw a contact sheet of prepared clips")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout (docs/doctor.md)")
    parser.add_argument("--jobs", type=int, metavar="N", help="worker processes (default: $V2S_JOBS, else all)")


def run_doctor(args: argparse.Namespace) -> int:
    """Look; 0 usable, 1 usable in part, 2 not usable."""
    if args.corpus is None:
        return _run_machine(args)
    from v2sbench.corpora import corpus, root_of
    from v2sbench.nets.card_reading import PARAMS, load_params
    from v2sbench.tools.doctor.examine import examine
    from v2sbench.tools.doctor.words import page

    item = corpus(args.corpus)
    clips = args.clips or CLIPS / item.name
    if args.clips and not (clips / "index.tsv").exists():
        raise UseError(f"no prepared clips in {clips}; run: v2sbench prepare {item.name} --out {clips}")
    if args.sheet and not (clips / "index.tsv").exists():
        raise UseError(f"--sheet shows prepared clips, and {clips} has none; run: v2sbench prepare {item.name}")
    checkup = examine(
        item,
        root_of(item, args.root),
        clips=clips,
        depth="names" if args.fast else "deep" if args.deep else "headers",
        roi=args.roi or (load_params().roi if PARAMS.exists() else "auto"),
        listing=args.listing,
        jobs=args.jobs,
    )
    if args.sheet:
        _draw(args.sheet, clips)
    print(checkup.json() if args.json else page(checkup))
    return checkup.code


def _draw(sheet: Path, folder: Path) -> None:
    """A contact sheet of prepared clips, some of each speaker, and of what was quarantined."""
    from v2sbench.clips.store import Clips
    from v2sbench.runtime import atomic
    from v2sbench.tools.contact_sheet import contact_sheet
    from v2sbench.tools.doctor.examine import to_show

    clips = Clips(folder)
    with atomic(sheet) as draft:
        draft.write_bytes(contact_sheet(clips, to_show(clips)))


def _run_machine(args: argparse.Namespace) -> int:
    """Without a corpus: look at packages, codecs, folders."""
    given = [name for name in ("root", "clips", "listing", "fast", "deep", "roi", "sheet") if getattr(args, name)]
    if given:
        raise UseError(f"--{given[0].replace('listing', 'list')} needs a corpus; see: v2sbench list corpora")
    import json

    from v2sbench.tools.doctor.machine import look_around
    from v2sbench.tools.doctor.report import SCHEMA
    from v2sbench.tools.doctor.words import findings

    found = look_around()
    code = max(finding.weight for finding in found)
    if args.json:
        told = [{"weight": finding.weight, "text": finding.text} for finding in found]
        print(json.dumps({"schema": SCHEMA, "code": code, "findings": told}, indent=1, sort_keys=True))
    else:
        print(findings(found).lstrip("\n"))
    return code


VERBS = {
    "doctor": Verb(
        summary="what is here of a corpus, and what is missing or broken; without one, the machine",
        examples=("doctor", "doctor grid", "doctor grid --fast --json", "doctor grid --sheet faces.png"),
        options=_doctor_options,
        run=run_doctor,
    ),
}
