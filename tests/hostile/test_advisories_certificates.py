"""GHSA-5hq8-qhww-jm7q: a bad certificate made rust-libp2p's QUIC panic behind the handshake."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from peerloom import IncomingConnectionFailed
from peerloom._errors import HandshakeFailed, PeerloomError
from peerloom._links import DialOptions, Role
from peerloom._transports import QuicSettings, QuicTransport
from peerloom._transports._quic_aioquic import AioquicEngines
from peerloom._transports._quic_credentials import Credentials
from tests.core.certificate_kit import Recipe, bad_recipes, bake, build
from tests.core.quic_kit import ENGINES
from tests.core.security_kit import ALICE, RUNTIME
from tests.core.tls_stranger import Stranger
from tests.hostile.siege import measured, siege
from tests.hostile.strangers import show_certificate
from tests.hostile.ways import TCP_TLS

if TYPE_CHECKING:
    from aioquic.quic.configuration import QuicConfiguration

    from tests.hostile.siege import Siege
    from tests.hostile.ways import Way

FAULTS = bad_recipes()


@pytest.mark.parametrize("fault", FAULTS)
async def test_ghsa_5hq8_qhww_jm7q_a_bad_certificate_is_refused_and_named_by_tls(
    fault: str,
) -> None:
    recipe, reason = FAULTS[fault]
    async with siege(TCP_TLS) as scene:
        cause = await refusal(scene, [recipe], recipe)
        assert reason in str(cause)


@pytest.mark.parametrize("number", [0, 2])
async def test_ghsa_5hq8_qhww_jm7q_none_or_two_certificates_are_refused_by_tls(
    number: int,
) -> None:
    good = Recipe()
    async with siege(TCP_TLS) as scene:
        cause = await refusal(scene, [good, Recipe()][:number], good)
        assert "certificate" in str(cause)


async def refusal(scene: Siege, chain: list[Recipe], own: Recipe) -> BaseException:
    stranger = Stranger(
        Role.DIALER, [build(each) for each in chain], own.key, alpn=[b"/yamux/1.0.0"]
    )
    async with (
        measured(scene),
        scene.node.client.events(IncomingConnectionFailed) as events,
    ):
        await show_certificate(scene, stranger)
        cause = await refused(events)
    assert (await scene.swarm())["failed_accepts_by"] == {"HandshakeFailed": 1}
    return cause


async def refused(events: Any) -> BaseException:
    with anyio.fail_after(10):
        cause = (await anext(events)).cause
    assert isinstance(cause, HandshakeFailed), cause
    return cause


@pytest.mark.parametrize("fault", FAULTS)
async def test_ghsa_5hq8_qhww_jm7q_a_bad_certificate_is_refused_and_named_by_quic(
    fault: str, quic_way: Way
) -> None:
    recipe, reason = FAULTS[fault]
    key: Any = recipe.key
    credentials = Credentials(build(recipe), key, RUNTIME)
    engines = ENGINES[quic_way.engine or "qh3"](credentials, QuicSettings())
    async with siege(quic_way) as scene:
        cause = await refusal_by_quic(scene, engines)
        # What TLS itself cannot verify, its library refuses without a word of ours.
        assert reason in str(cause) or "decrypt" in str(cause)


class Showing(AioquicEngines):
    """Shows these certificates, whatever they are."""

    def __init__(self, *chain: bytes) -> None:
        self._chain = [Raw(der) for der in chain]
        super().__init__(Credentials.of(ALICE, RUNTIME), QuicSettings())

    def _configuration(self, *, is_client: bool) -> QuicConfiguration:
        configuration: Any = super()._configuration(is_client=is_client)
        first, *rest = [*self._chain, None]
        configuration.certificate = first
        configuration.certificate_chain = [each for each in rest if each]
        return configuration


class Raw:
    """Bytes in the place of a certificate."""

    def __init__(self, der: bytes) -> None:
        self._der = der

    def public_bytes(self, encoding: Encoding) -> bytes:
        assert encoding is Encoding.DER
        return self._der


GOOD = bake(Recipe())
CHAINS = {
    "none": (),
    "two": (GOOD, GOOD),
    "garbage": (bytes(range(200)),),
    "DER of a wrong length": (b"\x30\x84\xff\xff\xff\xff" + GOOD[4:],),
    "cut short": (GOOD[:-20],),
    "bytes behind it": (GOOD + b"\0",),
    "nothing in it": (b"",),
    "three": (GOOD,) * 3,
}


@pytest.mark.parametrize("chain", CHAINS)
async def test_ghsa_5hq8_qhww_jm7q_what_is_no_certificate_is_refused_by_quic(
    chain: str, quic_way: Way
) -> None:
    async with siege(quic_way) as scene:
        await refusal_by_quic(scene, Showing(*CHAINS[chain]))


async def refusal_by_quic(scene: Siege, engines: Any) -> BaseException:
    bare = scene.address.decapsulate_code(421)
    async with (
        measured(scene),
        scene.node.client.events(IncomingConnectionFailed) as events,
        anyio.create_task_group() as tasks,
    ):
        dialling = QuicTransport(ALICE, RUNTIME, tasks.start_soon, engines=engines)
        with suppress(PeerloomError):
            await dialling.dial(bare, DialOptions())
        cause = await refused(events)
        tasks.cancel_scope.cancel()
    assert (await scene.swarm())["failed_accepts_by"] == {"HandshakeFailed": 1}
    return cause
