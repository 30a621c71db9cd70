"""Each test of `PluginConformance` fails where a plugin has the fault that it is for."""

from __future__ import annotations

import pytest
from attrs import frozen

from peerloom.testing import PluginConformance
from tests.testing.inner import Outcome, run_pytest
from tests.testing.tally import write_distribution

# The first in each process runs hundreds of tests in another one.
pytestmark = pytest.mark.timeout(300)

METADATA = "entry_point_and_metadata_agree"
LIGHT = "is_light_to_import"
HOOKS = "hooks_are_known_and_well_formed"
FROZEN = "commands_and_events_are_frozen"
TYPED = "commands_and_events_are_typed"
DOCUMENTED = "commands_and_events_are_documented"
CONFIGURATION = "configuration_round_trips"
SETTINGS = "settings_are_documented"
README = "readme_names_every_command_event_and_setting"
SERVED = "what_it_serves_is_well_formed"
LEAKS = "starts_and_stops_without_leaking"
RESTARTS = "restarts_without_leaking"
TWO_NODES = "serves_two_nodes_at_once"
SWARM = "survives_a_failing_swarm"
PEERS = "survives_what_peers_send"
CORE = "runs_in_a_node_beside_core"
SETUP = "self.tallies[ctx] = Tally(ctx)"
FIELDS = "    peer: PeerId\n    total: int\n"
DOCSTRING = """    \"\"\"A peer has sent bytes.

    Attributes:
        peer: who.
        total: how many in all.
    \"\"\"
"""
MISSPELT = """    @hookimpl(optionalhook=True)
    def peerloom_setpu(self):
        pass

"""
PATIENT = """count_up(self, command):
        if command.count == 1:
            await anyio.sleep_forever()
        return await self.really(command)

    async def really(self, command):
"""
CHOOSY = """    @hookimpl
    def peerloom_gate(self, stage):
        return "nobody is wanted"

"""
CARELESS = """count_up(self, command):
        try:
            return await self.really(command)
        except LinkClosed:
            raise KeyError(command.peer) from None

    async def really(self, command):
"""


@frozen
class Fault:
    """What is changed in a plugin that is right; which tests find it, and what they say."""

    changes: tuple[tuple[str, str], ...]
    found_by: set[str]
    says: str


ABSENT = "absent"
RIGHT: dict[str, tuple[tuple[str, str], ...]] = {
    "right": (),
    "right_though_it_needs_others": (
        ('PluginInfo("NAME")', 'PluginInfo("NAME", requires={"pubsub"}, after=("relay",))'),
    ),
    "right_in_a_way_of_its_own": (  # a plain dataclass, which takes long; it prints when imported
        ("Requires-Dist: peerloom<0.2,>=0.1", "Requires-Dist: Peerloom~=0.1.0"),
        ("import threading", "import threading\nprint('hello')"),
        (
            "@frozen\nclass CountUp",
            "import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass CountUp",
        ),
        ("    count: int = 1\n", "    count: int = 1\n    timeout_seconds = 600.0\n"),
        ("count_up(self, command):\n", PATIENT),
        ("self.count_up(CountUp(peer))", "self.count_up(CountUp(peer, 2))"),
    ),
    "right_though_it_wants_nobody": (("    def tally(", f"{CHOOSY}    def tally("),),
    "right_without_anything": (
        ("return [CountUp.handled_by(self.tally(ctx).count_up)]", "return []"),
        ("Counted, CountUp, TallyConfig\n\n__all", "TallyConfig\n\n__all"),
        ("return [self.tally(ctx)]", "return []"),
        ("return [PeerConnected.heard_by(self.tally(ctx).on_connected)]", "return []"),
    ),
}
FAULTS = {
    "no_range": Fault((("<0.2,>=0.1", "==0.1.0"),), {METADATA}, "peerloom>=0.1,<0.2"),
    "no_dependency": Fault(
        (("Requires-Dist: peerloom<0.2,>=0.1\n", ""),), {METADATA}, "does not depend on peerloom"
    ),
    "heavy": Fault((("import threading", "import threading\nimport libp2p"),), {LIGHT}, "libp2p"),
    "misspelt": Fault(
        (("    def tally(", f"{MISSPELT}    def tally("),), {HOOKS}, "peerloom_setpu"
    ),
    "mutable": Fault(
        (("@frozen\nclass Counted", "import attrs\n\n\n@attrs.define\nclass Counted"),),
        {FROZEN},
        "Counted can be changed",
    ),
    "untyped": Fault(
        ((FIELDS, "    peer = field()\n    total = field()\n"),), {TYPED}, "the type of peer, total"
    ),
    "unanswered": Fault((("(Command[int])", "(Command)"),), {TYPED}, "(Command[int])"),
    "undocumented": Fault(((DOCSTRING, ""),), {DOCUMENTED}, "Counted has no docstring"),
    "unexplained": Fault((("        count: how many.\n", ""),), {DOCUMENTED}, "explain count"),
    "changing": Fault(
        (('("a", "b")', 'field(default=("a",), converter=lambda it: (*it, "b"))'),),
        {CONFIGURATION},
        "has become",
    ),
    "unset": Fault((("        start: where it begins.\n", ""),), {SETTINGS}, "explain start"),
    "unset_part": Fault((("        most: where it ends.\n", ""),), {SETTINGS}, "explain most"),
    "unnamed_event": Fault(((", tells `Counted`", ""),), {README}, "`Counted`"),
    "unnamed_setting": Fault((("`start` and ", ""),), {README}, "`start`"),
    "unnamed_part": Fault((("`most` of ", ""),), {README}, "`most`"),
    "odd_protocol": Fault((('"/NAME/1.0.0"', '"NAME 1"'),), {SERVED}, "/echo/1.0.0"),
    "hidden": Fault(
        (("CountUp, TallyConfig\n\n__all", "TallyConfig\n\n__all"),), {SERVED}, "export CountUp"
    ),
    "unshowable": Fault((('{"total": self.tally(ctx).total}', '{"it": ctx}'),), {SERVED}, "JSON"),
    "leaky_socket": Fault(
        ((SETUP, f"{SETUP}; LEFT.append(socket.socket())"),),
        {LEAKS},
        "left behind: socket AF_INET",
    ),
    "leaky_thread": Fault(
        ((SETUP, f"{SETUP}; threading.Thread(target=FOREVER.wait, daemon=True).start()"),),
        {LEAKS},
        "left behind: thread",
    ),
    "leaky_context": Fault((("del self.tallies[ctx]", "pass"),), {LEAKS}, "3 contexts"),
    "once_only": Fault(
        ((SETUP, f"{SETUP}; assert ctx.runtime not in LEFT; LEFT.append(ctx.runtime)"),),
        {RESTARTS},
        "after a failure it is",
    ),
    "one_node_only": Fault(
        ((SETUP, f"{SETUP}; self.last = ctx"), ("self.ctx.emit", "plugin.last.emit")),
        {TWO_NODES},
        "what one node did reached the other",
    ),
    "trusting_the_swarm": Fault((("(PeerloomError,", "(StreamError,"),), {SWARM}, "LinkClosed"),
    "careless": Fault(
        (
            ("self.count_up(CountUp(peer))", "anyio.sleep(0)"),
            ("count_up(self, command):\n", CARELESS),
        ),
        {SWARM},
        "raised KeyError",
    ),
    "trusting_peers": Fault((("+= len(chunk)", "+= int(chunk)"),), {PEERS}, "RemoteProtocolError"),
    "taking": Fault((('ConfigSection("NAME"', 'ConfigSection("ping"'),), {CORE}, "[ping]"),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """All of them tested in one run, and the plugin that is right."""
    folder = tmp_path_factory.mktemp("conformance")
    for name, changes in RIGHT.items():
        write_distribution(folder, name, changes)
    for name, fault in FAULTS.items():
        write_distribution(folder, name, fault.changes)
    classes = "\n".join(
        f"class Test_{name}(PluginConformance):\n    plugin = {name!r}"
        for name in (*RIGHT, *FAULTS, ABSENT)
    )
    source = f"from peerloom.testing import PluginConformance\n{classes}\n"
    # Left out is what takes long and would say the same: to import each of them alone, to run
    # each on both backends, and to wait for what a leaky one leaves behind wherever leaks count.
    chosen = "right or not (trio or (light and not heavy) or (leaky and (restarts or beside)))"
    return run_pytest(folder, source, "-k", chosen, "--tb=short")


@pytest.mark.parametrize("name", RIGHT)
def test_a_plugin_that_is_right_passes_all(outcomes: dict[str, Outcome], name: str) -> None:
    assert _found(outcomes, name) == {}
    assert len([test for test in outcomes if test.startswith(f"Test_{name}::")]) == 9 + 2 * 7


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_fails_the_test_that_is_for_it_and_no_other(
    outcomes: dict[str, Outcome], name: str
) -> None:
    found = _found(outcomes, name)

    assert found.keys() == FAULTS[name].found_by, "\n".join(found.values())
    assert any(FAULTS[name].says in text for text in found.values()), found


def test_a_plugin_that_is_not_installed_fails_all_and_is_named(
    outcomes: dict[str, Outcome],
) -> None:
    found = _found(outcomes, ABSENT)

    assert len(found) == 16 - 1
    assert all("has an entry point 'absent'" in text for text in found.values())


def test_every_test_of_the_suite_has_a_fault_that_it_finds() -> None:
    tests = {name.removeprefix("test_") for name in dir(PluginConformance) if name[:5] == "test_"}

    assert tests == {name for fault in FAULTS.values() for name in fault.found_by}


def _found(outcomes: dict[str, Outcome], plugin: str) -> dict[str, str]:
    """What failed for a plugin, by test, and what it said."""
    found = {}
    for name, outcome in outcomes.items():
        case, _, test = name.partition("::")
        if case == f"Test_{plugin}" and not outcome.passed:
            found[test.partition("[")[0].removeprefix("test_")] = "\n".join(outcome.failures)
    return found
