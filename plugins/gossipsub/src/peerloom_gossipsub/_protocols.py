"""The protocol ids of gossipsub, newest first. Source: libp2p/specs, gossipsub."""

from __future__ import annotations

from typing import Final

from ._actions import Version

VERSIONS: Final = {
    "/meshsub/1.2.0": Version.V1_2,
    "/meshsub/1.1.0": Version.V1_1,
    "/meshsub/1.0.0": Version.V1_0,
}
PROTOCOLS: Final = tuple(VERSIONS)
"""The protocol ids of gossipsub that are spoken, the newest first."""
