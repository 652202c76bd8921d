"""The command line: one verb for each stage, plus scoring of other people's audio, the gate, and `speak`.

    v2sbench VERB ...    exit code 0 done, 1 a check failed, 2 wrong use or missing input, 130 interrupted

A user's mistake ends in one line on stderr: what, which value, what to do. `V2S_DEBUG=1` shows the traceback behind
it. Verbs only parse and call. They import the packages that do the work inside their functions, so that `--help` is
quick. Begin with `score`; `options` holds what verbs share.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping, Sequence

import click

from v2sbench import __version__
from v2sbench.cli import corpora, prepare, results, score, train
from v2sbench.cli.extras import missing
from v2sbench.runtime import CheckError, UseError

__all__ = ["VERBS", "entry", "main", "run"]

EPILOG = """
\b
v2sbench VERB --help shows examples; `make demo` runs everything.
Completion: eval "$(_V2SBENCH_COMPLETE=bash_source v2sbench)" in ~/.bashrc,
likewise zsh_source in ~/.zshrc; for fish, fish_source, piped into `source`.
"""


class _Group(click.Group):
    """A group that keeps its verbs in the order of the work."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, as they were added."""
        return list(self.commands)


@click.group("v2sbench", cls=_Group, no_args_is_help=False, subcommand_metavar="VERB ...", epilog=EPILOG,
             context_settings={"help_option_names": ["-h", "--help"]})  # fmt: skip
@click.version_option(__version__, message="v2sbench %(version)s")
def _program() -> None:
    """Reference benchmark for video-to-speech synthesis."""


for _verb in (*corpora.VERBS, *prepare.VERBS, *train.VERBS, *score.VERBS, *results.VERBS):
    _program.add_command(_verb)
VERBS: Mapping[str, click.Command] = _program.commands
"""Every verb, in the order of `--help`."""


def run(arguments: Sequence[str]) -> int:
    """Do what the arguments say; returns the exit code, raises UseError and CheckError."""
    try:
        with _program.make_context("v2sbench", list(arguments)) as context:
            return _program.invoke(context) or 0
    except click.exceptions.Exit as left:  # after --help and --version
        return left.exit_code
    except click.UsageError as error:
        name = arguments[0] if arguments and arguments[0] in VERBS else ""
        see = f"v2sbench {name} --help" if name else "v2sbench --help"
        raise UseError(f"{error.format_message()} See: {see}") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code after at most one line on stderr."""
    try:
        code = run(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()  # a closed pipe shows here, not when Python ends
        return code
    except BrokenPipeError:  # as in `v2sbench list models | head`: what is still buffered goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (UseError, CheckError, OSError, ModuleNotFoundError, KeyboardInterrupt) as error:
        failure = _failure(error)
        if failure is None or os.environ.get("V2S_DEBUG") == "1":
            raise
        code, text = failure
        print(f"v2sbench: {text}", file=sys.stderr)
        return code


def _failure(error: BaseException) -> tuple[int, str] | None:
    """Exit code and message of an expected failure; None for a bug."""
    if isinstance(error, KeyboardInterrupt):
        return 130, "interrupted"
    if isinstance(error, CheckError):
        return 1, str(error)
    if isinstance(error, OSError):
        where = f": {error.filename}" if error.filename is not None else ""
        return 2, f"{error.strerror or error}{where}"
    if isinstance(error, ModuleNotFoundError):
        said = missing(error.name)
        return (2, said) if said else None
    return 2, " ".join(str(error).split())


def entry() -> None:
    """The console script. A terminal that lacks a character shows `?` instead."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    if instruction := os.environ.get("_V2SBENCH_COMPLETE"):
        from click.shell_completion import shell_complete

        sys.exit(shell_complete(_program, {}, "v2sbench", "_V2SBENCH_COMPLETE", instruction))
    sys.exit(main())
