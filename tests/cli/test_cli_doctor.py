"""``peerloom doctor``: each check by itself, and the command."""

from __future__ import annotations

import json
import os
import resource
import socket
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from multiaddr import Multiaddr

from peerloom import ConfigError, NetworkConfig
from peerloom._cli._checks._folder import check_data_folder
from peerloom._cli._checks._network import check_ipv6, check_multicast, check_ports
from peerloom._cli._checks._plugins import check_plugins
from peerloom._cli._checks._software import (
    check_import,
    check_python,
    check_requirements,
    own_distributions,
)
from peerloom._cli._checks._system import check_clock, check_descriptors
from peerloom._cli._settings import Settings
from peerloom._config import Limits
from peerloom._data_folder import hold_data_folder
from peerloom._identity import create_identity
from peerloom._runtime import SystemRuntime
from tests.cli.commands import free_port, install, peerloom

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from peerloom._cli._checks import Check

SUBJECTS = (
    *("Python", "peerloom", "GMP (fastecdsa)", "py-libp2p", "plugins", "configuration"),
    *("data folder", "IPv6", "multicast", "clock", "open files"),
)


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The metadata of an installed distribution, ``odd`` 1.2, to write to."""
    metadata = tmp_path / "odd-1.2.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1.2\n")
    monkeypatch.syspath_prepend(tmp_path)
    return metadata / "METADATA"


def require(metadata: Path, *lines: str) -> None:
    metadata.write_text(metadata.read_text() + "\n".join(lines) + "\n")


def only(checks: Iterator[Check]) -> Check:
    [check] = checks
    return check


class TestSoftware:
    def test_this_python_is_one_that_is_wanted(self) -> None:
        assert check_python().state == "ok"

    def test_another_python_is_no_good(self, distribution: Path) -> None:
        require(distribution, "Requires-Python: >=4.7")
        check = check_python("odd")
        assert (check.state, check.change) == ("failed", "install odd for another Python")
        assert ">=4.7 is wanted" in check.found

    def test_ours_and_all_that_bring_plugins_are_looked_at(self) -> None:
        assert own_distributions()[0] == "peerloom"
        assert "peerloom-stream" in own_distributions()
        assert {check_requirements(one).state for one in own_distributions()} == {"ok"}

    def test_what_is_missing_or_too_old_is_named_with_the_remedy(self, distribution: Path) -> None:
        require(
            distribution,
            "Requires-Dist: anyio>=999",
            "Requires-Dist: surely-nowhere<2",
            "Requires-Dist: attrs",
            "Requires-Dist: nowhere-either; extra == 'more'",
            "Requires-Dist: nor-this; python_version < '3'",
        )
        check = check_requirements("odd")
        assert check.state == "failed"
        assert "anyio>=999, and " in check.found
        assert "surely-nowhere<2, which is not installed" in check.found
        assert check.change == "pip install 'anyio>=999' 'surely-nowhere<2'"

    def test_what_requires_nonsense_is_told_and_not_a_crash(self, distribution: Path) -> None:
        require(distribution, "Requires-Dist: this is nonsense!")
        check = check_requirements("odd")
        assert check.state == "failed"
        assert "cannot be read" in check.found

    def test_metadata_that_is_lost_is_told_and_not_a_crash(self, distribution: Path) -> None:
        half = distribution.parent.with_name("half-1.0.dist-info")
        half.mkdir()
        (half / "entry_points.txt").write_text("[peerloom.plugins]\nhalf = half:plugin\n")
        require(distribution, "Requires-Dist: half>=1")
        assert "peerloom" in own_distributions()
        assert "only a part is installed" in check_requirements("odd").found

    def test_what_is_not_installed_is_no_failure(self) -> None:
        assert check_requirements("surely-nowhere").state == "warning"

    def test_an_import_that_fails_says_how(self) -> None:
        check = check_import("thing", "import surely_nowhere", "install it")
        assert (check.state, check.change) == ("failed", "install it")
        assert "ModuleNotFoundError: No module named 'surely_nowhere'" in check.found

    def test_an_import_that_crashes_says_so(self) -> None:
        assert "ends with status" in check_import("thing", "import os; os._exit(3)", "").found


class TestPlugins:
    def test_tell_their_level(self) -> None:
        assert "stream is of level 1" in only(check_plugins(Settings())).found

    def test_that_are_enabled_and_not_there_fail(self) -> None:
        check = only(check_plugins(Settings(plugin=("steam",))))
        assert check.state == "failed"
        assert "did you mean stream?" in check.found

    def test_cannot_be_looked_at_where_the_file_that_selects_them_is_broken(
        self, tmp_path: Path
    ) -> None:
        file = tmp_path / "config.toml"
        file.write_text("plugins = 3")
        assert only(check_plugins(Settings(config=file))).change.startswith("mend that")

    def test_that_are_disabled_and_not_there_are_mentioned(self) -> None:
        _, check = check_plugins(Settings(no_plugin=("steam",)))
        assert check.state == "warning"
        assert "did you mean stream?" in check.change


class TestDataFolder:
    def test_is_made_by_the_first_node(self, tmp_path: Path) -> None:
        check = only(check_data_folder(tmp_path / "some" / "where"))
        assert check.state == "ok"
        assert not (tmp_path / "some").exists()

    def test_may_be_no_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        assert only(check_data_folder(tmp_path / "file")).state == "failed"
        assert only(check_data_folder(tmp_path / "file" / "folder")).state == "failed"

    def test_must_be_writable(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
        assert only(check_data_folder(tmp_path)).change == f"chown it, or chmod u+rwx {tmp_path}"
        assert only(check_data_folder(tmp_path / "new")).state == "failed"

    def test_that_cannot_be_looked_at_fails(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(type(tmp_path), "stat", refuse)  # root may look at anything
        check = only(check_data_folder(tmp_path))
        assert check.state == "failed"
        assert "cannot be looked at: Permission denied" in check.found
        with pytest.raises(ConfigError, match="cannot be looked for: Permission denied"):
            Settings(data=tmp_path).file()

    def test_that_others_can_change_is_a_danger(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o770)
        check = only(check_data_folder(tmp_path))
        assert (check.state, check.change) == ("warning", f"chmod go-w {tmp_path}")

    def test_that_a_node_holds_names_its_process(self, tmp_path: Path) -> None:
        with hold_data_folder(tmp_path):
            check = only(check_data_folder(tmp_path))
        assert check.state == "warning"
        assert f"in use by process {os.getpid()}" in check.found
        assert only(check_data_folder(tmp_path)).state == "ok"

    def test_identity_is_for_its_owner_alone(self, tmp_path: Path) -> None:
        key = tmp_path / "own.key"
        key.touch(0o644)
        _, check = check_data_folder(tmp_path, key)
        assert (check.state, check.change) == ("failed", f"chmod 600 {key}")
        key.unlink()
        create_identity(key)
        _, check = check_data_folder(tmp_path, key)
        assert check.state == "ok"

    def test_identity_is_one_that_a_node_can_read(self, tmp_path: Path) -> None:
        key = tmp_path / "own.key"
        key.touch(0o600)
        key.write_text("no key at all")
        _, check = check_data_folder(tmp_path, key)
        assert check.state == "failed"
        assert "is damaged" in check.found


class TestPorts:
    @contextmanager
    def taken(self, kind: socket.SocketKind) -> Iterator[int]:
        with socket.socket(socket.AF_INET, kind) as sock:
            sock.bind(("127.0.0.1", 0))
            if kind == socket.SOCK_STREAM:
                sock.listen()
            yield sock.getsockname()[1]

    @pytest.mark.parametrize(
        ("kind", "form"),
        [
            (socket.SOCK_STREAM, "/ip4/127.0.0.1/tcp/{}"),
            (socket.SOCK_DGRAM, "/ip4/127.0.0.1/udp/{}/quic-v1"),
        ],
    )
    def test_that_are_taken_fail_unless_a_free_one_will_do(
        self, tmp_path: Path, kind: socket.SocketKind, form: str
    ) -> None:
        with self.taken(kind) as port:
            wanted = NetworkConfig(listen=[form.format(port)])
            yielding = NetworkConfig(listen=[form.format(port)], free_port_if_taken=True)
            failed = only(check_ports(wanted, tmp_path))
            warning = only(check_ports(yielding, tmp_path))
            with hold_data_folder(tmp_path):
                ok = only(check_ports(wanted, tmp_path))
        assert [one.state for one in (failed, warning, ok)] == ["failed", "warning", "ok"]
        assert f"'sport = :{port}'" in failed.change
        assert f"where process {os.getpid()} runs a node" in ok.found
        assert only(check_ports(wanted, tmp_path)).found == "free"

    def test_are_looked_at_one_by_one(self, tmp_path: Path) -> None:
        config = NetworkConfig(
            listen=["/ip4/127.0.0.1/tcp/0", "/memory/7", "/ip4/192.0.2.1/tcp/0"],
        )
        any_port, elsewhere = check_ports(config, tmp_path)
        assert any_port.found == "any free port"
        assert elsewhere.state == "failed"
        assert "an address that this machine has" in elsewhere.change

    def test_without_configuration_are_the_usual_ones(self, tmp_path: Path) -> None:
        subjects = [check.subject for check in check_ports(NetworkConfig(), tmp_path)]
        assert "/ip4/0.0.0.0/tcp/2428" in subjects
        assert "/ip6/::/udp/2428/quic-v1" in subjects

    def test_of_a_family_that_is_missing_are_done_without(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(99, "Cannot assign requested address")

        monkeypatch.setattr(socket.socket, "bind", refuse)
        assert {check.state for check in check_ports(NetworkConfig(), tmp_path)} == {"warning"}

    def test_below_1024_need_permission(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(socket.socket, "bind", refuse)  # root may bind all of them
        config = NetworkConfig(listen=[Multiaddr("/ip4/127.0.0.1/tcp/80")])
        assert "ip_unprivileged_port_start" in only(check_ports(config, tmp_path)).change


class TestNetwork:
    def test_ipv6_that_is_missing_is_a_warning(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert check_ipv6().subject == "IPv6"

        def refuse(*_: object) -> None:
            raise OSError(97, "Address family not supported by protocol")

        monkeypatch.setattr(socket.socket, "bind", refuse)
        assert check_ipv6().state == "warning"

    def test_multicast_that_is_missing_is_a_warning(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert check_multicast().subject == "multicast"

        def refuse(*_: object) -> None:
            raise OSError(19, "No such device")

        monkeypatch.setattr(socket.socket, "setsockopt", refuse)
        check = check_multicast()
        assert check.state == "warning"
        assert "No such device" in check.found
        assert "ip route add 224.0.0.0/4" in check.change


class TestSystem:
    def test_clock_must_be_after_the_installation_and_of_this_century(self) -> None:
        now = SystemRuntime().wall_time()
        times = [0.0, now, datetime(2100, 1, 1, tzinfo=UTC).timestamp()]
        assert [check_clock(time).state for time in times] == ["failed", "ok", "failed"]
        assert check_clock().state == "ok"

    @pytest.mark.parametrize(
        ("soft", "hard", "state", "change"),
        [
            (resource.RLIM_INFINITY, resource.RLIM_INFINITY, "ok", ""),
            (1344, 1344, "ok", ""),
            (1024, 4096, "warning", "ulimit -n 1344"),
            (1024, 1024, "warning", "lower limits.total"),
            (64, 1024, "failed", "lower limits.total"),
        ],
    )
    def test_open_files_must_do_for_the_limits(
        self, soft: int, hard: int, state: str, change: str
    ) -> None:
        check = check_descriptors(Limits(), (soft, hard))
        assert check.state == state
        assert change in check.change
        assert bool(check.change) == bool(change)

    def test_fewer_connections_need_fewer_files(self) -> None:
        assert check_descriptors(Limits(total=512), (1024, 1024)).state == "ok"


def test_doctor_tells_programs_of_every_check(tmp_path: Path) -> None:
    port = free_port()
    done = peerloom(tmp_path, "doctor", "--json", "--listen", f"/ip4/127.0.0.1/tcp/{port}")
    checks = {one["subject"]: one for one in json.loads(done.stdout)["checks"]}
    assert set(checks) > {*SUBJECTS, f"/ip4/127.0.0.1/tcp/{port}"}
    assert done.returncode == 0, done.stdout
    assert all(one["found"] for one in checks.values())
    assert {one["state"] for one in checks.values() if not one["change"]} == {"ok"}


def test_doctor_fails_for_what_is_broken_and_says_what_to_change(tmp_path: Path) -> None:
    env = install(tmp_path / "site", "shaky", "raise RuntimeError('out of order')")
    (tmp_path / "node.toml").write_text("[ping]\nintervall_seconds = 3\n")
    done = peerloom(tmp_path, "doctor", "--config", "node.toml", env=env, cwd=tmp_path)
    assert done.returncode == 1
    assert "failed   plugin shaky: peerloom-shaky 1.2: RuntimeError: out of order\n" in done.stdout
    assert "         change: upgrade or mend it, or pip uninstall peerloom-shaky" in done.stdout
    assert "failed   configuration: node.toml: ping.intervall_seconds" in done.stdout
    assert done.stdout.splitlines()[-1].endswith(" 2 failed")
