"""What a mark in a page stands for, as MyST Markdown."""

from __future__ import annotations

from functools import partial
from inspect import getdoc, isclass, isfunction
from typing import TYPE_CHECKING, Any, Final, get_args

from docs._reference.constants import written_below
from docs._reference.docstrings import markdown, parse
from docs._reference.names import (
    CORE,
    Entry,
    default_of,
    entries,
    hook_names,
    hook_target,
    of_kind,
    sections,
    settings_of,
    targets,
)
from docs._reference.signatures import of_callable, of_class, type_text, value_text
from peerloom import NetworkConfig, PeerloomError, _errors
from peerloom._cli._app import build_app
from peerloom.plugin import Command, ConfigSection, Hooks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

HELP_WIDTH: Final = 90
CONFIG_TABLE: Final = (
    "| setting | default | variable | is |",
    "|---|---|---|---|",
)


def commands() -> str:
    """Every command, with what it answers and how long it may take."""
    return "\n".join(_lines(of_kind("commands"), _answer))


def events() -> str:
    """Every event."""
    return "\n".join(_lines(of_kind("events")))


def names(page: str) -> str:
    """Everything public of some packages that is no command, event, error, hook or setting."""
    return "\n".join(_lines(of_kind(page)))


def errors() -> str:
    """The tree of errors, and each of them."""
    tree = parse(_errors.__doc__).prose.partition("::\n\n")[2]
    block = "\n".join(line.removeprefix("    ") for line in tree.splitlines())
    return "\n".join((f"```text\n{block}\n```\n", *_lines(of_kind("errors"), _fault)))


def hooks() -> str:
    """Every hook, in the order in which a plugin meets them."""
    lines = [*_targets_of(Hooks), markdown(parse(Hooks.__doc__).prose, targets()), ""]
    for name in hook_names():
        lines += _heading(hook_target(name), name)
        lines += [_code(of_callable(name, getattr(Hooks, name))), ""]
        lines += [markdown(parse(getattr(Hooks, name).__doc__).prose, targets()), ""]
    return "\n".join(lines)


def settings() -> str:
    """Core's settings, and each section that a plugin reads."""
    lines = [*_targets_of(NetworkConfig), "## The node", "", *_settings_table(NetworkConfig, "")]
    for owner, section in sections():
        lines += [
            "",
            *_targets_of(section.config_class),
            f"## `[{section.name}]`",
            "",
            _about(owner, section),
            "",
        ]
        lines += _settings_table(section.config_class, section.name)
    return "\n".join(lines) + "\n"


def command_line() -> str:
    """The help of every command."""
    import typer  # noqa: PLC0415 - only this page needs it
    from typer.main import get_command  # noqa: PLC0415

    group: Any = get_command(build_app())
    lines: list[str] = []
    for name in sorted(one for one, command in group.commands.items() if not command.hidden):
        command = group.commands[name]
        context = typer.Context(command, info_name=f"peerloom {name}", terminal_width=HELP_WIDTH)
        lines += [f"## `peerloom {name}`", "", _code(command.get_help(context), "text"), ""]
    return "\n".join(lines)


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "commands": commands,
    "events": events,
    "errors": errors,
    "hooks": hooks,
    "settings": settings,
    **{page: partial(names, page) for page in ("names", "testing", "blocking", "cli", "plugins")},
    "command-line": command_line,
}


def _lines(entries: Iterable[Entry], note: Callable[[Entry], str] = lambda _: "") -> Iterator[str]:
    for entry in entries:
        yield from _heading(entry.target, entry.name)
        offered = ", ".join(entry.packages) if entry.is_exported else "not exported"
        yield from (f"*{offered}*", "", _code(_made(entry)), "")
        document = parse(own_doc(entry))
        yield from (markdown(document.prose, targets()), "")
        if remark := note(entry):
            yield from (remark, "")
        yield from _items(document.items)
        yield from _members(entry.thing)


def _heading(target: str, name: str) -> list[str]:
    return [f"({target})=", f"## `{name}`", ""]


def _code(text: str, language: str = "python") -> str:
    return f"```{language}\n{text}\n```"


def _made(entry: Entry) -> str:
    if isclass(entry.thing):
        return of_class(entry.name, entry.thing, targets())
    if isfunction(entry.thing):
        return of_callable(entry.name, entry.thing)
    if option := _option_of(entry.thing):
        flags = ", ".join(f'"{flag}"' for flag in (option.default, *option.param_decls))
        kind = type_text(get_args(entry.thing)[0])
        return f"{entry.name} = Annotated[{kind}, typer.Option({flags})]"
    if get_args(entry.thing):
        return f"{entry.name} = {type_text(entry.thing)}"
    return entry.name if callable(entry.thing) else f"{entry.name} = {value_text(entry.thing)}"


def own_doc(entry: Entry) -> str | None:
    """A class's or a function's docstring, an option's help, or what stands below a constant."""
    if isclass(entry.thing):
        return entry.thing.__doc__
    if option := _option_of(entry.thing):
        return str(option.help)
    if isfunction(entry.thing):
        return getdoc(entry.thing)
    return written_below(entry.packages[0]).get(entry.name)


def _option_of(thing: Any) -> Any:
    """What is written beside the type of an option of the command line."""
    return next(
        (one for one in getattr(thing, "__metadata__", ()) if hasattr(one, "param_decls")), None
    )


def _answer(entry: Entry) -> str:
    answers = next(
        (get_args(base) for base in entry.thing.__orig_bases__ if base.__origin__ is Command), ()
    )
    text = f"`{type_text(answers[0])}`" if type_text(answers[0]) else "nothing"
    return f"Answers {text}, within {entry.thing.timeout_seconds:g} s."


def _fault(entry: Entry) -> str:
    bases = [base.__name__ for base in entry.thing.__bases__ if issubclass(base, PeerloomError)]
    return f"Is a {', '.join(f'`{name}`' for name in bases)}." if bases else ""


def _items(items: Mapping[str, str]) -> Iterator[str]:
    for name, meaning in items.items():
        yield f"- `{name}`: {markdown(meaning, targets())}"
    yield ""


def _members(thing: Any) -> Iterator[str]:
    if not isclass(thing) or not thing.__module__.startswith("peerloom"):
        return
    for name, value in _named_in(thing):
        function = getattr(value, "__func__", value)
        if name.startswith("_"):
            continue
        if isinstance(value, property):
            yield from _member(name, value.__doc__)
        elif isfunction(function) and getdoc(getattr(thing, name)):
            yield from _member(of_callable(name, function), getdoc(getattr(thing, name)))


def _named_in(thing: type) -> Iterator[tuple[str, Any]]:
    """What a class has, and what it has from bases that nobody else sees."""
    private = [base for base in thing.__mro__[1:] if base.__name__.startswith("_")]
    for one in (thing, *private):
        yield from vars(one).items()


def _member(shown: str, doc: str | None) -> Iterator[str]:
    document = parse(doc)
    one_line = " ".join(shown.split()).replace("( ", "(").replace(",)", ")")
    meaning = markdown(document.prose, targets()).replace("\n", "\n  ")
    yield from (f"`{one_line}`", f": {meaning}")
    yield from (
        f"  - `{name}`: {markdown(text, targets())}" for name, text in document.items.items()
    )
    yield ""


def _targets_of(thing: type) -> list[str]:
    """Where links to a class lead that is shown as something else; none to a private one."""
    return [f"({entry.target})=" for entry in entries() if entry.thing is thing]


def _about(owner: str, section: ConfigSection) -> str:
    summary = section.summary or parse(section.config_class.__doc__).prose.splitlines()[0]
    whose = "Core's own." if owner == CORE else f"Read by `{owner}`."
    return f"{summary.rstrip('.')}. {whose}"


def _settings_table(config_class: type, section: str) -> list[str]:
    return [*CONFIG_TABLE, *_settings_rows(config_class, section)]


def _settings_rows(config_class: type, section: str) -> Iterator[str]:
    for path, owner, one in settings_of(config_class):
        meaning = markdown(parse(owner.__doc__).items[one.name], targets())
        yield _row(f"`{path}`", _shown(default_of(one)), _variable(section, path), meaning)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _variable(section: str, path: str) -> str:
    parts = [part for part in (section, *path.split(".")) if part]
    return f"`PEERLOOM_{'__'.join(parts).upper()}`"


def _shown(value: Any) -> str:
    if value is None or value == ():
        return "none"
    if isinstance(value, (tuple, list)):
        return ", ".join(f"`{one}`" for one in value)
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:,}" if isinstance(value, int) else f"`{value}`"
