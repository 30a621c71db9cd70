"""examples/boot_node.py"""

from __future__ import annotations

import logging
import os
import re
import signal
from typing import TYPE_CHECKING
from urllib.request import urlopen

import anyio
from anyio import to_thread

from examples.boot_node import config_for, run
from peerloom import Node

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

LISTEN = "/ip4/127.0.0.1/tcp/0"


def _read(url: str) -> str:
    with urlopen(url, timeout=20) as response:
        return str(response.read(), "utf-8")


async def test_it_serves_tells_its_metrics_and_stops_at_sigterm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "boot-node")
    async with anyio.create_task_group() as tasks:
        boot_node = await tasks.start(run, config_for(tmp_path, LISTEN), 0)
        async with Node() as visitor:
            address = boot_node.addresses[0]
            await visitor.client.dial(address)
            [url] = re.findall(r"http://\S+", caplog.text)
            metrics = await to_thread.run_sync(_read, url)
        os.kill(os.getpid(), signal.SIGTERM)

    assert re.search(r"^peerloom_\w+ ", metrics, re.MULTILINE)
    assert f"others bootstrap from {address}" in caplog.text
    assert "connections to" in caplog.text
    assert "stopping: SIGTERM" in caplog.text


async def test_its_identity_stays(tmp_path: Path) -> None:
    identities = []
    for _ in range(2):
        async with Node(config_for(tmp_path, LISTEN)) as node:
            identities.append(node.peer_id)

    assert identities[0] == identities[1]
