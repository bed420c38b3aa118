"""One rendering while it runs: Pebble's scopes, loops, macros and blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2.runtime import Context

from .errors import ExpressionError, MissingError
from .values import MAX_ITEMS, MAX_TEXT, Array, Entry, Group, Loop, Macroed, show_plain, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jinja2 import Template

    from .compiler import Compiled
    from .functions import Host

__all__ = ["MAX_STEPS", "Evaluation", "Layer"]

MAX_STEPS = 4 * MAX_ITEMS


class Layer(dict[str, object]):
    """The names that one loop, macro or template has set; a macro's is local: nothing outside it is seen."""

    __slots__ = ("local", "outer")

    def __init__(self, outer: Layer | None, *, local: bool = False) -> None:
        self.outer, self.local = outer, local


class Evaluation(Context):
    """What the compiled template gets as its Jinja2 context: all that an expression can reach.

    It holds none of Jinja2's own names; every name is looked up in the layers and then in the variables.
    """

    def begin(self, compiled: Compiled, variables: Mapping[str, object], host: Host) -> Evaluation:
        self.compiled, self.variables, self.host = compiled, variables, host
        self.layer = Layer(None)
        self.calls: list[dict[str, object]] = []
        self.steps = 0
        return self

    @property
    def template(self) -> Template:
        return self.compiled.template

    def count(self, steps: int) -> None:
        """Account for items made or looped over, so that no template works for ever."""
        self.steps += steps
        if self.steps > MAX_STEPS:
            raise ExpressionError(f"The template makes or visits more than {MAX_STEPS:,} items")

    # names

    def read(self, name: str) -> object:
        layer: Layer | None = self.layer
        while layer is not None:
            if name in layer:
                return layer[name]
            if layer.local:
                return self._missing(name)
            layer = layer.outer
        try:
            return self.variables[name]
        except KeyError:
            return self._missing(name)

    def _missing(self, name: str) -> object:
        if not self.compiled.dialect.strict:
            return None
        raise MissingError(name, self.visible)

    def visible(self) -> dict[str, None]:
        """Return the names an expression can read here, innermost first."""
        names: dict[str, None] = {}
        layer: Layer | None = self.layer
        while layer is not None:
            names |= dict.fromkeys(layer)
            if layer.local:
                return names
            layer = layer.outer
        return names | dict.fromkeys(self.variables)

    def layered(self) -> dict[str, object]:
        """Return what the template itself has set and can see here."""
        names: dict[str, object] = {}
        layer: Layer | None = self.layer
        while layer is not None:
            names = {**layer, **names}
            layer = None if layer.local else layer.outer
        return names

    def everything(self) -> dict[str, object]:
        """Return Kestra's variables and what the template has set: what `fetchContext()` shows."""
        roots = getattr(self.variables, "roots", self.variables)
        return {name: self.variables[name] for name in roots} | self.layered()

    def get_variable(self, name: str) -> Any:
        """Return a variable, or None: what Kestra's own functions do with `flow`, `taskrun` and the like."""
        return self.variables.get(name)

    def write(self, name: str, value: object) -> None:
        """`{% set %}`: changes the nearest variable of that name, else makes one in the innermost scope."""
        layer: Layer | None = self.layer
        while layer is not None:
            if layer.local or name in layer:
                layer[name] = value
                return
            layer = layer.outer
        if name in getattr(self.variables, "fixed", ()):
            raise ExpressionError(f"`{name}` is one of Kestra's own variables: it can not be set")
        self.layer[name] = value

    # loops

    def each(self, name: str, iterable: object) -> Iterator[bool]:
        """Yield True for each item, having set *name* and `loop`; False once if there is none, nothing for null."""
        if iterable is None:
            return
        items = _items(iterable)
        if not items:
            yield False
            return
        outer, self.layer = self.layer, Layer(self.layer)
        loop = Loop(len(items))
        for loop.index, item in enumerate(items):
            self.count(1)
            self.layer["loop"] = loop
            self.layer[name] = item
            yield True
        self.layer = outer

    # macros, blocks, filter tags: each is a render function of its own

    def captured(self, block: str) -> str:
        """Return what *block* prints; here maps and lists print as text."""
        parts: list[str] = []
        size = 0
        pieces: Any = self.template.blocks[block](self)
        for part, _ in pieces:
            said = show_plain(part)
            size += len(said)
            if size > MAX_TEXT:
                raise ExpressionError(f"The result would be longer than {MAX_TEXT:,} characters")
            parts.append(said)
        return "".join(parts)

    def macro(self, block: str, given: dict[str, object]) -> Macroed:
        """Call a macro: it sees its arguments and nothing else."""
        outer, self.layer = self.layer, Layer(self.layer, local=True)
        self.calls.append(given)
        printed = Macroed(self.captured(block))
        self.layer = outer
        return printed

    def argument(self, name: str, value: object) -> None:
        self.layer[name] = value

    def enter(self) -> None:
        """Put the arguments that were given before the defaults."""
        self.layer = Layer(self.layer)
        self.layer.update(self.calls.pop())

    def place(self, block: str) -> Iterator[object]:
        return self.template.blocks[block](self)

    def named_block(self, name: object) -> str:
        if name.__class__ is not str:
            raise ExpressionError(f"block() needs the name of a block, not {text(name)}")
        block = self.compiled.blocks.get(name)
        return self.captured(block) if block else ""


def _items(iterable: object) -> list[Any]:
    if isinstance(iterable, dict):
        return [Entry(key, value) for key, value in iterable.items()]
    if isinstance(iterable, (list, Group, Array)):
        return list(iterable)
    raise ExpressionError(f"Not an iterable object. Value = [{text(iterable)}]")
