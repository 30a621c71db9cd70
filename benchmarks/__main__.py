"""``python -m benchmarks [NAME …] [--json]``; without a name, all of them."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import traceback
from typing import TYPE_CHECKING, Any

import anyio

from .benchmark import Options
from .machine import busy
from .registry import BENCHMARKS
from .report import error_fields
from .run import run
from .verdicts import has_failed, summary

if TYPE_CHECKING:
    from .benchmark import Benchmark


def main() -> None:
    """Run what the command line names; tables go to standard error, JSON to the output.

    Whatever fails is named in its benchmark's JSON and makes the exit status 1; the rest goes on.
    """
    parser = _parser()
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in BENCHMARKS]:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    logging.basicConfig(level=logging.WARNING)
    options = Options(quick=arguments.quick, only=tuple(arguments.only))
    if warning := busy():
        _tell(warning)
    results = []
    for name in arguments.names or BENCHMARKS:
        rounds = arguments.rounds or (1 if options.quick else BENCHMARKS[name].rounds)
        result = _result_of(BENCHMARKS[name], options, rounds)
        if not options.quick:
            _tell(summary([result], options))
        if arguments.json:
            print(json.dumps(result), flush=True)
        results.append(result)
    if len(results) > 1 and not options.quick:
        _tell(summary(results, options))
    sys.exit(any(has_failed(result, options) for result in results))


def _result_of(benchmark: Benchmark, options: Options, rounds: int) -> dict[str, Any]:
    try:
        report = anyio.run(run, benchmark, options, rounds)
    except Exception as error:  # noqa: BLE001 - isolation: the other benchmarks go on
        traceback.print_exc()
        return error_fields(benchmark, error)
    _tell(report.as_table())
    return report.as_fields()


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", metavar="NAME", nargs="*", help=", ".join(BENCHMARKS))
    parser.add_argument("--json", action="store_true", help="one JSON object a benchmark")
    parser.add_argument("--rounds", type=int, default=0, help="how many rounds are counted")
    parser.add_argument("--quick", action="store_true", help="one tiny round: does it work?")
    parser.add_argument(
        "--only", action="append", default=[], metavar="WHO", help="a contestant; may be repeated"
    )
    return parser


main()
