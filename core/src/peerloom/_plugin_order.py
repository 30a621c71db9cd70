"""The start order of plugins: by name, then so that providers come before those who need them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._known_plugins import providers_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ._hookspecs import PluginInfo


def start_order(infos: Iterable[PluginInfo]) -> tuple[list[str], dict[str, str]]:
    """The names in start order; and those that cannot start, each with the cause.

    `requires` is hard: a capability that no plugin provides, or a circle, leaves a plugin out.
    `after` is a wish, and is dropped where it would close a circle.
    """
    usable = {info.name: info for info in sorted(infos, key=lambda info: info.name)}
    refused: dict[str, str] = {}
    while True:
        order, stuck = _walk(usable)
        causes = _lacking(usable) or _circle(usable, stuck)
        if not causes:
            return order, refused
        refused |= causes
        for name in causes:
            del usable[name]


def _walk(usable: Mapping[str, PluginInfo]) -> tuple[list[str], list[str]]:
    """What can start, in order; and what waits for ever."""
    order: list[str] = []
    waiting = list(usable)
    while waiting:
        here = {name: usable[name] for name in waiting}
        ready = _first(here, with_wishes=True) or _first(here, with_wishes=False)
        if ready is None:
            break
        order.append(ready)
        waiting.remove(ready)
    return order, waiting


def _first(waiting: Mapping[str, PluginInfo], *, with_wishes: bool) -> str | None:
    for name, info in waiting.items():
        wanted = info.requires | frozenset(info.after if with_wishes else ())
        if not _providers(wanted, waiting, name):
            return name
    return None


def _providers(
    wanted: Iterable[str], plugins: Mapping[str, PluginInfo], but: str
) -> tuple[str, ...]:
    needed = frozenset(wanted)
    return tuple(name for name, info in plugins.items() if name != but and info.provides & needed)


def _lacking(usable: Mapping[str, PluginInfo]) -> dict[str, str]:
    provided = frozenset[str]().union(*(info.provides for info in usable.values()))
    return {
        name: _lacks(sorted(info.requires - provided))
        for name, info in usable.items()
        if info.requires - provided
    }


def _lacks(capabilities: Sequence[str]) -> str:
    offers = [
        f"{one.distribution}{' (still to come)' if one.to_come else ''}"
        for name in capabilities
        for one in providers_of(name)
    ]
    return (
        f"it requires {', '.join(capabilities)}, which no active plugin provides: install or "
        f"enable one that does{', such as ' if offers else ''}{' or '.join(offers)}"
    )


def _circle(usable: Mapping[str, PluginInfo], stuck: Iterable[str]) -> dict[str, str]:
    """Those of the stuck ones that wait for themselves; not those that wait for them."""
    needs = {name: _providers(usable[name].requires, usable, name) for name in stuck}
    return {
        name: f"it requires, through others, itself: {' → '.join(_way_back(name, needs))}"
        for name in needs
        if _way_back(name, needs)
    }


def _way_back(start: str, needs: Mapping[str, tuple[str, ...]]) -> list[str]:
    """A shortest path from a plugin to itself along its needs, or nothing."""
    paths = [[start]]
    seen: set[str] = set()
    for path in paths:
        for name in needs.get(path[-1], ()):
            if name == start:
                return [*path, start]
            if name not in seen:
                seen.add(name)
                paths.append([*path, name])
    return []
