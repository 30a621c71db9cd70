"""A program for an operator: a boot node with an identity that stays, a status line and metrics.

    python examples/boot_node.py FOLDER [METRICS_PORT]

Others name it in their `bootstrap`. It keeps its key and its address book in FOLDER, logs how it
is every minute, shows Prometheus what it counts, and stops in good order at SIGTERM or Ctrl-C.
(`peerloom run` is such a program already, with a configuration file; write your own when it shall
do more.)
"""

from __future__ import annotations

import logging
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from prometheus_client import start_http_server

from peerloom import Limits, ListenerFailed, NetworkConfig, Node, PluginFailed, StoreFailed

if TYPE_CHECKING:
    from collections.abc import Generator

    from anyio.abc import TaskStatus

STATUS_SECONDS = 60
METRICS_PORT = "9464"

logger = logging.getLogger("boot-node")


def config_for(folder: Path, *listen: str) -> NetworkConfig:
    """What suits a boot node: many short connections of many peers."""
    return NetworkConfig(
        listen=listen or ["/ip4/0.0.0.0/tcp/2428", "/ip4/0.0.0.0/udp/2428/quic-v1"],
        data_folder=folder,
        limits=Limits(total=4096, per_peer=2),
        keep_alive_seconds=60,
    )


async def run(
    config: NetworkConfig,
    metrics_port: int,
    *,
    task_status: TaskStatus[Node] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Run the node until the process is told to stop."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with Node(config) as node, anyio.create_task_group() as tasks:
            with showing_metrics(node, metrics_port):
                for address in node.addresses:
                    logger.info("others bootstrap from %s", address)
                tasks.start_soon(log_status, node)
                tasks.start_soon(log_trouble, node)
                task_status.started(node)
                async for number in signals:
                    logger.info("stopping: %s", signal.Signals(number).name)
                    break
            tasks.cancel_scope.cancel()


@contextmanager
def showing_metrics(node: Node, port: int) -> Generator[None]:
    """Serve what the node counts to Prometheus, from a thread."""
    server, thread = start_http_server(port, "127.0.0.1", registry=node.metrics.registry())
    logger.info("metrics at http://127.0.0.1:%d/metrics", server.server_port)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def log_status(node: Node) -> None:
    """A line a minute: enough to see that it lives, and whom for."""
    while True:
        swarm = (await node.client.status())["plugins"]["swarm"]["report"]
        logger.info(
            "%d connections to %d peers; %d accepted so far, refused: %s",
            *(swarm[key] for key in ("connections", "peers", "accepted", "refused")),
        )
        await anyio.sleep(STATUS_SECONDS)


async def log_trouble(node: Node) -> None:
    """What an operator should hear of at once."""
    async with node.client.events(PluginFailed, StoreFailed, ListenerFailed) as troubles:
        async for trouble in troubles:
            logger.warning("%s", trouble)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder, port = (*sys.argv[1:], METRICS_PORT)[:2]
    anyio.run(run, config_for(Path(folder)), int(port))
