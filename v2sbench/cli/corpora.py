"""The verbs about what there is: list, fetch, doctor."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from v2sbench.cli.options import CLIPS, DIR, FILE, exclusive, jobs_option, names_in, verb
from v2sbench.runtime import UseError, choose

if TYPE_CHECKING:
    from v2sbench.corpora import Corpus
    from v2sbench.tools.fetch import Report

Listing = tuple[list[str], list[list[str]]]
"""Head and rows of a table."""


@verb("what there is: corpora, splits, models, metrics, protocols, recognisers", "list splits", "list models")
@click.argument("kind", help="corpora, splits, models, metrics, protocols or recognisers.")
def list_command(kind: str) -> None:
    """Print one of the collections as a table."""
    from tabulate import tabulate

    head, rows = choose("kind", kind, LISTS)()
    print(tabulate(rows, headers=head, tablefmt="simple", disable_numparse=True))


def _corpora() -> Listing:
    from v2sbench.corpora import discover

    rows = []
    for item in discover().values():
        clips = "made here" if item.embedded else str(sum(item.inventory.values()) or item.total or "?")
        rows.append([item.name, item.kind, clips, item.licence, item.title])
    return ["corpus", "kind", "clips", "licence", "title"], rows


def _splits() -> Listing:
    from v2sbench.corpora import splits

    rows = []
    for item in splits().values():
        sizes = " / ".join(f"{part} {full or '*'}" for part, full in item.expected.items())
        rows.append([item.name, item.corpus, item.identity, sizes, item.description])
    return ["split", "corpus", "speakers", "clips", "description"], rows


def _models() -> Listing:
    from v2sbench.nets import PARAMS, list_cards, load_card, load_params
    from v2sbench.tools.cost import parameters, sketch

    params = load_params() if PARAMS.exists() else None
    rows = []
    for name in list_cards():
        card = load_card(name, params)
        start = f"{card.init} ({'frozen' if card.freeze else 'tuned'})" if card.init else "from scratch"
        source, identity = ("log-mel", "none") if card.family == "vocoder" else (card.source, card.identity)
        size = f"{parameters(sketch(card)) / 1e6:.2f} M"
        rows.append([name, card.family, source, identity, start, size, str(card.train.steps), card.digest])
    return ["model", "family", "source", "identity", "decoder", "parameters", "steps", "digest"], rows


def _metrics() -> Listing:
    from v2sbench.scoring.metrics import METRICS

    rows = []
    for item in METRICS.values():
        better = "higher" if item.higher_is_better else "lower"
        extra = f"v2sbench[{item.extra}]" if item.extra else ""
        rows.append([item.name, item.column, item.unit, better, f"{item.low} .. {item.high}", extra])
    return ["metric", "column", "unit", "better", "range", "needs"], rows


def _protocols() -> Listing:
    from v2sbench.scoring import PROTOCOLS

    rows = [[item.name, ", ".join(item.metrics), item.description] for item in PROTOCOLS.values()]
    return ["protocol", "metrics", "description"], rows


def _recognisers() -> Listing:
    from v2sbench.scoring.recognisers import recognisers

    return ["recogniser", "what it is"], [[name, item.description] for name, item in recognisers().items()]


LISTS: dict[str, Callable[[], Listing]] = {
    "corpora": _corpora,
    "splits": _splits,
    "models": _models,
    "metrics": _metrics,
    "protocols": _protocols,
    "recognisers": _recognisers,
}


@verb(
    "download an openly licensed corpus; for any other, the steps to get it",
    "fetch grid --speakers s1,s2",
    "fetch libritts --parts dev-clean",
    "fetch lrw",
    "fetch vctk --list",
)
@click.argument("corpus", help="See `v2sbench list corpora`.")
@click.option("--root", type=DIR, help="Where to (default: $V2S_DATA/CORPUS).")
@click.option("--parts", metavar="P,P", help="Only these; --list names them (default: everything).")
@click.option("--speakers", metavar="S,S", help="Only theirs, where the archives are cut by speaker.")
@click.option("--jobs", type=int, metavar="N", help="Downloads at a time (default: 4).")
@click.option("--keep", is_flag=True, help="Leave the archives in DIR/.fetch when they are unpacked.")
@click.option("--list", "listing", is_flag=True, help="Say what there is to download, and download nothing.")
def fetch(
    corpus: str, root: Path | None, parts: str | None, speakers: str | None, jobs: int | None, keep: bool, listing: bool
) -> None:
    """Publisher -> a corpus' folder."""
    from v2sbench import corpora
    from v2sbench.tools.fetch import chosen, fetch

    exclusive(parts=parts, speakers=speakers)
    item = corpora.corpus(corpus)
    only = {"parts": names_in(parts), "speakers": names_in(speakers)}
    if not item.access.files:
        print(_steps(item))
    elif listing:
        print(_downloads(item, root, {file.part for file in chosen(item, **only)}))
    else:
        print(_fetched(item, fetch(item, root, jobs=jobs, keep=keep, **only)))
        print(f"next: v2sbench prepare {item.name}{f' --root {root}' if root else ''}")


def _steps(item: Corpus) -> str:
    """How to get a corpus that is not downloaded from here."""
    lines = [item.title, item.access.note or item.licence, item.url]
    lines += [f"  {number}. {step}" for number, step in enumerate(item.access.steps, 1)]
    if not item.access.steps:
        lines.append("Nobody wrote down here how it is had; ask where it is described.")
    if not item.embedded:
        lines.append(f"then: v2sbench prepare {item.name}{'' if item.parts else ' --root DIR'}")
    return "\n".join(line for line in lines if line)


def _downloads(item: Corpus, root: Path | None, wanted: set[str]) -> str:
    """The files that a fetch would bring, and which of them are here."""
    from tabulate import tabulate

    from v2sbench.corpora import folder_of
    from v2sbench.tools.fetch import amount, is_here

    folder = folder_of(item, root)
    files = [file for file in item.access.files if file.part in wanted]
    rows = []
    for file in files:
        size = amount(file.size) if file.size else "?"
        check = file.digest.split(":")[0] or ("the publisher's list" if file.index else "none published")
        rows.append([file.part, file.name, size, check, "here" if is_here(file, folder) else ""])
    sizes = [file.size for file in files if file.size]
    total = amount(sum(sizes)) if sizes else "sizes unknown"
    if sizes and len(sizes) < len(files):
        total += f" and {len(files) - len(sizes)} files of unknown size"
    table = tabulate(rows, headers=["part", "file", "size", "checked by", ""], tablefmt="simple", disable_numparse=True)
    return f"{table}\n{len(files)} files, {total}\n{item.access.note}"


def _fetched(item: Corpus, report: Report) -> str:
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


@verb(
    "what is here of a corpus, and what is missing or broken; without one, the machine",
    "doctor",
    "doctor grid",
    "doctor grid --fast --json",
    "doctor grid --sheet faces.png",
)
@click.argument("corpus", required=False, metavar="[CORPUS]", help="A corpus; without one, this machine is looked at.")
@click.option("--root", type=DIR, help="The corpus (default: $V2S_DATA/CORPUS).")
@click.option("--clips", type=DIR, help="Prepared clips (default: clips/CORPUS).")
@click.option("--list", "listing", type=FILE, help="Name what is missing of these `speaker/clip` lines.")
@click.option("--fast", is_flag=True, help="Names and sizes alone; open no media file.")
@click.option("--deep", is_flag=True, help="Decode and crop every clip as prepare does; keep nothing.")
@click.option("--roi", metavar="NAME", help="What finds the mouth under --deep (default: as for prepare).")
@click.option("--sheet", type=FILE, metavar="PNG", help="Draw a contact sheet of prepared clips.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout (docs/doctor.md).")
@jobs_option
def doctor(
    corpus: str | None,
    root: Path | None,
    clips: Path | None,
    listing: Path | None,
    fast: bool,
    deep: bool,
    roi: str | None,
    sheet: Path | None,
    as_json: bool,
    jobs: int | None,
) -> int:
    """Look; 0 usable, 1 usable in part, 2 not usable."""
    exclusive(fast=fast, deep=deep)
    if corpus is None:
        needs = {"root": root, "clips": clips, "list": listing, "fast": fast, "deep": deep, "roi": roi, "sheet": sheet}
        for option, value in needs.items():
            if value:
                raise UseError(f"--{option} needs a corpus; see: v2sbench list corpora")
        return _look_at_machine(as_json)
    from v2sbench import corpora
    from v2sbench.nets import PARAMS, load_params
    from v2sbench.tools.doctor import examine, page

    item = corpora.corpus(corpus)
    prepared = clips or CLIPS / item.name
    if clips and not (clips / "index.tsv").exists():
        raise UseError(f"no prepared clips in {clips}; run: v2sbench prepare {item.name} --out {clips}")
    if sheet and not (prepared / "index.tsv").exists():
        raise UseError(f"--sheet shows prepared clips, and {prepared} has none; run: v2sbench prepare {item.name}")
    checkup = examine(
        item,
        corpora.root_of(item, root),
        clips=prepared,
        depth="names" if fast else "deep" if deep else "headers",
        roi=roi or (load_params().roi if PARAMS.exists() else "auto"),
        listing=listing,
        jobs=jobs,
    )
    if sheet:
        _draw(sheet, prepared)
    print(checkup.json() if as_json else page(checkup))
    return checkup.code


def _draw(sheet: Path, folder: Path) -> None:
    """A contact sheet of prepared clips, some of each speaker, and of what was quarantined."""
    from v2sbench.clips.store import Clips
    from v2sbench.runtime import atomic
    from v2sbench.tools.contact_sheet import contact_sheet, to_show

    clips = Clips(folder)
    with atomic(sheet) as draft:
        draft.write_bytes(contact_sheet(clips, to_show(clips)))


def _look_at_machine(as_json: bool) -> int:
    """Packages, codecs, folders."""
    from v2sbench.tools.doctor_machine import code_of, findings_text, look_around

    found = look_around()
    code = code_of(found)
    if as_json:
        told = [{"weight": finding.weight, "kind": finding.kind, "text": finding.text} for finding in found]
        print(json.dumps({"code": code, "findings": told}, indent=1, sort_keys=True))
    else:
        print(findings_text(found))
    return code


VERBS = (list_command, fetch, doctor)
