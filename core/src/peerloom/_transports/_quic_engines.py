"""Which QUIC engine a node uses: qh3 if it proves itself here, else aioquic."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ._quic_credentials import Credentials
from ._quic_selftest import SelfTestFailed, prove

if TYPE_CHECKING:
    from peerloom._libp2p import KeyPair
    from peerloom._runtime import Runtime

    from ._quic_engine import QuicEngines
    from ._quic_settings import QuicSettings

logger = logging.getLogger("peerloom.quic")


async def choose_engines(
    identity: KeyPair, runtime: Runtime, settings: QuicSettings
) -> QuicEngines:
    """Engines that have just proven themselves, chosen off the loop: imports and keys take time."""
    return await runtime.offload(lambda: engines_for(Credentials.of(identity, runtime), settings))


def engines_for(credentials: Credentials, settings: QuicSettings) -> QuicEngines:
    """qh3's engines, or aioquic's, which are slower, if qh3 is missing or not as we know it."""
    _quieten()
    try:
        from ._quic_qh3_engine import Qh3Engines  # noqa: PLC0415 - may fail, and aioquic serves

        engines = Qh3Engines(credentials, settings)
        prove(engines)
    except (ImportError, SelfTestFailed, AttributeError, TypeError) as error:
        from ._quic_aioquic import AioquicEngines  # noqa: PLC0415

        fallback = AioquicEngines(credentials, settings)
        logger.warning(
            "qh3 cannot be used here (%s): QUIC runs on %s, which is slower. Install qh3>=2.1,<2.2",
            error,
            fallback.name,
        )
        return fallback
    return engines


def _quieten() -> None:
    """Both libraries log what any stranger sends as warnings of ours."""
    log = logging.getLogger("quic")
    if log.level == logging.NOTSET:
        log.setLevel(logging.CRITICAL)
