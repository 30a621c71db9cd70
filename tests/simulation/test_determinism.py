"""The same seed gives the same run, byte for byte, whatever process it runs in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
HAPPENED: Final = (
    "PeerConnected",
    "PeerDisconnected",
    "IdentifyReceived",
    "PingSucceeded",
    "PingFailed",
    "OutgoingConnectionFailed",
    "crashes",
    "heals",
    "silent for",
)


def begin(seed: int, hash_seed: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.simulation.bad_day", str(seed)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        stdout=subprocess.PIPE,
    )


def log_of(run: subprocess.Popen[bytes]) -> list[str]:
    out, _ = run.communicate(timeout=50)
    assert run.returncode == 0
    return out.decode().splitlines()


def test_seed_decides_every_byte_of_the_log_in_any_process() -> None:
    # With both seeds a node once stopped in the moment in which a dial of its own failed.
    runs = [begin(4, hash_seed=1), begin(4, hash_seed=2), begin(5, hash_seed=1)]
    one, same, other = map(log_of, runs)
    assert one == same
    assert one != other
    for word in HAPPENED:
        assert any(word in line for line in one), word
