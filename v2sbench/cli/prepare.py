"""The verbs that make clips and splits: prepare (also a mix of corpora) and split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from v2sbench.cli.options import CLIPS, DIR, FILE, SPLITS, jobs_option, need_split, verb
from v2sbench.runtime import UseError

if TYPE_CHECKING:
    from v2sbench.corpora import Corpus


@verb(
    "corpus -> clips (mouth crops and sound); makes an embedded corpus first",
    "prepare demo",
    "prepare grid --root /corpora/grid --jobs 8",
)
@click.argument("corpus", help="A name of `v2sbench list corpora`.")
@click.option("--root", type=DIR, help="The corpus (default: $V2S_DATA/CORPUS, else data/CORPUS).")
@click.option("--out", type=DIR, help="Where the clips go (default: clips/CORPUS).")
@click.option("--roi", metavar="NAME", help="Mouth finder: haar, mesh, precomputed (default: that of params.yaml).")
@jobs_option
@click.option("--fresh", is_flag=True, help="Do all clips again, also those of a run that was cut off.")
@click.option("--cluster", metavar="ADDRESS", help="Dask scheduler, tcp://HOST:8786 (default: $V2S_CLUSTER).")
@click.option("--scan", is_flag=True, help="Only write count and digest of its files to clips/CORPUS.scan.tsv.")
def prepare(
    corpus: str,
    root: Path | None,
    out: Path | None,
    roi: str | None,
    jobs: int | None,
    fresh: bool,
    cluster: str | None,
    scan: bool,
) -> None:
    """Corpus -> clips; an embedded corpus is made first, as large as params.yaml says."""
    from v2sbench import corpora

    item = corpora.corpus(corpus)
    if item.parts:
        given = {"root": root, "roi": roi, "jobs": jobs, "cluster": cluster, "fresh": fresh, "scan": scan}
        _mix(item, out, [option for option, value in given.items() if value])
        return
    place = corpora.root_of(item, root)
    if scan:
        _write_scan(place, CLIPS / f"{item.name}.scan.tsv")
        return
    from v2sbench.nets import PARAMS, load_params
    from v2sbench.prepare.clips import prepare

    roi = roi or (load_params().roi if PARAMS.exists() else "auto")
    if item.generate is not None:
        item.generate(place, jobs=jobs, **load_params().demo)
    print(prepare(item, place, out or CLIPS / item.name, jobs=jobs, roi=roi, fresh=fresh, cluster=cluster))


def _mix(item: Corpus, out: Path | None, given: list[str]) -> None:
    """An index over the clips of several corpora. Nothing is decoded, so no other option has a meaning."""
    from v2sbench.prepare.mixing import prepare_mix

    if given:
        raise UseError(f"{item.name} is an index over prepared corpora and takes no --{given[0]}; prepare them with it")
    print(prepare_mix(item, CLIPS, out or CLIPS / item.name))


def _write_scan(root: Path, out: Path) -> None:
    """Write count and digest of (path, size) of every file under `root`: the pipeline's stand-in for a raw corpus."""
    from v2sbench.runtime import atomic, short_digest

    files = [path for path in root.rglob("*") if path.is_file()]
    digest = short_digest(f"{path.relative_to(root)}\t{path.stat().st_size}" for path in files)
    with atomic(out) as draft:
        draft.write_text(f"files\tdigest\n{len(files)}\t{digest}\n", encoding="utf-8")
    print(f"{root}: {len(files)} files, digest {digest}")


@verb(
    "clips -> a split: which clip is for training, validation, test; and its speaker or face embeddings",
    "split demo-seen",
    "split demo-seen --face",
    "split grid4-seen --list my-list.tsv",
)
@click.argument("split", help="A name of `v2sbench list splits`.")
@click.option("--list", "listing", type=FILE, help="Import `subset<TAB>speaker/clip` lines instead.")
@click.option("--clips", type=DIR, help="Prepared clips (default: clips/CORPUS).")
@click.option("--out", type=DIR, help="Where the split goes (default: splits/SPLIT).")
@click.option("--face", is_flag=True, help="Only add the face embedding of every clip to the split that is there.")
def split(split: str, listing: Path | None, clips: Path | None, out: Path | None, face: bool) -> None:
    """Clips -> split.tsv and the speaker embedding of every clip; or the face embeddings of a split that is there."""
    from v2sbench import corpora

    item = corpora.split(split)
    if face:
        for option, value in {"--list": listing, "--clips": clips}.items():
            if value is not None:
                raise UseError(f"--face adds to the split that is there; leave out {option}, or --face to divide anew")
        _add_faces(out or need_split(split))
        return
    clips, out = clips or CLIPS / item.corpus, out or SPLITS / item.name
    if not (clips / "index.tsv").exists():
        raise UseError(f"split {item.name}: corpus {item.corpus} is not prepared; run: v2sbench prepare {item.corpus}")
    from v2sbench.prepare.identity import embed_speakers
    from v2sbench.prepare.splits import write_split

    coverage = write_split(item, clips, out, listing, embed=embed_speakers)
    parts = ", ".join(f"{part} {have}" for part, (have, _) in coverage.parts.items())
    print(f"{out}: {parts}" + (f" ({coverage.label})" if coverage.label else ""))


def _add_faces(folder: Path) -> None:
    """Add face.npy to a split, and say which clips have no usable face."""
    import numpy as np

    from v2sbench.clips.splits import read_split
    from v2sbench.clips.store import Clips
    from v2sbench.prepare.identity import embed_split_faces, load_facenet
    from v2sbench.runtime import atomic

    load_facenet()  # a missing network is reported here, once, and not by every worker
    table = read_split(folder)
    vectors = embed_split_faces(table, Clips(table.clips))
    with atomic(folder / "face.npy") as draft:
        np.save(draft, vectors)
    faceless = [row.id for row, vector in zip(table.rows, vectors, strict=True) if np.isnan(vector).any()]
    tail = f"; none usable in {', '.join(faceless)}" if faceless else ""
    print(f"{folder}: {len(vectors) - len(faceless)} faces{tail}")


VERBS = (prepare, split)
