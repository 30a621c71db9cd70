"""The plugins that Peerloom itself offers, known also where they are not installed: for advice."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Collection


@frozen
class KnownPlugin:
    """One of ours.

    Attributes:
        name: its name.
        summary: what it does, in a few words.
        provides: its capabilities.
        words: the words that it adds to the command line.
        to_come: whether it is still to be written. Nobody is told to install what does not exist:
            its name is free for others to take.
    """

    name: str
    summary: str
    provides: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    to_come: bool = False

    @property
    def distribution(self) -> str:
        """What pip installs."""
        return f"peerloom-{self.name}"

    @property
    def package(self) -> str:
        """What a program imports."""
        return f"peerloom_{self.name}"

    @property
    def remedy(self) -> str:
        """Where it comes from, and how to get it."""
        if self.to_come:
            return f"{self.distribution}, which is still to come"
        return f"{self.distribution}: pip install {self.distribution}"


KNOWN_PLUGINS: Final = (
    KnownPlugin("autonat", "finds out whether others can reach this node", to_come=True),
    KnownPlugin(
        "dcutr", "turns relayed connections into direct ones", ("hole-punching",), to_come=True
    ),
    KnownPlugin(
        "gossipsub",
        "publishes to topics and hears them",
        ("pubsub",),
        words=("chat", "pub", "sub"),
    ),
    KnownPlugin(
        "kad",
        "finds peers, providers and values by Kademlia",
        ("peer-discovery", "peer-routing", "content-routing"),
        to_come=True,
    ),
    KnownPlugin("mdns", "finds peers on the local network", ("peer-discovery",), to_come=True),
    KnownPlugin(
        "relay",
        "reaches peers behind NATs through others, and serves them",
        ("relay",),
        to_come=True,
    ),
    KnownPlugin(
        "rendezvous",
        "finds peers by name at rendezvous points, and is one",
        ("peer-discovery",),
        to_come=True,
    ),
    KnownPlugin("stream", "streams between two peers: messages, or plain bytes", ("streams",)),
)


def known_plugin(name: str) -> KnownPlugin | None:
    """The one of that name."""
    return next((one for one in KNOWN_PLUGINS if one.name == name), None)


def plugin_of_package(package: str) -> KnownPlugin | None:
    """The one whose modules stand in that package."""
    return next((one for one in KNOWN_PLUGINS if one.package == package), None)


def plugin_of_word(word: str) -> KnownPlugin | None:
    """The one that adds that word to the command line, or is called like it."""
    return next((one for one in KNOWN_PLUGINS if word in (*one.words, one.name)), None)


def providers_of(capability: str) -> tuple[KnownPlugin, ...]:
    """Those that provide it."""
    return tuple(one for one in KNOWN_PLUGINS if capability in one.provides)


@cache  # also asked by dials that wait; what is installed changes while no process runs
def is_installed(distribution: str) -> bool:
    """Whether the distribution is there."""
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True


def name_advice(name: str, available: Collection[str]) -> str:
    """For whoever wrote a name that nothing has: what was meant, or what to install."""
    ours = {one.name: one for one in KNOWN_PLUGINS if one.name not in available}
    near = get_close_matches(name, sorted({*available, *ours}), n=1)
    if not near:
        return f"there are {', '.join(sorted(available)) or 'none'}"
    [found] = near
    if found == name:
        return f"it comes with {ours[found].remedy}"
    where = f" It comes with {ours[found].remedy}" if found in ours else ""
    return f"did you mean {found}?{where}"
