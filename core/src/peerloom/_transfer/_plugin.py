"""TransferPlugin: serves offered files to whoever knows their hash."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from peerloom.plugin import Behaviour, InboundProtocol, PluginInfo, hookimpl

from ._sender import Sender
from ._wire import PROTOCOL_ID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peerloom.plugin import PluginContext

    from ._offer import OfferedFile

# Two batches of 4 MiB a stream are in memory: 64 MiB in all.
_MAX_STREAMS = 8
_MAX_STREAMS_PER_PEER = 2  # the one that goes on, and the broken one that is not yet noticed


class TransferPlugin:
    """Give it to `Node(plugins=[...])`; reports `FileRequested` and `FileServed` events."""

    info: ClassVar[PluginInfo] = PluginInfo("transfer")

    def __init__(self, files: Sequence[OfferedFile]) -> None:
        """Serve these files, each by its content hash."""
        self._files = tuple(files)

    @hookimpl
    def peerloom_behaviours(self, ctx: PluginContext) -> list[Behaviour]:
        """The sending side of the file protocol."""
        return [_TransferBehaviour(Sender(self._files, ctx.runtime, ctx.emit))]


class _TransferBehaviour(Behaviour):
    def __init__(self, sender: Sender) -> None:
        self.protocols = {
            PROTOCOL_ID: InboundProtocol(
                sender.serve,
                max_streams_per_peer=_MAX_STREAMS_PER_PEER,
                max_streams=_MAX_STREAMS,
            )
        }
