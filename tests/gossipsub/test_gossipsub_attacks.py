"""What a peer may say by hand, and what it costs: in virtual time, beside a peer of good will."""

from __future__ import annotations

from contextlib import asynccontextmanager

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from peerloom import KeyPair, Lagged, StreamError
from peerloom_gossipsub import Message, PeerSubscribed, PeerUnsubscribed, SigningPolicy
from peerloom_gossipsub._decode import decode_message
from peerloom_gossipsub._encode import encode_message, encode_rpc, encode_signature, framed
from peerloom_gossipsub._gossip import MAX_ASKED_IDS, MAX_IHAVE_RPCS, RETRANSMISSIONS
from peerloom_gossipsub._rpc import IHave, Prune, Subscription
from peerloom_gossipsub._signing import Publisher, signed_bytes
from tests.gossipsub.foreign import MESHSUB, Ear, say
from tests.gossipsub.rpcs import RPCS
from tests.gossipsub.simulated import (
    Foreigner,
    bare,
    beats,
    counts,
    heard,
    listening,
    report,
    simulate,
)

OFFENCES_TO_GRAYLIST = 8  # each GRAFT at once after a PRUNE counts twice: (2 * 8 - 6)² > 80
INVALID_TO_GRAYLIST = 9  # 9² > 80


class Scene:
    """A node, somebody who attacks it, and somebody else."""

    def __init__(self, node, client, foe, friend, record):
        self.node = node
        self.client = client
        self.foe = foe
        self.friend = friend
        self.record = record

    async def counts(self):
        return await counts(self.node)

    def data(self):
        return [event.data for event in self.record.of(Message)]


@asynccontextmanager
async def attacked(network, **settings):
    """At the end the node still hears its friend, and is heard."""
    node, client = await listening(network, **settings)
    friend, at_friend = await listening(network, **settings)
    await friend.dial(node)
    with heard(node) as record, heard(friend) as echo:
        foe = await Foreigner.beside(network, node)
        await beats(2)
        yield Scene(node, client, foe, at_friend, record)
        await at_friend.publish("news", b"from a friend")
        await client.publish("news", b"to a friend")
        await beats(1)
        assert [event.data for event in record.of(Message)].count(b"from a friend") == 1
        assert [event.data for event in echo.of(Message)].count(b"to a friend") == 1
        report = (await node.client.status())["plugins"]["gossipsub"]
        assert (report["state"], report["failures"]) == ("running", 0)


def stranger(key_type="ed25519"):
    return Publisher(KeyPair.generate(key_type), SigningPolicy.STRICT_SIGN, 1)


def forged(message):
    """The same, with a signature that is none."""
    start, _ = message.unsigned
    return decode_message(message.raw[:start] + encode_signature(bytes(64), message.key))


@pytest.mark.parametrize("backoff", [None, 0, 1, 2**31, 2**63 - 1 - 1000, 2**64 - 1])
def test_advisory_13_no_backoff_lasts_longer_than_an_hour(anyio_backend, backoff):
    async def scenario(network):
        async with attacked(network) as scene:
            await scene.foe.ear.next("graft")
            await scene.foe.say(prune=[Prune("news", backoff)])
            pruned_at = network.now
            await scene.foe.ear.next("graft")
            waited = network.now - pruned_at
            await beats(200)
            return waited

    least = min(backoff or 60, 3600)
    assert least <= simulate(anyio_backend, scenario) <= least + 3


def test_advisory_14_grafts_of_unknown_topics_are_counted_and_not_answered(anyio_backend):
    async def scenario(network):
        async with attacked(network) as scene:
            for number in range(20):
                await scene.foe.say(graft=[f"topic {number} {each}" for each in range(500)])
            await beats(1)
            await scene.client.publish("news", b"anything")
            await scene.foe.ear.next("messages")
            assert not any(rpc.prune for rpc in scene.foe.ear.waiting)
            assert (await scene.counts())["graft of another topic"] == 20 * 500
            assert await scene.client.mesh_stats() == {"news": 2}

    simulate(anyio_backend, scenario)


@pytest.mark.parametrize("key_type", ["ed25519", "secp256k1", "ecdsa", "rsa"])
def test_advisory_18_a_forged_author_is_refused_and_the_true_one_is_heard(anyio_backend, key_type):
    victim, forger = KeyPair.generate(key_type), KeyPair.generate(key_type)
    true = Publisher(victim, SigningPolicy.STRICT_SIGN, 7).make("news", b"true")
    content = encode_message("news", b"forged", bytes(victim.peer_id), true.sequence)
    signature = forger.sign(signed_bytes(decode_message(content)))
    keys = [forger.public_key.to_protobuf(), victim.public_key.to_protobuf(), None]
    lies = [decode_message(content + encode_signature(signature, key)) for key in keys]

    async def scenario(network):
        async with attacked(network) as scene:
            await scene.foe.say(messages=[*lies, true])
            await beats(1)
            assert scene.data() == [b"true"]
            invalid = {c: n for c, n in (await scene.counts()).items() if "invalid" in c}
            assert invalid.pop("message invalid: key of somebody else") == 1
            assert sum(invalid.values()) == 2

    simulate(anyio_backend, scenario)


def test_advisory_19_what_was_in_a_stream_that_is_reset_is_told_of_again(anyio_backend):
    async def scenario(network):
        async with attacked(network) as scene:
            sent = [bytes([number]) for number in range(20)]
            for data in sent:
                await scene.client.publish("news", data)
            scene.foe.ear.stream.reset()  # before anything of it was read
            broken_at = network.now
            ear = scene.foe.ear = Ear(await scene.foe.plugin.stream(1))
            told = (await ear.next("ihave")).ids
            assert network.now - broken_at <= 2  # a heartbeat, and the way there
            await scene.foe.say(iwant=told)
            assert {each.data for each in await ear.all("messages")} == set(sent)

    simulate(anyio_backend, scenario)


def test_a_replay_is_heard_once_while_its_id_is_remembered_and_again_after_that(anyio_backend):
    message = stranger().make("news", b"again")

    async def scenario(network):
        async with attacked(network, seen_seconds=20.0) as scene:
            for _ in range(100):
                await scene.foe.say(messages=[message])
            await beats(10)
            await scene.foe.say(messages=[message] * 100)
            await beats(1)
            assert scene.data() == [b"again"]
            assert (await scene.counts())["message repeated"] == 199
            await beats(10)
            await scene.foe.say(messages=[message])
            await beats(1)
            assert scene.data() == [b"again"] * 2

    simulate(anyio_backend, scenario)


def test_one_message_is_given_three_times_however_often_it_is_asked_for(anyio_backend):
    async def scenario(network):
        async with attacked(network) as scene:
            message_id = (await scene.client.publish("news", b"wanted")).message_id
            for _ in range(100):
                await scene.foe.say(iwant=[message_id])
            await beats(1)
            assert (await scene.counts())["iwant in vain"] == 100 - RETRANSMISSIONS
            await scene.client.publish("news", b"last")
            while (await scene.foe.ear.next("messages")).data != b"last":
                pass
            answers = [rpc for rpc in scene.foe.ear.waiting if rpc.messages]
            return len(answers)

    assert simulate(anyio_backend, scenario) == 0


def test_announcements_of_nothing_are_asked_for_up_to_a_bound_and_then_ignored(anyio_backend):
    async def scenario(network):
        async with attacked(network) as scene:
            for beat in range(20):
                for rpc in range(2 * MAX_IHAVE_RPCS):
                    ids = [b"%d %d %d" % (beat, rpc, each) for each in range(1000)]
                    await scene.foe.say(ihave=[IHave("news", ids)])
                await beats(1)
            counted = await scene.counts()
            assert counted["ihave too often"] >= 3 * MAX_IHAVE_RPCS
            assert counted["promise broken"] >= 10
            assert counted["ihave of a bad peer"] + counted["rpc of a graylisted peer"] > 0
            asked = 0
            with anyio.move_on_after(1):
                while True:
                    asked += len(await scene.foe.ear.all("iwant"))
            assert 0 < asked <= 5 * MAX_ASKED_IDS

    simulate(anyio_backend, scenario)


def test_grafts_within_backoff_are_pruned_and_punished_until_nobody_listens(anyio_backend):
    async def scenario(network):
        async with attacked(network) as scene:
            await scene.foe.say(prune=[Prune("news", 60)])
            for _ in range(100):
                await scene.foe.say(graft=["news"])
            await beats(1)
            counted = await scene.counts()
            assert counted["graft within backoff"] == OFFENCES_TO_GRAYLIST
            assert counted["rpc of a graylisted peer"] == 100 - OFFENCES_TO_GRAYLIST
            assert scene.foe.other.peer_id not in await scene.client.mesh_peers("news")

    simulate(anyio_backend, scenario)


def test_invalid_messages_are_verified_until_their_bringer_is_graylisted(anyio_backend):
    publisher = stranger()

    async def scenario(network):
        async with attacked(network) as scene:
            spoilt = [forged(publisher.make("news", b"spam")) for _ in range(100)]
            await scene.foe.say(messages=spoilt)
            await beats(1)
            counted = await scene.counts()
            assert counted["message invalid: wrong signature"] == INVALID_TO_GRAYLIST
            assert counted["message of a graylisted peer"] == 100 - INVALID_TO_GRAYLIST
            assert scene.data() == []

    simulate(anyio_backend, scenario)


def test_a_graylisted_peer_that_comes_back_is_still_graylisted(anyio_backend):
    async def scenario(network):
        async with attacked(network) as scene:
            other = scene.foe.other
            for _ in range(2):
                await scene.foe.voice.send(framed(b"\xff" * 100))
                await beats(1)
                await scene.foe.speak_anew()
            await other.client.disconnect(scene.node.peer_id)
            await beats(5)
            await other.dial(scene.node)
            await scene.foe.speak_anew()
            await scene.foe.say(messages=[stranger().make("news", b"valid")])
            await beats(1)
            assert scene.data() == []
            counted = await scene.counts()
            assert (counted["rpc malformed"], counted["rpc of a graylisted peer"]) == (2, 1)

    simulate(anyio_backend, scenario)


def test_subscriptions_of_a_peer_are_kept_up_to_a_bound(anyio_backend):
    async def scenario(network):
        async with attacked(network, max_topics_per_peer=50) as scene:
            topics = [f"topic {number}" for number in range(2000)]
            await scene.foe.say(
                subscriptions=[Subscription(each, subscribed=True) for each in topics]
            )
            await beats(1)
            kept = [each for each in topics if await scene.client.subscribed_peers(each)]
            assert len(kept) == 50 - 1  # and our own topic
            counted = await scene.counts()
            refused = counted["subscriptions of a peer too many"]
            assert refused + counted["subscription changes too many"] == 2000 - 49

    simulate(anyio_backend, scenario)


def test_a_message_past_the_bound_costs_nobody_else_anything(anyio_backend):
    publisher = stranger()

    async def scenario(network):
        async with attacked(network, max_message_bytes=10_000) as scene:
            messages = [publisher.make("news", bytes(size)) for size in (20_000, 100)]
            await scene.foe.say(messages=messages)
            await beats(1)
            assert scene.data() == [bytes(100)]
            assert (await scene.counts())["message too large left out"] == 1

    simulate(anyio_backend, scenario)


def test_a_peer_that_takes_no_streams_is_not_talked_to_in_vain(anyio_backend):
    async def scenario(network):
        async with attacked(network) as scene:
            deaf = await bare(network).start()
            await deaf.dial(scene.node)
            voice = await deaf.client.open_stream(scene.node.peer_id, MESHSUB)
            await say(voice, subscriptions=[Subscription("news", subscribed=True)])
            await beats(3)
            waiting = (await report(scene.node))["waiting_bytes"]
            await beats(100)
            assert (await report(scene.node))["waiting_bytes"] == waiting > 0

    simulate(anyio_backend, scenario)


@pytest.mark.parametrize("foes", [1, 6])
def test_a_flood_of_subscriptions_neither_ends_the_plugin_nor_drowns_messages(anyio_backend, foes):
    topics = [f"topic {number}" for number in range(1000)]
    words = [Subscription(each, flag) for flag in (True, False) for each in topics]

    async def scenario(network):
        async with attacked(network) as scene:
            flooders = [await Foreigner.beside(network, scene.node) for _ in range(foes)]
            await beats(1)
            async with scene.node.client.events(Message, PeerSubscribed, PeerUnsubscribed) as news:
                for flooder in flooders:
                    await flooder.say(subscriptions=words)
                await scene.friend.publish("news", b"in a flood")
                seen: list[bytes | None] = []
                while b"in a flood" not in seen or seen.count(None) < foes * len(words):
                    event = await anext(news)
                    assert not isinstance(event, Lagged)
                    seen.append(event.data if isinstance(event, Message) else None)

    simulate(anyio_backend, scenario)


# -- anything at all

INSERTIONS = st.tuples(st.just("insert"), st.integers(0, 2000), st.binary(min_size=1, max_size=8))
CHANGES = st.tuples(st.just("change"), st.integers(0, 2000), st.binary(min_size=1, max_size=1))
CUTS = st.tuples(st.just("cut"), st.integers(0, 2000), st.integers(1, 20).map(bytes))


@st.composite
def frames(draw):
    """RPCs of any content, some with a few bytes changed, put in or left out."""
    frame = b"".join(map(framed, encode_rpc(draw(RPCS))))
    for kind, at, content in draw(st.lists(INSERTIONS | CHANGES | CUTS, max_size=3)):
        place = at % (len(frame) + 1)
        rest = place if kind == "insert" else place + len(content)
        frame = frame[:place] + (b"" if kind == "cut" else content) + frame[rest:]
    return frame


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(frames() | st.binary(max_size=200), min_size=1, max_size=20))
def test_whatever_a_peer_sends_the_node_lives_and_hears_others(anyio_backend, said):
    async def scenario(network):
        async with attacked(network) as scene:
            for frame in said:
                try:
                    await scene.foe.voice.send(frame)
                    await beats(1)
                except StreamError:
                    await scene.foe.speak_anew()

    simulate(anyio_backend, scenario)
