"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from ._settings import Settings


def _checked_targets(targets: list[str] | None) -> list[str] | None:
    from ._targets import check_target

    for target in targets or ():
        check_target(target)
    return targets


def _checked_address(address: str) -> str:
    from ._targets import check_address

    return check_address(address)


def _checked_addresses(addresses: list[str] | None) -> list[str] | None:
    return addresses and [_checked_address(address) for address in addresses]


Trio = Annotated[bool, typer.Option("--trio", help="Run on trio instead of asyncio.")]
Listen = Annotated[
    list[str] | None,
    typer.Option(
        "--listen",
        "-l",
        metavar="ADDRESS",
        callback=_checked_addresses,
        help="Listen here, as in /ip4/127.0.0.1/tcp/4001; may be given again.",
    ),
]
PeerAddress = Annotated[
    str,
    typer.Argument(
        metavar="ADDRESS",
        callback=_checked_address,
        help="Of the peer, as `peerloom run` prints it; may end in /p2p/<id>.",
    ),
]
DialAddresses = Annotated[
    list[str] | None,
    typer.Option(
        "--dial",
        metavar="ADDRESS",
        callback=_checked_targets,
        help="Connect to this peer and stay connected; may be given again.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        envvar="PEERLOOM_CONFIG",
        help="Read this configuration; else config.toml of the data folder, where there is one.",
    ),
]
DataFolder = Annotated[
    Path | None,
    typer.Option(
        "--data",
        "-d",
        metavar="FOLDER",
        help="Keep identity and state here; else where this platform keeps programs' data.",
    ),
]
Plugins = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        metavar="NAME",
        help="Use this installed plugin and no others; may be given again.",
    ),
]
NoPlugins = Annotated[
    list[str] | None,
    typer.Option("--no-plugin", metavar="NAME", help="Leave this plugin out; may be given again."),
]


def settings_of(
    config: Path | None = None,
    data: Path | None = None,
    listen: list[str] | None = None,
    plugin: list[str] | None = None,
    no_plugin: list[str] | None = None,
) -> Settings:
    """What these options say."""
    return Settings(config, data, tuple(listen or ()), tuple(plugin or ()), tuple(no_plugin or ()))
