"""The command line: one verb a stage, plus scoring of other people's audio, the gate, and `speak`.

    v2sbench VERB ...    exit code 0 done, 1 a check failed, 2 wrong use or missing input, 130 interrupted

Whatever the user can get wrong ends in one line on stderr, `v2sbench: what, which value, what to do`; `V2S_DEBUG=1`
shows the traceback behind it. Verbs only parse and call; what they call is imported inside them, so that `--help` is
quick and so that tests/test_pipeline.py can read from them what a pipeline stage runs.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from v2sbench import __version__
from v2sbench.cli import doctor, fetch, lists, report, reported, scores, stages, sweep, tables
from v2sbench.cli.parser import Parser, Verb
from v2sbench.runtime import CheckError, UseError, choose

__all__ = ["VERBS", "entry", "main"]

VERBS: dict[str, Verb] = {
    **lists.VERBS,
    **fetch.VERBS,
    **doctor.VERBS,
    **stages.VERBS,
    **scores.VERBS,
    **tables.VERBS,
    **report.VERBS,
    **reported.VERBS,
    **sweep.VERBS,
}
"""Every subcommand, in the order of `--help`."""


def _parser(name: str | None = None) -> Parser:
    """The parser of one verb, or of the program."""
    form = argparse.RawDescriptionHelpFormatter
    if name is not None:
        verb = VERBS[name]
        examples = "\n".join(f"  v2sbench {line}" for line in verb.examples)
        parser = Parser(
            prog=f"v2sbench {name}", description=verb.summary, epilog=f"examples:\n{examples}", formatter_class=form,
            allow_abbrev=False,
        )  # fmt: skip
        verb.options(parser)
        return parser
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {verb:{width}}  {VERBS[verb].summary}" for verb in VERBS)
    parser = Parser(
        prog="v2sbench", usage="v2sbench VERB ...", formatter_class=form, allow_abbrev=False,
        description="Reference benchmark for video-to-speech synthesis.",
        epilog=f"verbs:\n{verbs}\n\nv2sbench VERB --help shows examples; `make demo` runs everything.",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"v2sbench {__version__}")
    return parser


def run(arguments: Sequence[str]) -> int:
    """Do what the arguments say; returns the exit code, raises UseError and CheckError."""
    if not arguments:
        raise UseError(f"which command? one of: {', '.join(VERBS)}; see: v2sbench --help")
    name = arguments[0]
    if name.startswith("-"):
        parser = _parser()
        parser.check_options(arguments)
        parser.parse_args(arguments)
        raise UseError(f"which command? one of: {', '.join(VERBS)}; see: v2sbench --help")
    verb, parser = choose("command", name, VERBS), _parser(name)
    parser.check_options(arguments[1:])
    return verb.run(parser.parse_args(arguments[1:])) or 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code after at most one line on stderr."""
    try:
        code = run(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()  # a closed pipe shows here, not when Python ends
        return code
    except (UseError, CheckError, OSError, KeyboardInterrupt) as error:
        if os.environ.get("V2S_DEBUG") == "1":
            raise
        if isinstance(error, BrokenPipeError):  # `v2sbench list ... | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered goes nowhere
            return 0
        code, text = _failure(error)
        print(f"v2sbench: {text}", file=sys.stderr)
        return code


def _failure(error: BaseException) -> tuple[int, str]:
    """Exit code and text of an expected failure, one line."""
    if isinstance(error, KeyboardInterrupt):
        return 130, "interrupted"
    if isinstance(error, OSError):
        where = f": {error.filename}" if error.filename is not None else ""
        return 2, f"{error.strerror or error}{where}"
    return (1, str(error)) if isinstance(error, CheckError) else (2, " ".join(str(error).split()))


def entry() -> None:
    """The console script."""
    sys.exit(main())
