"""Network namespaces, by iproute2: how they come and go, and how one gets into them."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

# IPv4 and IPv6 of each side. The namespaces are alone with each other, so every wire may have them.
ADDRESSES: Final = (("10.77.0.1", "fd77::1"), ("10.77.0.2", "fd77::2"))

_FOLDER: Final = Path("/run/netns")  # where iproute2 keeps their names
_CAP_NET_ADMIN: Final = 12
_CAP_SYS_ADMIN: Final = 21
_CLONE_NEWNET: Final = 0x4000_0000


def missing() -> str | None:
    """What this machine lacks for namespaces and TUN devices, or None."""
    if shutil.which("ip") is None:
        return "network namespaces need iproute2: apt-get install iproute2"
    if os.geteuid() != 0 or not _capable():
        return "network namespaces need root with CAP_NET_ADMIN and CAP_SYS_ADMIN"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "a wire needs /dev/net/tun: modprobe tun, or docker run --device /dev/net/tun"
    return None


def names(owner: int) -> tuple[str, str]:
    """The namespaces of a wire, by its process: no two that run have the same."""
    return f"wire-{owner}-left", f"wire-{owner}-right"


def exists(name: str) -> bool:
    """Whether there is a namespace of that name."""
    return (_FOLDER / name).exists()


def ip(*arguments: str) -> str:
    """Run ``ip``; its words are in the error if it fails."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def add_namespace(name: str) -> None:
    """A namespace with a loopback interface that is up."""
    ip("netns", "add", name)
    ip("-n", name, "link", "set", "lo", "up")


def remove_namespaces(names: Sequence[str]) -> None:
    """End what runs in them and remove them; those that are not there are passed over."""
    for name in filter(exists, names):
        for process in ip("netns", "pids", name).split():
            with suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)
        ip("netns", "delete", name)


def socket_in(
    namespace: str, family: socket.AddressFamily, kind: socket.SocketKind
) -> socket.socket:
    """A socket that lives in the namespace, whoever uses it."""
    # Only the thread that makes it has to be there; it ends with this call.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(_enter_and_open, namespace, family, kind).result()


def _enter_and_open(
    namespace: str, family: socket.AddressFamily, kind: socket.SocketKind
) -> socket.socket:
    libc = ctypes.CDLL(None, use_errno=True)
    with (_FOLDER / namespace).open("rb") as file:
        if libc.setns(file.fileno(), _CLONE_NEWNET):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), namespace)
    return socket.socket(family, kind)


def _capable() -> bool:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    effective = next(line for line in status.splitlines() if line.startswith("CapEff"))
    held = int(effective.split()[1], 16)
    return all(held >> bit & 1 for bit in (_CAP_NET_ADMIN, _CAP_SYS_ADMIN))
