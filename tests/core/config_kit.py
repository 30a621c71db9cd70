"""A section with a setting of every type, and what loads it."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Literal

import attrs
from attrs import field, frozen

from peerloom._config import ConfigSection, NetworkConfig, at_least
from peerloom._config_file import load_config, resolve_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from multiaddr import Multiaddr

    from peerloom._peer_id import PeerId


PEER = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"
HERE = "/ip4/127.0.0.1/tcp/0"


class Policy(Enum):
    STRICT = "strict"
    LAX = "lax"


@frozen
class Inner:
    """What is inside.

    Attributes:
        depth: how deep.
    """

    depth: int = 1


@frozen
class Everything:
    """All types that a setting can have.

    Attributes:
        interval_seconds: how often, which needs
            a second line.
        size: how big.
    """

    interval_seconds: float = field(default=15.0, validator=at_least(0.1))
    size: int = field(default=3, validator=attrs.validators.ge(0))
    on: bool = True
    label: str = 'a "label"\twith\\ everything\x7f'
    folder: Path | None = None
    at: Multiaddr | None = None
    who: PeerId | None = None
    names: tuple[str, ...] = ("a", "b, c")
    sizes: list[int] = field(factory=lambda: [1, 2])
    mode: Literal["client", "server"] = "client"
    policy: Policy = Policy.STRICT
    inner: Inner = field(factory=Inner)
    inners: tuple[Inner, ...] = (Inner(2),)
    weights: Mapping[str, float] = field(factory=lambda: {"x": 1.0, "a b": 2.5})


SECTION = ConfigSection("everything", Everything, "All types.")


def load(
    text: str = "",
    tmp_path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> NetworkConfig:
    file = None
    if tmp_path is not None:
        file = tmp_path / "node.toml"
        file.write_text(text, encoding="utf-8")
    return load_config(file, environ or {}, overrides or {}, [SECTION])


def settings_of(config: NetworkConfig) -> Everything:
    found = resolve_settings(config, [SECTION])["everything"]
    assert isinstance(found, Everything)
    return found
