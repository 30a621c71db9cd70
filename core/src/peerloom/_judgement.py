"""Judgement: whether an object can be a plugin, found out before it is registered anywhere."""

from __future__ import annotations

import inspect
import re
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import pluggy

from ._errors import PluginError
from ._hooks import PluginHooks
from ._hookspecs import (
    API_LEVEL,
    OLDEST_API_LEVEL,
    Hooks,
    PluginInfo,
    new_plugin_manager,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PREFIX: Final = "peerloom_"
_TAP: Final = "peerloom_dispatch"
KNOWN_HOOKS: Final = tuple(name for name in vars(Hooks) if name.startswith(_PREFIX))
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")


def judge(plugin: object, expected_name: str | None = None) -> tuple[PluginInfo, PluginHooks]:
    """What a plugin says of itself, and its hooks; raises `PluginError` with the cause alone.

    `expected_name` is the entry point's name.
    """
    if isinstance(plugin, type):
        raise PluginError(
            f"the entry point names the class {plugin.__name__}; it must name an instance, as in "
            f"plugin = {plugin.__name__}()"
        )
    info = _judge_info(plugin, expected_name)
    for attribute, hook, options in _marked(plugin):
        _judge_hook(hook, options, getattr(plugin, attribute))
    return info, PluginHooks(_implementations(plugin, info.name))


def implemented_hooks(plugin: object) -> tuple[str, ...]:
    """The hooks that an object, or the class of such objects, implements; judges none."""
    return tuple(hook for _, hook, _ in _marked(plugin))


def _judge_info(plugin: object, expected_name: str | None) -> PluginInfo:
    info = getattr(plugin, "info", None)
    if not isinstance(info, PluginInfo):
        raise PluginError(
            f"{type(plugin).__name__} has no attribute info that is a peerloom.plugin.PluginInfo"
        )
    if not isinstance(info.name, str) or not _NAME.fullmatch(info.name):
        raise PluginError(f"{info.name!r} is no plugin name: use a-z, 0-9, - and _")
    if expected_name is not None and info.name != expected_name:
        raise PluginError(
            f"the entry point is called {expected_name}, but the plugin calls itself {info.name}"
        )
    _judge_api(info.api)
    _judge_capabilities(info)
    return info


def _judge_capabilities(info: PluginInfo) -> None:
    for name in (*info.requires, *info.provides, *info.after, *info.exclusive):
        if not isinstance(name, str):
            raise PluginError(f"{name!r} is no capability: write text, such as 'pubsub'")


def _judge_api(api: int) -> None:
    if api in range(OLDEST_API_LEVEL, API_LEVEL + 1):
        return
    newer = isinstance(api, int) and api > API_LEVEL
    remedy = "upgrade peerloom" if newer else "install a newer version of the plugin"
    raise PluginError(
        f"it is written for level {api} of the plugin interface, but this peerloom offers "
        f"{OLDEST_API_LEVEL} to {API_LEVEL}: {remedy}"
    )


def _marked(plugin: object) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Each hook implementation: attribute, hook, options of the mark."""
    seen: set[str] = set()
    for attribute in dir(plugin):
        options = _reader().parse_hookimpl_opts(plugin, attribute)
        if options is None:
            _judge_unmarked(attribute)
            continue
        hook = options["specname"] or attribute
        if hook in seen:
            raise PluginError(f"it implements {hook} twice")
        seen.add(hook)
        if hook in KNOWN_HOOKS:
            yield attribute, hook, options
        elif not options["optionalhook"]:
            raise no_such_hook(hook)


def no_such_hook(hook: str) -> PluginError:
    """The error that names the hook that was meant, or else all there are."""
    ends = [known.removeprefix(_PREFIX) for known in KNOWN_HOOKS]  # all are near by their prefix
    near = get_close_matches(hook.removeprefix(_PREFIX), ends, n=1)
    advice = f"did you mean {_PREFIX}{near[0]}?" if near else f"there are {', '.join(KNOWN_HOOKS)}"
    return PluginError(f"there is no hook {hook}; {advice}")


@cache
def _reader() -> pluggy.PluginManager:
    """A manager that only reads marks, and to which nothing is ever registered."""
    return new_plugin_manager()


def _judge_unmarked(attribute: str) -> None:
    if attribute.startswith(_PREFIX):
        raise PluginError(f"{attribute} is not marked with @hookimpl of peerloom.plugin")


def _judge_hook(hook: str, options: Mapping[str, Any], function: Any) -> None:
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        remedy = (
            "decorate it with contextlib.asynccontextmanager and leave `yield` in it"
            if hook == "peerloom_lifespan"
            else "make it a plain function; work that awaits belongs to ctx.spawn"
        )
        raise PluginError(f"{hook} is async: {remedy}")
    wraps = options["wrapper"]
    if options["hookwrapper"] or wraps != (hook == _TAP):
        raise PluginError(
            f"{_TAP}, and no other hook, is implemented with @hookimpl(wrapper=True); "
            f"{hook} is marked otherwise"
        )
    if wraps != inspect.isgeneratorfunction(function):
        raise PluginError(f"{hook} {'has no' if wraps else 'must have no'} yield")
    _judge_arguments(hook, function)


def _judge_arguments(hook: str, function: Any) -> None:
    offered = [
        name for name in inspect.signature(getattr(Hooks, hook)).parameters if name != "self"
    ]
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not parameter.POSITIONAL_OR_KEYWORD:
            raise PluginError(f"{hook}: the argument {name} is {parameter.kind.description}")
        if parameter.default is not parameter.empty:
            raise PluginError(f"{hook}: the argument {name} has a default, so it would be left out")
        if name not in offered:
            raise PluginError(
                f"{hook} takes an argument {name}; it may take {', '.join(offered) or 'none'}"
            )


def _implementations(plugin: object, name: str) -> dict[str, pluggy.HookImpl]:
    manager = new_plugin_manager()
    try:
        manager.register(plugin, name)
    except pluggy.PluginValidationError as error:
        raise PluginError(" ".join(str(error).split())) from error
    callers = manager.get_hookcallers(plugin) or []
    return {caller.name: caller.get_hookimpls()[0] for caller in callers}
