"""Plugins are found one by one, judged before registration, ordered, and left out with a cause."""

from __future__ import annotations

from contextlib import asynccontextmanager
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

import pytest
from attrs import frozen

from peerloom._behaviour import Behaviour
from peerloom._config import ConfigSection, PluginSelection
from peerloom._errors import ConfigError, PluginError
from peerloom._hookspecs import API_LEVEL, Hooks, PluginInfo
from peerloom._judgement import judge
from peerloom._plugin_order import start_order
from peerloom._plugins import (
    Candidate,
    core_candidate,
    given_candidate,
    installed_candidates,
    load_plugins,
)
from peerloom._selection import select_plugins
from peerloom.plugin import hookimpl
from tests.core.plugin_kit import plugin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

from tests.core.plugin_kit import candidate


def cause_of(one: object) -> str:
    with pytest.raises(PluginError) as raised:
        judge(one)
    return str(raised.value)


class Panic(BaseException):
    """As pyo3's PanicException, which a plugin's Rust module may raise."""


class TestJudgement:
    def test_accepts_every_hook_in_its_documented_form(self) -> None:
        class Everything:
            info = PluginInfo("everything")

            @hookimpl
            def peerloom_config_sections(self) -> list[ConfigSection]:
                return []

            @hookimpl
            def peerloom_setup(self, ctx: Any) -> None: ...

            @hookimpl
            def peerloom_gate(self, address: Any, stage: str) -> None: ...

            @hookimpl
            @asynccontextmanager
            async def peerloom_lifespan(self, ctx: Any) -> AsyncIterator[None]:
                yield

            @hookimpl(wrapper=True)
            def peerloom_dispatch(self, item: object) -> Any:
                return (yield)

            @hookimpl(optionalhook=True)
            def peerloom_of_a_later_version(self) -> None: ...

        info, hooks = judge(Everything(), "everything")
        assert info.name == "everything"
        assert "peerloom_setup" in hooks
        assert "peerloom_status" not in hooks

    @pytest.mark.parametrize("api", [0, API_LEVEL + 1, "1"])
    def test_refuses_another_api_level(self, api: Any) -> None:
        cause = cause_of(plugin(info=PluginInfo("alpha", api=api)))
        assert f"level {api}" in cause
        assert ("upgrade peerloom" in cause) == (api == API_LEVEL + 1)

    def test_refuses_an_unknown_hook_and_names_the_nearest(self) -> None:
        cause = cause_of(plugin(event_handler=lambda ctx: None))
        assert "no hook peerloom_event_handler; did you mean peerloom_event_handlers?" in cause

    def test_refuses_a_hook_without_mark(self) -> None:
        one = plugin()
        one.peerloom_setup = lambda ctx: None
        assert "peerloom_setup is not marked with @hookimpl" in cause_of(one)

    def test_refuses_async_hooks(self) -> None:
        async def setup(ctx: Any) -> None: ...

        async def lifespan(ctx: Any) -> AsyncIterator[None]:
            yield

        assert "peerloom_setup is async: make it a plain function" in cause_of(plugin(setup=setup))
        assert "asynccontextmanager" in cause_of(plugin(lifespan=lifespan))

    @pytest.mark.parametrize(
        ("function", "complaint"),
        [
            (lambda *, ctx: None, "keyword-only"),
            (lambda ctx=None: None, "has a default"),
            (lambda *ctx: None, "variadic positional"),
            (lambda ctx, node: None, "takes an argument node; it may take ctx"),
        ],
    )
    def test_refuses_arguments_that_pluggy_would_not_pass(
        self, function: Callable[..., None], complaint: str
    ) -> None:
        assert complaint in cause_of(plugin(setup=function))

    def test_refuses_wrappers_but_for_dispatch(self) -> None:
        one = plugin()
        one.peerloom_dispatch = hookimpl(lambda item: None)
        assert "wrapper=True" in cause_of(one)
        two = plugin()
        two.peerloom_setup = hookimpl(wrapper=True)(lambda ctx: (yield))
        assert "wrapper=True" in cause_of(two)

    def test_refuses_a_missing_or_wrong_info(self) -> None:
        assert "has no attribute info" in cause_of(object())
        assert "is no plugin name" in cause_of(plugin(info=PluginInfo("Not A Name")))
        with pytest.raises(PluginError, match="entry point is called beta"):
            judge(plugin("alpha"), "beta")

    @pytest.mark.parametrize("which", ["requires", "provides", "after", "exclusive"])
    def test_refuses_a_capability_that_is_no_text(self, which: str) -> None:
        said: dict[str, Any] = {which: ["pubsub", 1]}
        assert "1 is no capability" in cause_of(plugin(info=PluginInfo("alpha", **said)))

    def test_refuses_a_class(self) -> None:
        assert "must name an instance" in cause_of(type(plugin()))


class TestLoading:
    def test_goes_on_after_what_cannot_be_imported(self) -> None:
        points = [
            EntryPoint("missing", "no_such_module_anywhere:plugin", "peerloom.plugins"),
            EntryPoint("attribute", "peerloom._errors:plugin", "peerloom.plugins"),
        ]
        found = load_plugins([*installed_candidates(points), candidate(plugin())])
        assert [one.name for one in found.plugins] == ["alpha"]
        assert {one.name for one in found.broken} == {"missing", "attribute"}
        assert "ModuleNotFoundError" in str({one.name: one for one in found.broken}["missing"])

    @pytest.mark.parametrize(
        "error",
        [
            SystemExit(2),
            RuntimeError("boom\nand more"),
            ExceptionGroup("g", [OSError()]),
            Panic("out of memory\nthere"),
            BaseExceptionGroup("g", [Panic()]),
        ],
    )
    def test_names_distribution_version_and_cause_in_one_paragraph(
        self, error: BaseException
    ) -> None:
        def load() -> object:
            raise error

        found = load_plugins([Candidate("bad", "some-dist", "3.1", load)])
        text = str(found.broken[0])
        assert text.startswith("Plugin bad (some-dist 3.1) is not used: ")
        assert "\n" not in text
        assert str(error).split("\n")[0] in text

    def test_lets_a_keyboard_interrupt_pass(self) -> None:
        def load() -> object:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            load_plugins([Candidate("bad", "some-dist", "3.1", load)])

    def test_does_not_import_what_is_left_out(self) -> None:
        def load() -> object:
            raise AssertionError("imported")

        found = load_plugins([Candidate("off", "d", "1", load)], left_out={"off": "disabled"})
        assert found.left_out == {"off": "disabled"}
        assert not found.broken

    def test_name_conflict_names_both_distributions(self) -> None:
        found = load_plugins([candidate(plugin(), "dist-a"), candidate(plugin(), "dist-b")])
        assert [one.distribution for one in found.plugins] == ["dist-a"]
        assert "alpha (dist-a 1.0)" in str(found.broken[0])
        assert "alpha (dist-b 1.0)" in str(found.broken[0])

    def test_name_that_is_taken_elsewhere_is_a_conflict(self) -> None:
        found = load_plugins([candidate(plugin("swarm"))], elsewhere=[core_candidate("swarm")])
        assert not found.plugins
        assert "plugin swarm (peerloom 0." in str(found.broken[0])

    def test_section_conflict_names_both_distributions(self) -> None:
        @frozen
        class Settings:
            number: int = 1

        def sections() -> list[ConfigSection]:
            return [ConfigSection("shared", Settings)]

        one, two = plugin("one", config_sections=sections), plugin("two", config_sections=sections)
        found = load_plugins([candidate(one, "dist-a"), candidate(two, "dist-b")])
        assert "[shared], which plugin one (dist-a 1.0) reads" in str(found.broken[0])
        assert "two (dist-b 1.0)" in str(found.broken[0])
        assert load_plugins([candidate(one)], reserved_sections=["shared"]).broken

    def test_exclusive_capability_conflict_names_both_distributions(self) -> None:
        one = plugin(info=PluginInfo("one", provides="pubsub", exclusive="pubsub"))
        two = plugin(info=PluginInfo("two", provides="pubsub"))
        found = load_plugins([candidate(one, "dist-a"), candidate(two, "dist-b")])
        assert "plugin one (dist-a 1.0) provides pubsub as well" in str(found.broken[0])
        assert found.broken[0].distribution == "dist-b"

    def test_shared_capability_is_no_conflict(self) -> None:
        several = [plugin(info=PluginInfo(n, provides="peer-discovery")) for n in ("one", "two")]
        assert not load_plugins([candidate(one) for one in several]).broken

    def test_hook_that_raises_while_loading_breaks_only_its_plugin(self) -> None:
        def sections() -> Any:
            raise SystemExit("no")

        found = load_plugins(
            [candidate(plugin("bad", config_sections=sections)), candidate(plugin())]
        )
        assert [one.name for one in found.plugins] == ["alpha"]
        assert "sys.exit" in str(found.broken[0])

    def test_wrong_hook_results_are_refused(self) -> None:
        found = load_plugins([candidate(plugin(config_sections=lambda: ["text"]))])
        assert "not ConfigSection" in str(found.broken[0])

    def test_parts_that_cannot_serve_are_refused(self) -> None:
        class Slow(Behaviour):
            async def keep_alive(self, connection: Any) -> bool:  # type: ignore[override]
                return True

        class Deaf:
            def dial(self, address: Any, options: Any) -> None: ...

        def complaint(part: str, given: object) -> str:
            hooks: dict[str, Any] = {part: lambda ctx: [given]}
            found = load_plugins([candidate(plugin(**hooks))])
            with pytest.raises(PluginError) as raised:
                getattr(found.plugins[0].hooks, part)(None)
            return str(raised.value)

        assert "not Behaviour" in complaint("behaviours", object())
        assert "Slow.keep_alive is async" in complaint("behaviours", Slow())
        assert "which has no handles, listen" in complaint("transports", Deaf())

    def test_says_where_a_given_object_comes_from(self) -> None:
        assert "given to the node, from tests.core.plugin_kit" in given_candidate(plugin()).label
        assert given_candidate(plugin(), "anyio").version

    def test_finds_entry_points_without_loading_them(self) -> None:
        points = [EntryPoint(name, "no_such:plugin", "peerloom.plugins") for name in ("z", "a")]
        assert [one.name for one in installed_candidates(points)] == ["a", "z"]
        assert all(one.version for one in installed_candidates())


class TestOrder:
    @staticmethod
    def order(*infos: PluginInfo) -> list[str]:
        order, refused = start_order(infos)
        assert not refused
        return order

    def test_is_by_name(self) -> None:
        assert self.order(PluginInfo("b"), PluginInfo("a")) == ["a", "b"]

    def test_puts_all_providers_first(self) -> None:
        assert self.order(
            PluginInfo("a", requires="relay"),
            PluginInfo("b"),
            PluginInfo("y", provides="relay"),
            PluginInfo("z", provides="relay"),
        ) == ["b", "y", "z", "a"]

    def test_after_needs_no_provider(self) -> None:
        assert self.order(PluginInfo("a", after=("x",)), PluginInfo("b", provides="x")) == [
            "b",
            "a",
        ]
        assert self.order(PluginInfo("a", after=("x",))) == ["a"]

    def test_after_gives_way_where_it_closes_a_circle(self) -> None:
        assert self.order(
            PluginInfo("a", provides="x", after=("y",)), PluginInfo("b", provides="y", after=("x",))
        ) == ["a", "b"]

    def test_refuses_what_nobody_provides_and_what_needed_that(self) -> None:
        order, refused = start_order(
            [
                PluginInfo("a", requires="x", provides="y"),
                PluginInfo("b", requires="y"),
                PluginInfo("c"),
            ]
        )
        assert order == ["c"]
        assert "requires x, which no active plugin provides" in refused["a"]
        assert "requires y" in refused["b"]

    def test_refuses_circles_and_tells_them(self) -> None:
        order, refused = start_order(
            [
                PluginInfo("a", requires="y", provides="x"),
                PluginInfo("b", requires="x", provides="y"),
                PluginInfo("c", requires="x"),
                PluginInfo("d", requires="z", provides="z"),
            ]
        )
        assert order == ["d"]
        assert "a → b → a" in refused["a"]
        assert "which no active plugin provides" in refused["c"]


class TestSelection:
    AVAILABLE = ("swarm", "ping", "kad", "mdns", "stream")
    CORE = ("swarm", "ping")

    def select(self, **said: Any) -> Any:
        return select_plugins(self.AVAILABLE, PluginSelection(**said), core=self.CORE)

    def test_takes_everything_without_a_word(self) -> None:
        assert self.select().active == tuple(sorted(self.AVAILABLE))

    def test_enabled_leaves_out_all_others_but_core(self) -> None:
        chosen = self.select(enabled=("kad",))
        assert chosen.active == ("kad", "ping", "swarm")
        assert chosen.left_out == dict.fromkeys(("mdns", "stream"), "not among the enabled ones")

    def test_disabled_wins_and_reaches_core(self) -> None:
        chosen = self.select(enabled=("kad", "mdns"), disabled=("mdns", "ping"))
        assert chosen.active == ("kad", "swarm")
        assert chosen.left_out["ping"] == "disabled"

    def test_enabling_what_is_not_installed_names_the_nearest(self) -> None:
        with pytest.raises(ConfigError, match="did you mean stream"):
            self.select(enabled=("steam",))
        with pytest.raises(ConfigError, match="pip install peerloom-gossipsub"):
            self.select(enabled=("gossipsub",))
        with pytest.raises(ConfigError, match="peerloom-relay, which is still to come"):
            self.select(enabled=("relay",))

    def test_disabling_what_is_not_installed_is_told_but_no_error(self) -> None:
        chosen = self.select(disabled=("gossipsub", "strem"))
        assert chosen.unknown == {"strem": "did you mean stream?"}

    def test_a_node_needs_its_swarm(self) -> None:
        with pytest.raises(ConfigError, match="cannot do without"):
            self.select(disabled=("swarm",))


def test_every_hook_is_documented() -> None:
    hooks = [getattr(Hooks, name) for name in dir(Hooks) if name.startswith("peerloom_")]
    assert len(hooks) == 11
    assert all(hook.__doc__ for hook in hooks)
