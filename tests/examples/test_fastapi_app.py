"""examples/fastapi_app.py"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from examples.fastapi_app import create_app
from peerloom import NetworkConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG = NetworkConfig(listen=["/ip4/127.0.0.1/tcp/0"], strict=True)


def _client(backend: Any) -> Iterator[TestClient]:
    with TestClient(create_app(CONFIG), backend=backend) as client:
        yield client


ann = pytest.fixture(lambda anyio_backend: (yield from _client(anyio_backend)), name="ann")
ben = pytest.fixture(lambda anyio_backend: (yield from _client(anyio_backend)), name="ben")


def test_a_letter_reaches_every_open_socket(ann: TestClient, ben: TestClient) -> None:
    address = ann.get("/node").json()["addresses"][0]
    with ann.websocket_connect("/letters") as one, ann.websocket_connect("/letters") as other:
        sent = ben.post("/letters", json={"to": address, "text": "hello"})
        letters = [socket.receive_json() for socket in (one, other)]

    assert sent.status_code == 204
    assert letters[0] == letters[1]
    assert letters[0]["text"] == "hello"
    assert ann.get("/node").json()["peers"] == [letters[0]["from"]]


def test_what_cannot_be_sent_says_why(ben: TestClient) -> None:
    refused = ben.post("/letters", json={"to": "/ip4/127.0.0.1/tcp/1", "text": "hello"})
    misspelt = ben.post("/letters", json={"to": "ann", "text": "hello"})

    assert refused.status_code == 502
    assert "cannot connect" in refused.json()["detail"]
    assert misspelt.status_code == 422
    assert "'ann' is not a peer id" in misspelt.json()["detail"][0]["msg"]
