"""A small plugin as a distribution in a folder, right or with one thing wrong in it."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "NAME/__init__.py": '''
        """A plugin that counts what peers send."""

        from ._messages import Counted, CountUp, TallyConfig

        __all__ = ["Counted", "CountUp", "TallyConfig"]
    ''',
    "NAME/_messages.py": '''
        """What it is asked, what it tells, and what it is told."""

        from __future__ import annotations

        from typing import TYPE_CHECKING

        from attrs import field, frozen

        from peerloom.plugin import Command, Event

        if TYPE_CHECKING:
            from peerloom.plugin import PeerId


        @frozen
        class CountUp(Command[int]):
            """Send a peer some bytes, and answer how many it has counted.

            Attributes:
                peer: whom.
                count: how many.
            """

            peer: PeerId
            count: int = 1


        @frozen
        class Counted(Event):
            """A peer has sent bytes.

            Attributes:
                peer: who.
                total: how many in all.
            """

            peer: PeerId
            total: int


        @frozen
        class Bounds:
            """How far it counts.

            Attributes:
                most: where it ends.
            """

            most: int = 1000


        @frozen
        class TallyConfig:
            """How it counts.

            Attributes:
                start: where it begins.
                labels: what it says.
                bounds: how far it goes.
            """

            start: int = 0
            labels: tuple[str, ...] = ("a", "b")
            bounds: Bounds = field(factory=Bounds)
    ''',
    "NAME/_plugin.py": '''
        """The entry point."""

        from __future__ import annotations

        import socket
        import threading
        from contextlib import asynccontextmanager

        import anyio

        from peerloom import LinkClosed, PeerloomError, StreamError
        from peerloom.plugin import (
            Behaviour,
            ConfigSection,
            InboundProtocol,
            PeerConnected,
            PluginInfo,
            hookimpl,
        )

        from ._messages import Counted, CountUp, TallyConfig

        PROTOCOL = "/NAME/1.0.0"
        LEFT = []
        FOREVER = threading.Event()


        class Tally(Behaviour):
            """What belongs to one node."""

            def __init__(self, ctx):
                self.ctx = ctx
                self.total = ctx.config.start
                self.protocols = {PROTOCOL: InboundProtocol(self.serve)}

            async def serve(self, stream):
                async with stream:
                    async for chunk in stream:
                        self.total += len(chunk)
                        self.ctx.emit(Counted(stream.peer, self.total))
                    await stream.send(b"%d" % self.total)

            async def count_up(self, command):
                async with await self.ctx.open_stream(command.peer, [PROTOCOL]) as stream:
                    await stream.send(bytes(command.count))
                    await stream.send_eof()
                    return int(await stream.receive() or b"0")

            def on_connected(self, event):
                self.ctx.spawn(self.greet, event.peer)

            async def greet(self, peer):
                try:
                    await self.count_up(CountUp(peer))
                except (PeerloomError, anyio.EndOfStream):
                    pass


        class TallyPlugin:
            """Counts."""

            info = PluginInfo("NAME")

            def __init__(self):
                self.tallies = {}

            def tally(self, ctx):
                return self.tallies[ctx]

            @hookimpl
            def peerloom_config_sections(self):
                return [ConfigSection("NAME", TallyConfig)]

            @hookimpl
            def peerloom_setup(self, ctx):
                self.tallies[ctx] = Tally(ctx)

            @hookimpl
            def peerloom_behaviours(self, ctx):
                return [self.tally(ctx)]

            @hookimpl
            def peerloom_command_handlers(self, ctx):
                return [CountUp.handled_by(self.tally(ctx).count_up)]

            @hookimpl
            def peerloom_event_handlers(self, ctx):
                return [PeerConnected.heard_by(self.tally(ctx).on_connected)]

            @hookimpl
            def peerloom_status(self, ctx):
                return {"total": self.tally(ctx).total}

            @hookimpl
            def peerloom_lifespan(self, ctx):
                return self.lifespan(ctx)

            @asynccontextmanager
            async def lifespan(self, ctx):
                try:
                    yield
                finally:
                    del self.tallies[ctx]


        plugin = TallyPlugin()
    ''',
    "NAME-1.0.dist-info/METADATA": """
        Metadata-Version: 2.1
        Name: NAME
        Version: 1.0
        Summary: Counts what peers send.
        Requires-Python: >=3.11
        Requires-Dist: peerloom<0.2,>=0.1
        Requires-Dist: pytest; extra == "testing"

        Answers `CountUp(peer, count)`, tells `Counted`, and reads `start` and `labels`,
        and `most` of `bounds`.
    """,
    "NAME-1.0.dist-info/entry_points.txt": """
        [peerloom.plugins]
        NAME = NAME._plugin:plugin
    """,
}


def write_distribution(folder: Path, name: str, changes: tuple[tuple[str, str], ...] = ()) -> None:
    """The distribution, with each first text replaced by the second wherever it stands."""
    texts = {path: dedent(text).strip("\n") + "\n" for path, text in FILES.items()}
    for old, new in changes:
        assert any(old in text for text in texts.values()), f"{old!r} stands nowhere"
        texts = {path: text.replace(old, new) for path, text in texts.items()}
    for path, text in texts.items():
        file = folder / path.replace("NAME", name)
        file.parent.mkdir(exist_ok=True)
        file.write_text(text.replace("NAME", name), encoding="utf-8")
