"""Templates compiled by Jinja2 and kept: it generates the code, and the map of its lines."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jinja2 import Environment, Template, nodes
from jinja2.compiler import CodeGenerator, Frame

from .builder import Builder, Site
from .dialect import KESTRA, Dialect
from .errors import ExpressionError, ExpressionSyntaxError
from .evaluation import Evaluation
from .operations import OPERATIONS
from .parser import parse

if TYPE_CHECKING:
    from . import tree

__all__ = ["Compiled", "compile_template"]

CACHED = 1000


@dataclass(frozen=True, slots=True)
class Compiled:
    template: Template
    sites: list[Site]
    blocks: dict[str, str]
    dialect: Dialect
    statements: tuple[tree.Statement, ...] = field(repr=False, default=())

    def evaluation(self) -> Evaluation:
        return Evaluation(ENVIRONMENT, {}, None, self.template.blocks)

    def site_of(self, error: BaseException, number: int) -> Site:
        """Return where in this template *error* arose: the innermost frame of its code, else site *number*."""
        namespace, step = self.template.root_render_func.__globals__, error.__traceback__
        while step is not None:
            if step.tb_frame.f_globals is namespace:
                number = self.template.get_corresponding_lineno(step.tb_lineno)
            step = step.tb_next
        return self.sites[number - 1] if number <= len(self.sites) else Site(1, None)


class Generator(CodeGenerator):
    """Jinja2's generator with three differences: values are yielded as they are, with their site; an operand that
    must wait is a lambda; a node of another site begins a line of its own."""

    def visit_Output(self, node: nodes.Output, frame: Frame) -> None:  # noqa: N802 - Jinja2's name
        for child in node.nodes:
            self.writeline("yield ", child)
            self.visit(child, frame)

    def visit_MarkSafe(self, node: nodes.MarkSafe, frame: Frame) -> None:  # noqa: N802
        # Jinja2 has no node for a thunk; this one has a single child, and Pebble has no use for it
        self.write("(lambda: ")
        self.visit(node.expr, frame)
        self.write(")")

    def visit_Filter(self, node: nodes.Filter, frame: Frame) -> None:  # noqa: N802
        elsewhere = node.lineno != self._last_line
        if elsewhere:
            self.write("(")
            self.newline(node)
        super().visit_Filter(node, frame)
        if elsewhere:
            self.write(")")


class PebbleEnvironment(Environment):
    code_generator_class = Generator
    context_class = Evaluation


def _environment() -> PebbleEnvironment:
    environment = PebbleEnvironment(optimized=False, cache_size=0, autoescape=False)
    environment.filters.clear()
    environment.tests.clear()
    environment.globals.clear()
    environment.filters.update(OPERATIONS)
    return environment


ENVIRONMENT = _environment()
_cache: OrderedDict[tuple[str, Dialect], Compiled] = OrderedDict()


def compile_template(text: str, dialect: Dialect = KESTRA) -> Compiled:
    """Return *text* compiled, from the cache if it was met before (the last 1,000, as Kestra keeps them)."""
    key = text, dialect
    found = _cache.get(key)
    if found is None:
        found = _cache[key] = _compile(text, dialect)
        if len(_cache) > CACHED:
            _cache.popitem(last=False)
    return found


def _compile(text: str, dialect: Dialect) -> Compiled:
    try:
        statements = parse(text, trim_newline=dialect.trim_newline)
        builder = Builder(dialect)
        root = builder.template(statements)
        root.set_environment(ENVIRONMENT)
        template = ENVIRONMENT.from_string(root)
    except ExpressionError:
        raise
    except (RecursionError, MemoryError, SyntaxError, OverflowError, SystemError):
        raise ExpressionSyntaxError("The template is nested too deeply or too long to be compiled") from None
    return Compiled(template, builder.sites, builder.blocks, dialect, statements)
