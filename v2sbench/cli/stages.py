"""The verbs of the pipeline up to the audio: prepare, split, train, synth; and speak, which does one video."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from v2sbench.cli.parser import CLIPS, SPLITS, Verb, need_split, write_facts
from v2sbench.runtime import UseError, choose

if TYPE_CHECKING:
    from v2sbench.corpora import Corpus


def _prepare_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("corpus", metavar="CORPUS", help="a name of `v2sbench list corpora`")
    parser.add_argument(
        "--root", type=Path, metavar="DIR", help="the corpus (default: $V2S_DATA/CORPUS, else data/CORPUS)"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the clips go (default: clips/CORPUS)")
    parser.add_argument(
        "--roi",
        metavar="NAME",
        help="what finds the mouths: haar, mesh, precomputed (default: params.yaml's, else auto)",
    )
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="worker processes (default: $V2S_JOBS, else all processors)"
    )
    parser.add_argument("--fresh", action="store_true", help="do all clips again, also those of a run that was cut off")
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="dask scheduler whose workers do it, tcp://HOST:8786 (default: $V2S_CLUSTER)",
    )
    parser.add_argument(
        "--scan", action="store_true", help="only write count and digest of its files to clips/CORPUS.scan.tsv"
    )


def run_prepare(args: argparse.Namespace) -> None:
    """Corpus -> clips; an embedded corpus is made first, as large as params.yaml says."""
    from v2sbench.corpora import corpus, root_of

    item = corpus(args.corpus)
    if item.parts:
        _mix(item, args)
        return
    root = root_of(item, args.root)
    if args.scan:
        _write_scan(root, CLIPS / f"{item.name}.scan.tsv")
        return
    from v2sbench.nets.card_reading import PARAMS, load_params
    from v2sbench.prepare.clips import prepare

    roi = args.roi or (load_params().roi if PARAMS.exists() else "auto")
    if item.generate is not None:
        item.generate(root, jobs=args.jobs, **load_params().demo)
    out = args.out or CLIPS / item.name
    print(prepare(item, root, out, jobs=args.jobs, roi=roi, fresh=args.fresh, cluster=args.cluster))


def _mix(item: Corpus, args: argparse.Namespace) -> None:
    """An index over the parts' clips; there is nothing to decode, so no other option has a meaning."""
    for option in ("root", "roi", "jobs", "cluster", "fresh", "scan"):
        if getattr(args, option):
            raise UseError(
                f"{item.name} is an index over prepared corpora and takes no --{option}; prepare them with it"
            )
    from v2sbench.prepare.mixing import prepare_mix

    print(prepare_mix(item, CLIPS, args.out or CLIPS / item.name))


def _write_scan(root: Path, out: Path) -> None:
    """Count and digest of (path, size) of every file under `root`: what stands for a raw corpus in the pipeline."""
    from v2sbench.runtime import atomic, short_digest

    files = [path for path in root.rglob("*") if path.is_file()]
    digest = short_digest(f"{path.relative_to(root)}\t{path.stat().st_size}" for path in files)
    with atomic(out) as draft:
        draft.write_text(f"files\tdigest\n{len(files)}\t{digest}\n", encoding="utf-8")
    print(f"{root}: {len(files)} files, digest {digest}")


def _split_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("split", metavar="SPLIT", help="a name of `v2sbench list splits`")
    parser.add_argument(
        "--list", dest="listing", type=Path, metavar="FILE", help="import `subset<TAB>speaker/clip` lines instead"
    )
    parser.add_argument("--clips", type=Path, metavar="DIR", help="prepared clips (default: clips/CORPUS)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the split goes (default: splits/SPLIT)")
    parser.add_argument(
        "--face", action="store_true", help="only add the face embedding of every clip to the split that is there"
    )


def run_split(args: argparse.Namespace) -> None:
    """Clips -> split.tsv and the speaker embedding of every clip of it; or, to an existing one, its face embeddings."""
    from v2sbench.corpora import split

    item = split(args.split)
    if args.face:
        _add_faces(args)
        return
    clips, out = args.clips or CLIPS / item.corpus, args.out or SPLITS / item.name
    if not (clips / "index.tsv").exists():
        raise UseError(f"split {item.name}: corpus {item.corpus} is not prepared; run: v2sbench prepare {item.corpus}")
    from v2sbench.prepare.identity import embed_clips
    from v2sbench.prepare.splits import write_split

    coverage = write_split(item, clips, out, args.listing, embed=embed_clips)
    parts = ", ".join(f"{part} {have}" for part, (have, _) in coverage.parts.items())
    print(f"{out}: {parts}" + (f" ({coverage.label})" if coverage.label else ""))


def _add_faces(args: argparse.Namespace) -> None:
    """Add face.npy to a split, and tell which clips have no usable face."""
    for option in ("listing", "clips"):
        if getattr(args, option) is not None:
            name = {"listing": "--list", "clips": "--clips"}[option]
            raise UseError(f"--face adds to the split that is there; leave out {name}, or --face to divide anew")
    folder = args.out or need_split(args.split)
    import numpy as np

    from v2sbench.clips.splits import read_split
    from v2sbench.clips.store import Clips
    from v2sbench.prepare.identity import embed_split, load_facenet
    from v2sbench.runtime import atomic

    load_facenet()  # here, not in each worker, is where to tell that it is missing
    table = read_split(folder)
    vectors = embed_split(table, Clips(table.clips), "face")
    with atomic(folder / "face.npy") as draft:
        np.save(draft, vectors)
    faceless = [row.id for row, vector in zip(table.rows, vectors, strict=True) if np.isnan(vector).any()]
    print(
        f"{folder}: {len(vectors) - len(faceless)} faces" + (f"; none usable in {', '.join(faceless)}" * bool(faceless))
    )


def _train_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("variant", metavar="VARIANT", help="a name of `v2sbench list models`")
    parser.add_argument("--split", required=True, metavar="S", help="a prepared split")
    parser.add_argument(
        "--init", type=Path, metavar="FILE", help="weights to start from (default: those the card names)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: models/weights/S/VARIANT.safetensors")
    parser.add_argument("--fresh", action="store_true", help="do not resume an interrupted run")


def run_train(args: argparse.Namespace) -> None:
    """Split -> weights."""
    from v2sbench.nets.card_reading import load_params

    need_split(args.split)
    from v2sbench.train.loop import train_variant  # after the check: it takes seconds to load

    weights = train_variant(
        args.variant, args.split, params=load_params(), out=args.out, init=args.init, resume=not args.fresh
    )
    print(weights)


def _synth_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "system",
        metavar="SYSTEM",
        help="a trained variant, or ground-truth, griffin-lim, copy-VOCODER, noise, other-sentence",
    )
    parser.add_argument("--split", required=True, metavar="S", help="a prepared split")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="default: models/weights/S/SYSTEM.safetensors")
    parser.add_argument(
        "--vocoder", metavar="NAME|FILE", help="of a mel model: griffin-lim (default), or a checkpoint's path"
    )
    parser.add_argument("--subset", default="test", metavar="NAME", help="train, val or test (default: test)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: audio/S/SYSTEM")


def run_synth(args: argparse.Namespace) -> None:
    """System x split -> wavs."""
    from v2sbench.nets.card_reading import load_params

    choose("subset", args.subset, dict.fromkeys(("train", "val", "test")))
    need_split(args.split)
    from v2sbench.synthesis.synth import synth  # after the check: it takes seconds to load

    folder, vocoder = synth(
        args.system, args.split, params=load_params(), weights=args.weights, out=args.out, vocoder=args.vocoder,
        subset=args.subset,
    )  # fmt: skip
    if vocoder:
        write_facts(folder, {"vocoder": vocoder})
    print(folder)


def _speak_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("video", type=Path, metavar="VIDEO", help="a film of one talking face; its sound is not read")
    parser.add_argument("--model", required=True, type=Path, metavar="WEIGHTS", help="a trained V2A .safetensors")
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--voice", type=Path, metavar="WAV", help="a recording of the voice to speak with")
    who.add_argument("--face", type=Path, metavar="IMAGE", help="a picture of the face to speak as, for a face model")
    parser.add_argument(
        "--vocoder", metavar="NAME|FILE", help="of a mel model: griffin-lim (default), or a checkpoint's path"
    )
    mouth = parser.add_mutually_exclusive_group()
    mouth.add_argument("--landmarks", type=Path, metavar="FILE", help="68-point landmarks: .npz, .npy or .pkl")
    mouth.add_argument("--roi", default="auto", metavar="NAME", help="what finds the mouth: haar or mesh (default)")
    parser.add_argument("--out", required=True, type=Path, metavar="WAV", help="the speech, 24 kHz")


def run_speak(args: argparse.Namespace) -> None:
    """Silent video in, speech out."""
    for option in ("video", "model", "voice", "face", "landmarks"):
        path = getattr(args, option)
        if path is not None and not path.is_file():
            raise UseError(f"no file {path} (the {option})")
    from v2sbench.audio import MediaError  # after the checks: these take seconds to load
    from v2sbench.prepare.crops import RoiError
    from v2sbench.synthesis.speak import speak

    try:
        print(speak(args.video, args.model, args.out, voice=args.voice, face=args.face, landmarks=args.landmarks,
                    roi=args.roi, vocoder=args.vocoder))  # fmt: skip
    except MediaError as error:
        raise UseError(str(error)) from error
    except RoiError as error:
        raise UseError(f"{args.video}: {error}") from error


VERBS = {
    "prepare": Verb(
        summary="corpus -> clips (mouth crops and sound); makes an embedded corpus first",
        examples=("prepare demo", "prepare grid --root /corpora/grid --jobs 8"),
        options=_prepare_options,
        run=run_prepare,
    ),
    "split": Verb(
        summary="clips -> a split: which clip is for training, validation, test; and its speaker or face embeddings",
        examples=("split demo-seen", "split demo-seen --face", "split grid4-seen --list my-list.tsv"),
        options=_split_options,
        run=run_split,
    ),
    "train": Verb(
        summary="split -> weights of one variant",
        examples=("train a2a-mel-s --split demo-audio", "train v2a-mel-s-speaker-tuned --split demo-seen"),
        options=_train_options,
        run=run_train,
    ),
    "synth": Verb(
        summary="weights -> the audio of a split's test clips",
        examples=("synth ground-truth --split demo-seen", "synth v2a-mel-s-speaker-tuned --split demo-seen"),
        options=_synth_options,
        run=run_synth,
    ),
    "speak": Verb(
        summary="one silent video -> speech",
        examples=(
            "speak face.mp4 --model models/weights/demo-seen/v2a-mel-s-speaker-tuned.safetensors --out said.wav",
        ),
        options=_speak_options,
        run=run_speak,
    ),
}
