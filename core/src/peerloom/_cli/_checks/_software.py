"""Python, what is installed, and whether that can be imported."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution, entry_points, version
from typing import TYPE_CHECKING, Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet

from peerloom._hookspecs import ENTRY_POINT_GROUP

from ._check import Check

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

IMPORT_SECONDS: Final = 60.0  # py-libp2p takes two, on a slow disk more
_GMP: Final = "GMP (fastecdsa)"
_LIBP2P: Final = "py-libp2p"


def own_distributions() -> tuple[str, ...]:
    """The core, and whatever brings plugins, ours and others', unless its metadata is lost."""
    points = entry_points(group=ENTRY_POINT_GROUP)
    plugins = {point.dist.name for point in points if point.dist is not None and point.dist.name}
    return ("peerloom", *sorted(plugins - {"peerloom"}))


def check_python(name: str = "peerloom") -> Check:
    """Whether this Python is one that the distribution is made for."""
    running = platform.python_version()
    try:
        wanted = distribution(name).metadata["Requires-Python"]
    except PackageNotFoundError:
        return _not_installed("Python", name)
    found = f"{running}, where {wanted} is wanted"
    if SpecifierSet(wanted).contains(running, prereleases=True):
        return Check.ok("Python", found)
    return Check.failed("Python", found, f"install {name} for another Python")


def check_requirements(name: str) -> Check:
    """Whether what the distribution requires is installed, in versions that it allows."""
    try:
        one = distribution(name)
    except PackageNotFoundError:
        return _not_installed(name, name)
    try:
        wanted = list(_requirements(one.requires or ()))
    except InvalidRequirement as error:
        found = f"{one.version} requires what cannot be read: {str(error).splitlines()[0]}"
        return Check.failed(name, found, f"pip install --force-reinstall {name}")
    unmet = {str(each): why for each in wanted if (why := _unmet(each))}
    if not unmet:
        return Check.ok(name, f"{one.version}; what it requires is there ({len(wanted)} packages)")
    found = f"{one.version} needs " + "; ".join(f"{each}, {why}" for each, why in unmet.items())
    return Check.failed(name, found, "pip install " + " ".join(f"'{each}'" for each in unmet))


def check_imports() -> Iterator[Check]:
    """Whether py-libp2p, and what it has compiled, can be imported; in other processes."""
    yield check_import(
        *(_GMP, "import fastecdsa._ecdsa, fastecdsa.curvemath"),
        "install GMP (libgmp10, gmp), then its headers and a C compiler if need be, and "
        "pip install --force-reinstall --no-binary fastecdsa fastecdsa",
    )
    yield check_import(
        *(_LIBP2P, "from peerloom._libp2p import load; load()"),
        "pip install --force-reinstall libp2p, in the version that peerloom needs",
    )


def check_import(subject: str, statement: str, change: str) -> Check:
    """Whether a statement runs in a Python like this one."""
    try:
        done = subprocess.run(  # noqa: S603 - our own statement, no shell
            [sys.executable, "-P", "-c", statement],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=IMPORT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return Check.failed(subject, f"not imported within {IMPORT_SECONDS:.0f} s", change)
    if done.returncode == 0:
        return Check.ok(subject, "can be imported")
    said = done.stderr.strip().splitlines() or [f"ends with status {done.returncode}"]
    return Check.failed(subject, f"cannot be imported: {said[-1]}", change)


def _requirements(texts: Iterable[str]) -> Iterator[Requirement]:
    """Those that hold here without any extra."""
    for text in texts:
        one = Requirement(text)
        if one.marker is None or one.marker.evaluate({"extra": ""}):
            one.marker = None
            yield one


def _unmet(one: Requirement) -> str | None:
    try:
        installed: str | None = version(one.name)
    except PackageNotFoundError:
        return "which is not installed"
    if installed is None:
        return "of which only a part is installed"
    if one.specifier.contains(installed, prereleases=True):
        return None
    return f"and {installed} is installed"


def _not_installed(subject: str, name: str) -> Check:
    return Check.warning(
        subject, f"{name} runs from its sources, so nothing is known", f"pip install {name}"
    )
