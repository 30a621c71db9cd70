"""A package index on this machine, for pip."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path


class _Quiet(SimpleHTTPRequestHandler):
    """Serves files, and folders as lists of links: all that pip asks of an index."""

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def index_of(wheelhouses: Iterable[Path], folder: Path) -> Iterator[Mapping[str, str]]:
    """An index of these wheels while the block lasts; gives the variables by which pip uses it."""
    for wheel in [wheel for house in wheelhouses for wheel in house.glob("*.whl")]:
        project = folder / parse_wheel_filename(wheel.name)[0]
        project.mkdir(exist_ok=True)
        (project / wheel.name).symlink_to(wheel)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield {
                **{name: value for name, value in os.environ.items() if "PIP_" not in name},
                "PIP_CONFIG_FILE": os.devnull,
                "PIP_INDEX_URL": f"http://127.0.0.1:{server.server_port}/",
                "NO_PROXY": "127.0.0.1",
                "no_proxy": "127.0.0.1",
            }
        finally:
            server.shutdown()
            thread.join()
