"""The command line: write a study, see what it would do, run it, look at the report."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import warnings
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import NoReturn

from rich.console import Console

from ablate import __version__
from ablate.command_line import Command, commands
from ablate.runs.interrupting import INTERRUPTED, TERMINATED

BAD_INPUT = 2
PIPE = 160  # columns, where nobody says how many there are


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command; bad input is one clear line for each mistake and exit code 2."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # `ablate run ... &` ignores it else
    signal.signal(signal.SIGTERM, _terminated)
    warnings.formatwarning = _format_warning
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a locale without UTF-8 is no reason to fail
            stream.reconfigure(errors="replace")
    known = commands()
    options = _parser(known).parse_args(arguments)
    try:
        known[options.command].carry_out(options, _console())
        code = 0
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one must not spoil the end
        _complain(f"interrupted{_goes_on(options)}")
        code = INTERRUPTED
    except SystemExit as ended:
        if ended.code == TERMINATED:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            _complain(f"terminated{_goes_on(options)}")
        raise
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()
        code = 0
    except ValueError as error:
        for line in getattr(error, "problems", None) or [" ".join(str(error).split())]:
            _complain(line)
        code = BAD_INPUT
    except OSError as error:  # a full disk, a folder that is not ours, a file in place of a folder
        place = f"{error.filename}: " if error.filename else ""
        _complain(f"{place}{error.strerror or error}")
        code = BAD_INPUT
    raise SystemExit(code)


def _console() -> Console:
    """Where a command speaks; a file or another program is wider than a terminal often is."""
    console = Console(markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE
    return console


def _goes_on(options: argparse.Namespace) -> str:
    """What becomes of what was done, where a command keeps it."""
    return "; the same command goes on from here" if getattr(options, "goes_on", False) else ""


def _terminated(number: int, frame: FrameType | None) -> NoReturn:
    """SIGTERM as an exception, so that workers end with the run."""
    raise SystemExit(TERMINATED)


def _format_warning(message: Warning | str, *where: object, **more: object) -> str:
    """A warning for people: one line, without the place in our code that it came from."""
    return f"warning: {' '.join(str(message).split())}\n"


def _complain(line: str) -> None:
    print(line, file=sys.stderr)


def _parser(known: Mapping[str, Command]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ablate", description=__doc__)
    parser.add_argument("--version", action="version", version=f"ablate {__version__}")
    subparsers = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")
    for name, command in known.items():
        command.add_options(
            subparsers.add_parser(name, help=command.HELP, description=command.HELP)
        )
    return parser
