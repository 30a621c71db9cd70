"""Plugins: found one by one, judged, put in order; a broken one is listed and left out."""

from __future__ import annotations

import logging
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, entry_points, version
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from ._errors import PluginError, describe
from ._hookspecs import ENTRY_POINT_GROUP
from ._isolation import PlainSeam, without_exit
from ._judgement import judge
from ._plugin_order import start_order

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from importlib.metadata import EntryPoint

    from ._config import ConfigSection
    from ._hooks import PluginHooks
    from ._hookspecs import PluginInfo

_log = logging.getLogger("peerloom.plugins")


@frozen
class Candidate:
    """What may be a plugin, not loaded yet.

    Attributes:
        name: the plugin's name: the entry point's.
        distribution: where it comes from.
        version: of the distribution.
        load: gives the plugin object, or raises.
    """

    name: str
    distribution: str
    version: str
    load: Callable[[], object]

    @property
    def label(self) -> str:
        """For people."""
        return f"{self.name} ({self.distribution} {self.version})".replace(" )", ")")


@frozen(eq=False)
class LoadedPlugin:
    """A plugin that was judged and can be used.

    Attributes:
        plugin: the object.
        info: what it says of itself.
        hooks: what it implements.
        sections: its settings.
        distribution: where it comes from.
        version: of the distribution.
        label: its name with these, for people.
    """

    plugin: object
    info: PluginInfo
    hooks: PluginHooks
    sections: tuple[ConfigSection, ...]
    distribution: str
    version: str
    label: str

    @property
    def name(self) -> str:
        """Its name."""
        return self.info.name


@frozen
class BrokenPlugin:
    """A plugin that cannot be used.

    Attributes:
        name: its name, as far as it is known.
        distribution: where it comes from.
        version: of the distribution.
        cause: what is wrong with it.
    """

    name: str
    distribution: str
    version: str
    cause: str

    def __str__(self) -> str:
        label = Candidate(self.name, self.distribution, self.version, object).label
        return f"Plugin {label} is not used: {self.cause}. The node goes on without it."


@frozen
class Inventory:
    """The plugins of a node.

    Attributes:
        plugins: those that are used, in start order.
        broken: those that cannot be used.
        left_out: those that were switched off, with who said so.
    """

    plugins: tuple[LoadedPlugin, ...] = ()
    broken: tuple[BrokenPlugin, ...] = ()
    left_out: Mapping[str, str] = field(factory=dict)


def installed_candidates(found: Iterable[EntryPoint] | None = None) -> tuple[Candidate, ...]:
    """Every entry point of the group ``peerloom.plugins``, by name; loads none."""
    points = entry_points(group=ENTRY_POINT_GROUP) if found is None else found
    candidates = [_candidate_of(point) for point in points]
    return tuple(sorted(candidates, key=lambda one: (one.name, one.distribution)))


def given_candidate(plugin: object, distribution: str | None = None) -> Candidate:
    """A plugin object that is at hand: core's own (name the distribution), or an embedder's."""
    info = getattr(plugin, "info", None)
    name = str(getattr(info, "name", type(plugin).__name__))
    if distribution is None:
        return Candidate(
            name, f"given to the node, from {type(plugin).__module__}", "", lambda: plugin
        )
    return Candidate(name, distribution, _version(distribution), lambda: plugin)


def core_candidate(name: str) -> Candidate:
    """Stands for one of core's own plugins where only its name matters."""
    return Candidate(name, "peerloom", _version("peerloom"), object)


def load_plugins(
    candidates: Sequence[Candidate],
    left_out: Mapping[str, str] | None = None,
    reserved_sections: Collection[str] = (),
    elsewhere: Iterable[Candidate] = (),
) -> Inventory:
    """Load, judge and order; raises nothing that a plugin raises.

    Of two that claim one name, section or exclusive capability the earlier candidate has it, and
    the other is broken. `left_out` are the names that are not even imported; those of `elsewhere`
    are taken by plugins that are not loaded here.
    """
    skipped = dict(left_out or {})
    gathering = _Gathering(reserved_sections, elsewhere)
    for candidate in candidates:
        if candidate.name not in skipped:
            gathering.take(candidate)
    return gathering.inventory(skipped)


def extend_cli(app: Any, plugins: Iterable[LoadedPlugin]) -> tuple[BrokenPlugin, ...]:
    """Let plugins add commands to a typer app; gives those that raised or took a taken word.

    Each is given an app of its own, which is built once to see that it can be: one that fails
    has added nothing.
    """
    speaking = [plugin for plugin in plugins if "peerloom_cli" in plugin.hooks]
    owners = dict.fromkeys(_cli_words(app) if speaking else (), "peerloom itself")
    broken: list[BrokenPlugin] = []
    for plugin in speaking:
        with PlainSeam(partial(_note_broken, broken, plugin)):
            _add_commands(app, plugin, owners)
    return tuple(broken)


def _add_commands(app: Any, plugin: LoadedPlugin, owners: dict[str, str]) -> None:
    part = type(app)()
    plugin.hooks.cli(part)
    words = _cli_words(part)
    for word in words:
        if word in owners:
            raise PluginError(f"it adds the command {word}, which {owners[word]} has")
    owners |= dict.fromkeys(words, f"plugin {plugin.label}")
    app.registered_commands += part.registered_commands
    app.registered_groups += part.registered_groups


def _note_broken(broken: list[BrokenPlugin], plugin: LoadedPlugin, error: BaseException) -> None:
    broken.append(BrokenPlugin(plugin.name, plugin.distribution, plugin.version, _cause(error)))


class _Gathering:
    def __init__(self, reserved_sections: Collection[str], elsewhere: Iterable[Candidate]) -> None:
        self._claimed = {candidate.name: candidate for candidate in elsewhere}
        self._loaded: dict[str, LoadedPlugin] = {}
        self._broken: list[BrokenPlugin] = []
        self._sections = dict.fromkeys(reserved_sections, "peerloom itself")

    def take(self, candidate: Candidate) -> None:
        """Load one; whatever it raises makes it broken."""
        with PlainSeam(lambda error: self._refuse(candidate, _cause(error))):
            other = self._claimed.setdefault(candidate.name, candidate)
            if other is not candidate:
                raise PluginError(
                    f"plugin {other.label} has the same name: uninstall one of the two"
                )
            loaded = _load(candidate)
            self._check_conflicts(loaded)
            self._sections |= {one.name: f"plugin {loaded.label}" for one in loaded.sections}
            self._loaded[loaded.name] = loaded

    def inventory(self, left_out: Mapping[str, str]) -> Inventory:
        """What came of it."""
        order, refused = start_order(one.info for one in self._loaded.values())
        for name, cause in refused.items():
            self._refuse(self._claimed[name], cause)
        return Inventory(tuple(self._loaded[name] for name in order), tuple(self._broken), left_out)

    def _check_conflicts(self, new: LoadedPlugin) -> None:
        for section in new.sections:
            owner = self._sections.get(section.name)
            if owner is not None:
                raise PluginError(f"it reads the section [{section.name}], which {owner} reads")
        for other in self._loaded.values():
            shared = _exclusive_conflict(new.info, other.info)
            if shared:
                raise PluginError(
                    f"plugin {other.label} provides {', '.join(shared)} as well, and only one "
                    "may: leave one of the two out"
                )

    def _refuse(self, candidate: Candidate, cause: str) -> None:
        broken = BrokenPlugin(candidate.name, candidate.distribution, candidate.version, cause)
        _log.debug("%s", broken, exc_info=True)
        self._broken.append(broken)


def _load(candidate: Candidate) -> LoadedPlugin:
    plugin = candidate.load()
    info, hooks = judge(plugin, candidate.name)
    return LoadedPlugin(
        plugin,
        info,
        hooks,
        hooks.config_sections(),
        candidate.distribution,
        candidate.version,
        candidate.label,
    )


def _exclusive_conflict(one: PluginInfo, other: PluginInfo) -> list[str]:
    ours, theirs = one.provides | one.exclusive, other.provides | other.exclusive
    return sorted((ours & other.exclusive) | (theirs & one.exclusive))


def _candidate_of(point: EntryPoint) -> Candidate:
    distribution = point.dist
    if distribution is None:
        return Candidate(point.name, f"unknown distribution of {point.value}", "", point.load)
    return Candidate(point.name, distribution.name, distribution.version, point.load)


@cache  # a node asks for each of its plugins
def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:  # run from a source tree
        return ""


def _cause(error: BaseException) -> str:
    """One paragraph: an error of ours speaks for itself, any other is named."""
    text = str(error) if isinstance(error, PluginError) else describe(without_exit(error))
    return " ".join(text.split()).rstrip(".")


def _cli_words(app: Any) -> list[str]:
    """What it answers to, as typer sees it: a group without a name stands for its commands."""
    from typer.main import get_group  # noqa: PLC0415 - nodes in programs have no command line

    return list(get_group(app).commands)
