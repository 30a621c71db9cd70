"""RPCs of any content, for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from peerloom_gossipsub._decode import decode_message
from peerloom_gossipsub._encode import encode_message, encode_signature
from peerloom_gossipsub._rpc import ExchangedPeer, IHave, Prune, Rpc, Subscription

TOPICS = st.text(min_size=0, max_size=12)
IDS = st.binary(min_size=1, max_size=60)
SMALL = st.binary(max_size=40)


@st.composite
def messages(draw):
    fields = [draw(st.none() | SMALL) for _ in range(2)]
    raw = encode_message(draw(TOPICS), draw(st.binary(max_size=300)), *fields)
    if draw(st.booleans()):
        raw += encode_signature(draw(SMALL), draw(st.none() | SMALL))
    return decode_message(raw)


PEERS = st.builds(ExchangedPeer, st.binary(min_size=1, max_size=40), st.none() | SMALL)
PRUNES = st.builds(
    Prune, TOPICS, st.none() | st.integers(0, 2**64 - 1), st.lists(PEERS, max_size=3)
)
IHAVES = st.builds(IHave, TOPICS, st.lists(IDS, min_size=1, max_size=5))
RPCS = st.builds(
    Rpc,
    subscriptions=st.lists(st.builds(Subscription, TOPICS, st.booleans()), max_size=4),
    messages=st.lists(messages(), max_size=4),
    ihave=st.lists(IHAVES, max_size=3),
    iwant=st.lists(IDS, max_size=5),
    graft=st.lists(TOPICS, max_size=3),
    prune=st.lists(PRUNES, max_size=3),
    idontwant=st.lists(IDS, max_size=5),
)
