"""examples/script.py"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from examples.script import main
from peerloom import NetworkConfig
from peerloom.blocking import Node

if TYPE_CHECKING:
    import pytest


def test_a_line_for_each_address(anyio_backend: Any, capsys: pytest.CaptureFixture[str]) -> None:
    config = NetworkConfig(listen=["/ip4/127.0.0.1/tcp/0"], agent="somebody/1.0", strict=True)
    with Node(config, backend=anyio_backend) as node:
        address = str(node.addresses[0])
        failed = main([address, "/ip4/127.0.0.1/tcp/1", "nonsense", address])

    printed, errors = capsys.readouterr()
    assert failed == 2
    assert printed.count("somebody/1.0") == 2
    assert printed.count("cannot be reached") == 2
    assert "found 'nonsense'" in errors
