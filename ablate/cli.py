"""The command line: write a study, see what it would do, run it, look at the report."""

from __future__ import annotations

import argparse
import io
import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn, TypeAlias

from rich.console import Console

from ablate import __version__
from ablate.collection.parser import add_collection, add_where
from ablate.fidelity.parser import add_fidelity
from ablate.runs.interrupting import INTERRUPTED, TERMINATED

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

BAD_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command; bad input is one clear line for each mistake and exit code 2."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # `ablate run ... &` ignores it else
    signal.signal(signal.SIGTERM, _terminated)
    warnings.formatwarning = _format_warning
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a locale without UTF-8 is no reason to fail
            stream.reconfigure(errors="replace")
    options = _parser().parse_args(arguments)
    try:
        from ablate import commands  # loads torch, which takes seconds: `--help` need not

        getattr(commands, options.command.replace("-", "_"))(
            options, Console(markup=False, emoji=False)
        )
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


def _goes_on(options: argparse.Namespace) -> str:
    """What becomes of what was done, where a command keeps it."""
    return "; the same command goes on from here" if options.command in ("run", "fidelity") else ""


def _terminated(number: int, frame: FrameType | None) -> NoReturn:
    """SIGTERM as an exception, so that workers end with the run."""
    raise SystemExit(TERMINATED)


def _format_warning(message: Warning | str, *where: object, **more: object) -> str:
    """A warning for people: one line, without the place in our code that it came from."""
    return f"warning: {' '.join(str(message).split())}\n"


def _complain(line: str) -> None:
    print(line, file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ablate", description=__doc__)
    parser.add_argument("--version", action="version", version=f"ablate {__version__}")
    subparsers = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")
    for add in (_add_new, _add_plan, _add_run, _add_report, _add_blocks, _add_schema):
        add(subparsers)
    for add in (_add_restore, _add_evaluate, _add_profile, _add_latency_model, _add_crossover):
        add(subparsers)
    add_fidelity(subparsers)
    for add in (_add_doctor, _add_verify, _add_compare, _add_watch, _add_export, add_collection):
        add(subparsers)
    return parser


def _add(subparsers: Subparsers, name: str, text: str) -> argparse.ArgumentParser:
    """A command: the function of this name in `commands`."""
    return subparsers.add_parser(name, help=text, description=text)


def _add_new(subparsers: Subparsers) -> None:
    parser = _add(subparsers, "new", "write a commented study file to edit")
    parser.add_argument("file", type=Path, help="where to write it, such as my_study.toml")
    parser.add_argument("--like", default="template", help="start from this shipped study instead")


def _add_study(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", help="a study file, or the name of a shipped study")
    parser.add_argument(
        "--workers", default="auto", help="trials at a time (default: one per core)"
    )
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    _add_plugins(parser)


def _add_plugins(parser: argparse.ArgumentParser) -> None:
    text = "a Python file with blocks of your own; may be given several times"
    parser.add_argument("--plugin", action="append", default=[], metavar="FILE", help=text)


def _add_output(parser: argparse.ArgumentParser) -> None:
    loudness = parser.add_mutually_exclusive_group()
    loudness.add_argument("--quiet", action="store_true", help="say nothing but errors")
    loudness.add_argument("--json", action="store_true", help="speak JSON, for programs")


def _add_plan(subparsers: Subparsers) -> None:
    text = "what a study would do: mixes, parameters, MACs, time and memory; trains nothing"
    parser = _add(subparsers, "plan", text)
    _add_study(parser)
    out = "folder of the run, where its latency model may lie (default: runs/NAME)"
    parser.add_argument("--out", type=Path, help=out)
    parser.add_argument("--json", action="store_true", help="speak JSON, for programs")


def _add_run(subparsers: Subparsers) -> None:
    text = "run a study; after an interruption the same command goes on"
    parser = _add(subparsers, "run", text)
    _add_study(parser)
    _add_output(parser)
    parser.add_argument("--out", type=Path, help="folder of the run (default: runs/NAME)")
    reuse = "train also what runs in the same folder have finished already"
    parser.add_argument("--no-reuse", action="store_true", help=reuse)
    beside = "where the folder holds another study, start or go on beside it: NAME-2, NAME-3 ..."
    parser.add_argument("--new-run", action="store_true", help=beside)
    every = "seconds between two saved states of a trial in progress (default: 60)"
    parser.add_argument("--save-every", default="60", metavar="SECONDS", help=every)
    devices = (
        "GPUs to train on, such as 0,1, or auto for all; trainings share one while its memory "
        "lasts (default: the first, one training at a time)"
    )
    parser.add_argument("--devices", default="", metavar="LIST", help=devices)
    add_where(parser)


def _add_report(subparsers: Subparsers) -> None:
    parser = _add(subparsers, "report", "write a run's report again, without training")
    parser.add_argument("run", type=Path, help="the folder of a run")
    crossover = "show what ablate crossover --json printed, too; it is kept beside the record"
    parser.add_argument("--crossover", type=Path, metavar="FILE", help=crossover)
    paper = "write tables, figures, methods and BibTeX for a paper into this folder, too"
    parser.add_argument("--paper", type=Path, metavar="DIR", help=paper)
    _add_plugins(parser)
    _add_output(parser)


def _add_verify(subparsers: Subparsers) -> None:
    text = "compute every number of a report again from its record; name the first that differs"
    parser = _add(subparsers, "verify", text)
    report = "a report (report.html, report.md, results.csv, results.tex), or the folder of a run"
    parser.add_argument("report", type=Path, metavar="REPORT", help=report)
    record = "the record, or the folder of its run (default: the one beside the report)"
    parser.add_argument("--record", type=Path, metavar="FILE", help=record)
    _add_output(parser)


def _add_blocks(subparsers: Subparsers) -> None:
    parser = _add(subparsers, "blocks", "what can fill a stage, or one block in full")
    parser.add_argument("name", nargs="?", help="a block")
    parser.add_argument("--json", action="store_true", help="speak JSON, for programs")
    _add_plugins(parser)


def _add_schema(subparsers: Subparsers) -> None:
    text = "print the JSON schema of study files, for editors"
    _add_plugins(_add(subparsers, "schema", text))


def _add_mix(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, help="the folder of a run")
    parser.add_argument("mix", help="label of a mix as the report shows it, or its key")
    parser.add_argument("--seed", type=int, default=0, help="which of its trials (default: 0)")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    _add_plugins(parser)
    _add_output(parser)


def _add_restore(subparsers: Subparsers) -> None:
    parser = _add(subparsers, "restore", "restore pictures with a trained mix")
    _add_mix(parser)
    parser.add_argument("images", type=Path, nargs="+", help="pictures to restore")
    parser.add_argument("--out", type=Path, default=Path("restored"), help="folder for the results")
    parser.add_argument("--tile", type=int, help="side of a tile in pixels, 0 for none")
    parser.add_argument("--overlap", type=int, help="overlap of tiles, in pixels")


def _add_evaluate(subparsers: Subparsers) -> None:
    text = "score a trained mix on other pictures, whole and in crops"
    parser = _add(subparsers, "evaluate", text)
    _add_mix(parser)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--data", type=Path, help="folder of clean pictures")
    metavar = ("DEGRADED", "CLEAN")
    source.add_argument("--pairs", type=Path, nargs=2, metavar=metavar, help="folders of pairs")


def _add_profile(subparsers: Subparsers) -> None:
    text = "what one network costs, of a study or of your own: MACs, memory, latency, by part"
    parser = _add(subparsers, "profile", text)
    network = (
        "a study file, the name of a shipped study, or my_module.py:build, where build is a "
        "function or class that makes any nn.Module"
    )
    parser.add_argument("network", help=network)
    parser.add_argument("--mix", metavar="LABEL", help="which mix, of a study with several")
    size = "height and width of the image, or channels, height and width (default: the study's)"
    parser.add_argument("--size", nargs="+", metavar="N", help=size)
    ways = ["stage", "block", "module"]
    by = "show costs by these parts (default: stage, or module where there are no stages)"
    parser.add_argument("--by", choices=ways, default="", help=by)
    depth = "how deep to go into modules within modules (default: 2)"
    parser.add_argument("--depth", default="2", metavar="N", help=depth)
    step = "also what one training step costs, forward, backward and optimiser"
    parser.add_argument("--training", action="store_true", help=step)
    roofs = "also what limits each stage on this machine: memory, arithmetic or launches"
    parser.add_argument("--roofline", action="store_true", help=roofs)
    counter = "count as another counter does: thop, conv-only or fvcore (default: ablate)"
    parser.add_argument("--convention", default="ablate", help=counter)
    second = "also have fvcore count it, on a small image unless --size says otherwise"
    parser.add_argument("--check", action="store_true", help=second)
    _add_timing(parser)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--json", action="store_true", help="speak JSON, for programs")
    _add_plugins(parser)


def _add_timing(parser: argparse.ArgumentParser) -> None:
    rounds = "rounds of timing, in each process (default: the study's)"
    parser.add_argument("--rounds", metavar="N", help=rounds)
    parser.add_argument("--batch", metavar="N", help="images in a call (default: the study's)")
    parser.add_argument("--threads", metavar="N", help="CPU threads (default: the study's)")
    modes = (
        "how to run it: eager, compiled, graph; float32, tf32, bfloat16, float16; several are "
        "timed one after the other (default: the study's)"
    )
    parser.add_argument("--modes", nargs="+", metavar="MODE", help=modes)
    parser.add_argument("--no-latency", action="store_true", help="count, and time nothing")


def _add_latency_model(subparsers: Subparsers) -> None:
    text = "time what a study's mixes are made of, so that all of them have a predicted latency"
    parser = _add(subparsers, "latency-model", text)
    parser.add_argument("study", help="a study file, or the name of a shipped study")
    size = "height and width of the image (default: the study's first)"
    parser.add_argument("--size", nargs="+", metavar="N", help=size)
    fit = "whole mixes that the model is fitted to (default: 8)"
    parser.add_argument("--fit", default="8", metavar="N", help=fit)
    check = "whole mixes that it is checked on, which it has not seen (default: 8)"
    parser.add_argument("--check", default="8", metavar="N", help=check)
    width = "widths to measure beside the study's, so that those between can be predicted"
    parser.add_argument("--width", nargs="+", default=[], metavar="N", help=width)
    by = "what is timed by itself (default: stages, or blocks where there are too many stages)"
    parser.add_argument("--by", choices=["stage", "block"], help=by)
    rounds = "rounds of timing, in each process (default: the study's)"
    parser.add_argument("--rounds", metavar="N", help=rounds)
    parser.add_argument("--out", type=Path, help="folder of the run (default: runs/NAME)")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--json", action="store_true", help="speak JSON, for programs")
    _add_plugins(parser)


def _add_crossover(subparsers: Subparsers) -> None:
    text = "how blocks grow with resolution, width and batch, and where one overtakes another"
    parser = _add(subparsers, "crossover", text)
    block = "a block (mwsa, mwsa:window=16) or a family (attention: the best of its blocks)"
    parser.add_argument("block", nargs="+", metavar="BLOCK", help=block)
    sizes = "sides of the features in pixels (default: 32 48 64 96 128 192 256)"
    parser.add_argument("--size", nargs="+", metavar="N", help=sizes)
    parser.add_argument("--width", nargs="+", metavar="N", help="channels (default: 32)")
    parser.add_argument("--batch", nargs="+", metavar="N", help="images in a call (default: 1)")
    refine = "then time two more values around each cross-over; takes that much longer"
    parser.add_argument("--refine", action="store_true", help=refine)
    rounds = "interleaved rounds, in each process (default: 15)"
    parser.add_argument("--rounds", default="15", metavar="N", help=rounds)
    parser.add_argument("--processes", default="3", metavar="N", help="fresh ones (default: 3)")
    parser.add_argument("--threads", default="1", metavar="N", help="CPU threads (default: 1)")
    parser.add_argument("--run", choices=["eager", "compiled", "graph"], default="eager")
    precisions = ["float32", "tf32", "bfloat16", "float16"]
    parser.add_argument("--precision", choices=precisions, default="float32")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--json", action="store_true", help="speak JSON, for programs")
    _add_plugins(parser)


def _add_compare(subparsers: Subparsers) -> None:
    text = "what changed from one run to another, and which differences of mixes are real"
    parser = _add(subparsers, "compare", text)
    parser.add_argument("before", type=Path, metavar="RUN", help="the folder of a run")
    after = "the folder of a later run (default: the last two sittings of the first are compared)"
    parser.add_argument("after", type=Path, nargs="?", metavar="LATER", help=after)
    parser.add_argument("--json", action="store_true", help="speak JSON, for programs")


def _add_doctor(subparsers: Subparsers) -> None:
    text = "what this installation can use, and the command that adds what it lacks"
    parser = _add(subparsers, "doctor", text)
    parser.add_argument("--json", action="store_true", help="speak JSON, for programs")


def _add_watch(subparsers: Subparsers) -> None:
    text = "how a run goes on, from another terminal, at any time; changes nothing"
    parser = _add(subparsers, "watch", text)
    parser.add_argument("run", type=Path, help="the folder of a run")
    parser.add_argument("--once", action="store_true", help="show it once and end")
    every = "seconds between two looks (default: 2)"
    parser.add_argument("--every", default="2", metavar="SECONDS", help=every)
    parser.add_argument("--json", action="store_true", help="one JSON object for each look")


def _add_export(subparsers: Subparsers) -> None:
    text = "a run for other programs: an Optuna study for optuna-dashboard, a table of trials"
    parser = _add(subparsers, "export", text)
    parser.add_argument("run", type=Path, help="the folder of a run")
    database = "write it as an Optuna study into this database, such as sqlite:///x.db"
    parser.add_argument("--optuna", metavar="URL", help=database)
    name = "name of the Optuna study (default: the study's)"
    parser.add_argument("--name", default="", help=name)
    csv = "write a table with a row for each trial"
    parser.add_argument("--csv", type=Path, metavar="FILE", help=csv)
    parser.add_argument("--json", action="store_true", help="speak JSON, for programs")
