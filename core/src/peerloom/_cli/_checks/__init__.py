"""What ``peerloom doctor`` looks at, each thing by itself, without running a node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._check import Check
from ._folder import check_data_folder
from ._network import check_ipv6, check_multicast, check_ports
from ._plugins import check_plugins
from ._software import check_imports, check_python, check_requirements, own_distributions
from ._system import check_clock, check_descriptors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from peerloom._cli._settings import Settings
    from peerloom._config import NetworkConfig

__all__ = ["Check", "all_checks"]


def all_checks(settings: Settings) -> Iterator[Check]:
    """Every check, one after the other: those first on which others stand."""
    yield check_python()
    for name in own_distributions():
        yield check_requirements(name)
    yield from check_imports()
    yield from check_plugins(settings)
    config, check = _load(settings)
    yield check
    folder = config.data_folder or settings.folder()
    yield from check_data_folder(folder, config.identity)
    yield from check_ports(config, folder)
    yield check_ipv6()
    yield check_multicast()
    yield check_clock()
    yield check_descriptors(config.limits)


def _load(settings: Settings) -> tuple[NetworkConfig, Check]:
    from peerloom._config import NetworkConfig
    from peerloom._errors import ConfigError

    try:
        file, config = settings.file(), settings.load()
    except ConfigError as error:
        broken = Check.failed("configuration", str(error), "mend that; below, defaults are checked")
        return NetworkConfig(), broken
    return config, Check.ok("configuration", "no file: defaults" if file is None else str(file))
