"""Why the system lets nobody listen at an address, with what to do about it."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from peerloom._errors import ListenFailed

if TYPE_CHECKING:
    from multiaddr import Multiaddr

_REASONS: Final = {
    errno.EADDRNOTAVAIL: (
        "this machine has no such address; /ip4/0.0.0.0 and /ip6/:: stand for all that it has"
    ),
    errno.EACCES: "this user may not have that port; one from 1024 on is for everybody",
}


def cannot_listen(address: Multiaddr, error: OSError) -> ListenFailed:
    """What tells of an error of the system."""
    reason = _REASONS.get(error.errno or 0) or error.strerror or str(error)
    return ListenFailed(address, reason, port_taken=error.errno == errno.EADDRINUSE)
