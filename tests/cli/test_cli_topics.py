"""Topics in a terminal: `chat`, `pub` and `sub` as processes that meet."""

from __future__ import annotations

import json
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.cli.commands import Running, command, environment, peerloom, running
from tests.cli.slow_link import slow_link

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(180)  # several processes, each with its own limit

LOOPBACK = ("--listen", "/ip4/127.0.0.1/tcp/0")

backends = pytest.mark.parametrize("backend", [(), ("--trio",)], ids=["asyncio", "trio"])


class Talking(Running):
    """A command that reads what is typed."""

    def type(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def leave(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.end()


@contextmanager
def chatting(home: Path, *arguments: str) -> Iterator[Talking]:
    with subprocess.Popen(
        command("chat", "news", *LOOPBACK, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(home),
    ) as process:
        one = Talking(process)
        try:
            yield one
        finally:
            process.kill()
            one.end()


def short_id(chat: Running) -> str:
    return chat.line_with("you are").split()[2].rstrip(";")


def address_of(node: Running, text: str) -> str:
    return node.line_with(text).split()[-1]


@backends
def test_two_who_chat_read_each_other_and_see_who_comes_and_leaves(
    tmp_path: Path, backend: tuple[str, ...]
) -> None:
    with chatting(tmp_path / "ann", *backend) as ann:
        there = address_of(ann, "peerloom chat news --dial")
        with chatting(tmp_path / "ben", "--dial", there, *backend) as ben:
            ann.line_with(f"{short_id(ben)} is here")
            ben.line_with(f"{short_id(ann)} is here")
            ann.type("hello Ben\n")
            assert ben.line_with("hello Ben") == f"{short_id(ann)}: hello Ben"
            ben.type("\nhello Ann, and \x1b[31mred\n")
            assert ann.line_with("hello Ann").endswith("and \N{REPLACEMENT CHARACTER}[31mred")
            ben.type("bye")  # the last line, which has no end
            assert ben.leave() == 0
            ann.line_with(f"{short_id(ben)}: bye")
            ann.line_with(f"{short_id(ben)} has left")
        ann.type("anybody?\n")
        assert "no connected peer is subscribed" in ann.line_with("not sent")
        assert ann.end(signal.SIGINT) == 0
        assert ann.said == [f"{short_id(ben)}: {text}" for text in _heard_by_ann()]


def _heard_by_ann() -> tuple[str, ...]:
    return ("hello Ann, and \N{REPLACEMENT CHARACTER}[31mred", "bye")


@backends
def test_what_is_published_is_printed_by_who_is_subscribed(
    tmp_path: Path, backend: tuple[str, ...]
) -> None:
    with running(tmp_path / "sub", "sub", "news", *LOOPBACK, "--count", "2", *backend) as sub:
        to = ("--dial", address_of(sub, "listening on"))
        done = peerloom(tmp_path / "pub", "pub", "news", "-m", "one\ntwo", *to, *backend)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        text = peerloom(tmp_path / "pub", "pub", "news", *to, *backend, input="three\n")
        assert text.returncode == 0, text.stderr
        assert sub.end() == 0
    who = peerloom(tmp_path / "pub", "id").stdout.strip()[-8:]
    assert sub.said == [f"{who}: one\N{REPLACEMENT CHARACTER}two", f"{who}: three"]


@backends
def test_every_line_of_a_file_arrives_in_order_and_as_json_in_full(
    tmp_path: Path, backend: tuple[str, ...]
) -> None:
    lines = [f"line {number}" for number in range(500)]
    (tmp_path / "lines").write_text("\n".join(lines))
    options = ("--json", "--count", str(len(lines)), *backend)
    with running(tmp_path / "sub", "sub", "news", *LOOPBACK, *options) as sub:
        to = ("--dial", address_of(sub, "listening on"))
        with (tmp_path / "lines").open() as file:
            done = peerloom(tmp_path / "pub", "pub", "news", *to, *backend, stdin=file)
        assert done.returncode == 0, done.stderr
        assert sub.end() == 0
    told = [json.loads(line) for line in sub.said]
    assert [one["text"] for one in told] == lines
    assert {one["topic"] for one in told} == {"news"}
    assert {one["source"] for one in told} == {peerloom(tmp_path / "pub", "id").stdout.strip()}
    assert len({one["message_id"] for one in told}) == len(lines)


def _lines(count: int) -> list[str]:
    return [f"{number:01024}" for number in range(count)]


@contextmanager
def slow_way_to(node: Running, **rate: float) -> Iterator[tuple[str, str]]:
    address = address_of(node, "listening on")
    port = address.split("/")[4]
    with slow_link(int(port), **rate) as begin:
        yield "--dial", address.replace(f"/tcp/{port}/", f"/tcp/{begin}/")


@backends
def test_what_is_published_over_a_slow_link_is_sent_before_the_command_ends(
    tmp_path: Path, backend: tuple[str, ...]
) -> None:
    lines = _lines(1024)  # for four seconds
    with (
        running(tmp_path / "sub", "sub", "news", *LOOPBACK, "--count", str(len(lines))) as sub,
        slow_way_to(sub, bytes_a_second=2**18) as to,
    ):
        done = peerloom(tmp_path / "pub", "pub", "news", *to, *backend, input="\n".join(lines))
        assert done.returncode == 0, done.stderr
        assert sub.end() == 0
    assert [line.partition(": ")[2] for line in sub.said] == lines


@backends
def test_what_cannot_be_sent_is_waited_for_no_longer_than_said_and_told(
    tmp_path: Path, backend: tuple[str, ...]
) -> None:
    lines = _lines(2048)
    with (
        running(tmp_path / "sub", "sub", "news", *LOOPBACK) as sub,
        slow_way_to(sub, max_bytes=2**18) as to,
    ):
        options = (*to, *backend, "--wait", "5")
        done = peerloom(tmp_path / "pub", "pub", "news", *options, input="\n".join(lines))
        assert done.returncode == 1
        told = done.stderr.splitlines()[-1]
        assert told.startswith("peerloom: not all of it was sent to 1 peer of 1: gone, broken off,")
        assert sub.end(signal.SIGTERM) == 0


def test_who_publishes_may_wait_for_ever(tmp_path: Path) -> None:
    with running(tmp_path / "ben", "sub", "news", *LOOPBACK, "--count", "1") as ben:
        to = ("--dial", address_of(ben, "listening on"))
        said = (*LOOPBACK, "-m", "hello", "--wait", "inf")
        ann = peerloom(tmp_path / "ann", "pub", "news", *to, *said)
        assert ann.returncode == 0, ann.stderr
        assert ben.end() == 0
    assert [line.split(": ")[1] for line in ben.said] == ["hello"]


def test_bytes_that_are_no_text_are_base64_only(tmp_path: Path) -> None:
    with running(tmp_path / "sub", "sub", "news", *LOOPBACK, "--json", "-n", "1") as sub:
        to = ("--dial", address_of(sub, "listening on"))
        done = subprocess.run(
            command("pub", "news", *to),
            check=False,
            capture_output=True,
            timeout=60,
            input=b"\xff\xfe\n",
            env=environment(tmp_path / "pub"),
        )
        assert done.returncode == 0, done.stderr
        assert sub.end() == 0
    [told] = map(json.loads, sub.said)
    assert told["data"] == "//4="
    assert "text" not in told


def test_publishing_to_nobody_says_what_to_do(tmp_path: Path) -> None:
    done = peerloom(tmp_path, "pub", "news", "-m", "hello", *LOOPBACK, "--wait", "0.1")
    assert done.returncode == 1
    assert done.stderr.startswith("peerloom: nobody is connected after 0.1 s: name somebody by")
    assert done.stderr.count("\n") == 1


def test_publishing_to_peers_of_other_topics_says_what_to_do(tmp_path: Path) -> None:
    with running(tmp_path / "sub", "sub", "news", *LOOPBACK) as sub:
        to = (*LOOPBACK, "--dial", address_of(sub, "listening on"))
        done = peerloom(tmp_path / "pub", "pub", "nwes", "-m", "hello", *to, "--wait", "4")
        assert done.returncode == 1
        waits, fails = done.stderr.splitlines()
        assert waits.endswith("; waiting for one that is subscribed to 'nwes'")
        assert "connected to 1 peer, but to none that has subscribed to 'nwes' within 4 s" in fails
        assert sub.end(signal.SIGTERM) == 0


def test_a_line_that_is_too_large_is_told_and_the_rest_is_published(tmp_path: Path) -> None:
    with running(tmp_path / "sub", "sub", "news", *LOOPBACK, "--count", "2") as sub:
        to = ("--dial", address_of(sub, "listening on"))
        lines = "one\n" + "x" * 2**21 + "\nthree\n"
        done = peerloom(tmp_path / "pub", "pub", "news", *to, input=lines)
        assert done.returncode == 1
        told, sum_ = done.stderr.splitlines()[-2:]  # before: that it waits, if that took long
        assert told.startswith("line 2 is not published: a message of 2")
        assert sum_ == "peerloom: not published: 1 of 3 lines"
        assert sub.end() == 0
    assert [line.partition(": ")[2] for line in sub.said] == ["one", "three"]


@backends
def test_publishing_that_is_interrupted_says_so_by_its_status(
    tmp_path: Path, backend: tuple[str, ...]
) -> None:
    with running(tmp_path, "pub", "news", "-m", "hello", *LOOPBACK, *backend) as pub:
        pub.line_with("connected to 0 peers; waiting for one that is subscribed to 'news'")
        assert pub.end(signal.SIGINT) == 128 + signal.SIGINT


def test_without_the_plugin_in_the_node_a_topic_cannot_be_used(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[plugins]\ndisabled = ["gossipsub"]\n')
    done = peerloom(tmp_path, "sub", "news", *LOOPBACK, "--config", str(config))
    assert done.returncode == 1
    assert "gossipsub" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("peerloom: ")


@pytest.mark.parametrize("name", ["chat", "pub", "sub"])
def test_a_topic_that_is_too_long_is_told_of_in_a_line(tmp_path: Path, name: str) -> None:
    done = peerloom(tmp_path, name, "t" * 2000, *LOOPBACK, stdin=subprocess.DEVNULL)
    assert done.returncode == 1
    assert done.stderr == "peerloom: a topic of 2000 bytes; at most 1024 can be told to peers\n"


def test_a_chat_whose_input_is_closed_ends_at_once(tmp_path: Path) -> None:
    shell = ["sh", "-c", 'exec "$@" <&-', "sh", *command("chat", "news", *LOOPBACK)]
    done = subprocess.run(
        shell, check=False, capture_output=True, text=True, timeout=60, env=environment(tmp_path)
    )
    assert done.returncode == 0, done.stderr
