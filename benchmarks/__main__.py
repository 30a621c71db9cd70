"""``python -m benchmarks [NAME …] [--json]``; without a name, all of them."""

from __future__ import annotations

import argparse
import logging
import os
import sys

import anyio

from tests.interop.build import ToolchainMissing

from .benchmark import Options
from .machine import busy
from .registry import BENCHMARKS
from .run import run


def main() -> None:
    """Run what the command line names; the table goes to standard error, JSON to the output."""
    parser = _parser()
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in BENCHMARKS]:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    logging.basicConfig(level=logging.WARNING)
    options = Options(quick=arguments.quick, only=tuple(arguments.only))
    if warning := busy():
        print(warning, file=sys.stderr, flush=True)
    for name in arguments.names or BENCHMARKS:
        rounds = arguments.rounds or (1 if options.quick else BENCHMARKS[name].rounds)
        try:
            report = anyio.run(run, BENCHMARKS[name], options, rounds)
        except ToolchainMissing as error:
            if arguments.names or os.environ.get("PEERLOOM_REQUIRE_ALL") == "1":
                raise
            print(f"without {name}: {error}", file=sys.stderr)
            continue
        print(report.as_table(), file=sys.stderr, flush=True)
        if arguments.json:
            print(report.as_json(), flush=True)


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
