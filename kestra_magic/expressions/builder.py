"""A tree to Jinja2's node tree.

Every operation is a `nodes.Filter` with a name that no template can write, which Jinja2 compiles to a direct call.
No node reads a name, an attribute or an item of Jinja2's: there is nothing to sandbox. The line of each node is not
a line but the number of a *site*, (line, expression); Jinja2's line map gives it back when something fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2 import nodes

from ..errors import did_you_mean
from . import tree
from .errors import ExpressionSyntaxError
from .operations import OPERATIONS, REGISTRY, Registered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .dialect import Dialect

__all__ = ["Builder", "Site"]

_CONTEXT = nodes.ContextReference()
_WRAPPING = {"+", "-", "*", "/", "%", "==", "equals", "!=", "<", ">", "<=", ">="}


@dataclass(frozen=True, slots=True)
class Site:
    """A place of a template: a line, and the expression with its delimiters (None for the text around them)."""

    line: int
    expression: str | None


class Builder:
    """Builds the nodes of one template, and lists its sites and its blocks."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.asking = ":" if dialect.strict else "?"
        self.sites: list[Site] = []
        self.numbers: dict[Site, int] = {}
        self.macros: dict[str, tuple[str, tree.Macro]] = {}
        self.blocks: dict[str, str] = {}
        self.last: dict[str, tree.Block] = {}  # of several blocks of one name all print the last, be it within
        self.bodies: list[nodes.Block] = []
        self.source: str | None = None
        self.catching = 0
        self.capturing = 0

    def template(self, statements: tuple[tree.Statement, ...]) -> nodes.Template:
        self._register(statements)
        body = self._body(statements)
        while_never = nodes.If(nodes.Const(False), list(self.bodies), [], [], lineno=1)
        return nodes.Template([*body, while_never] if self.bodies else body, lineno=1)

    def _site(self, line: int, source: str | None = None) -> int:
        site = Site(line, source)
        if site not in self.numbers:
            self.sites.append(site)
            self.numbers[site] = len(self.sites)
        return self.numbers[site]

    # macros and blocks are known before they are reached; those inside a filter tag never are

    def _register(self, statements: Iterable[tree.Statement]) -> None:
        for statement in statements:
            match statement:
                case tree.Macro(name=name, line=line, source=source, body=body):
                    if name in self.macros:
                        what = f"More than one macro can not share the same name: {name}"
                        raise ExpressionSyntaxError(what, expression=source, line=line)
                    self.macros[name] = (f"m{len(self.macros)}", statement)
                    self._register(body)
                case tree.Block(name=name, body=body):
                    self.blocks.setdefault(name, f"b{len(self.blocks)}")
                    self.last[name] = statement
                    self._register(body)
                case tree.If(branches=branches, otherwise=otherwise):
                    for _, _, body in branches:
                        self._register(body)
                    self._register(otherwise)
                case tree.For(body=body, otherwise=otherwise):
                    self._register((*body, *otherwise))

    # statements

    def _body(self, statements: Iterable[tree.Statement]) -> list[nodes.Node]:
        return [node for statement in statements for node in self._statement(statement)]

    def _statement(self, statement: tree.Statement) -> list[nodes.Node]:
        match statement:
            case tree.Text(line=line, text=text):
                return [self._output(nodes.Const(text), self._site(line))]
            case tree.Print(line=line, source=source, value=value):
                self.source = source
                number = self._site(line, source)
                return [self._output(self._expression(value), number)]
            case tree.If():
                return [self._if(statement)]
            case tree.For():
                return [self._for(statement)]
            case tree.Set(line=line, source=source, name=name, value=value):
                self.source = source
                node = self._operation(":set", _CONTEXT, nodes.Const(name), self._expression(value), line=line)
                return [nodes.ExprStmt(node, lineno=node.lineno)]
            case tree.Macro(name=name):
                if self.macros.get(name, ("", None))[1] is statement:
                    self._macro(statement)
                return []
            case tree.Block():
                return self._block(statement)
            case tree.FilterTag():
                return [self._filter_tag(statement)]

    def _output(self, value: nodes.Expr, number: int) -> nodes.Output:
        pair = nodes.Tuple([value, nodes.Const(number)], "load", lineno=number)
        return nodes.Output([pair], lineno=number)

    def _if(self, statement: tree.If) -> nodes.If:
        built: list[nodes.If] = []
        for source, condition, body in statement.branches:
            self.source = source
            line = condition.line
            test = self._operation(f"{self.asking}if", self._shield(condition), line=line)
            built.append(nodes.If(test, self._body(body) or _nothing(), [], [], lineno=test.lineno))
        first, *others = built
        return nodes.If(first.test, first.body, others, self._body(statement.otherwise), lineno=first.lineno)

    def _for(self, statement: tree.For) -> nodes.For:
        self.source = statement.source
        iterable = self._expression(statement.iterable)
        each = self._operation(":for", _CONTEXT, nodes.Const(statement.name), iterable, line=statement.line)
        number = each.lineno
        has_item = nodes.Name("item", "load", lineno=number)
        body = self._body(statement.body) or _nothing()
        step = nodes.If(has_item, body, [], self._body(statement.otherwise), lineno=number)
        return nodes.For(nodes.Name("item", "store", lineno=number), each, [step], [], None, False, lineno=number)

    def _capture(self, name: str, body: list[nodes.Node]) -> None:
        self.bodies.append(nodes.Block(name, body, False, False, lineno=1))

    def _inside(self, statements: tuple[tree.Statement, ...]) -> list[nodes.Node]:
        """Build a body that may run below a `??` somewhere else: all that Pebble wraps must be shielded."""
        self.catching += 1
        body = self._body(statements)
        self.catching -= 1
        return body

    def _macro(self, macro: tree.Macro) -> None:
        start: list[nodes.Node] = []
        for name, default in macro.arguments.named:
            self.source = macro.source
            value = nodes.Const(None) if default is None else self._expression(default)
            node = self._operation(":argument", _CONTEXT, nodes.Const(name), value, line=macro.line)
            start.append(nodes.ExprStmt(node, lineno=node.lineno))
        enter = self._operation(":enter", _CONTEXT, line=macro.line)
        start.append(nodes.ExprStmt(enter, lineno=enter.lineno))
        self._capture(self.macros[macro.name][0], start + self._inside(macro.body))

    def _block(self, block: tree.Block) -> list[nodes.Node]:
        name = self.blocks.get(block.name) if not self.capturing else None
        if name is None:
            return []
        body = self._inside(block.body)
        if self.last[block.name] is block:
            self._capture(name, body)
        self.source = block.source
        parts = self._operation(":place", _CONTEXT, nodes.Const(name), line=block.line)
        number = parts.lineno
        item = nodes.Name("item", "load", lineno=number)
        loop = nodes.Name("item", "store", lineno=number)
        return [nodes.For(loop, parts, [nodes.Output([item], lineno=number)], [], None, False, lineno=number)]

    def _filter_tag(self, tag: tree.FilterTag) -> nodes.Output:
        self.capturing += 1
        body = self._inside(tag.body)
        self.capturing -= 1
        name = f"f{len(self.bodies)}x{len(self.sites)}"
        self._capture(name, body)
        self.source = tag.source
        value: nodes.Expr = self._operation(":captured", _CONTEXT, nodes.Const(name), line=tag.line)
        for line, filter_name, arguments in tag.filters:
            operand = nodes.MarkSafe(value) if filter_name == "default" else value
            value = self._filter(filter_name, operand, arguments, line)
        return self._output(value, self._site(tag.line, tag.source))

    # expressions

    def _operation(self, name: str, *operands: nodes.Expr, line: int, **named: nodes.Expr) -> nodes.Filter:
        first, *rest = operands
        keywords = [nodes.Keyword(key, value) for key, value in named.items()]
        return nodes.Filter(first, name, rest, keywords, None, None, lineno=self._site(line, self.source))

    def _fail(self, what: str, line: int, near: str = "") -> nodes.Filter:
        return self._operation(":fail", nodes.Const(what), nodes.Const(near), line=line)

    def _lazy(self, expression: tree.Expression) -> nodes.Expr:
        return nodes.MarkSafe(self._expression(expression))

    def _caught(self, expression: tree.Expression) -> nodes.Expr:
        """Build an operand whose missing names are caught, unless Pebble wraps them on the way."""
        self.catching += 1
        built = self._lazy(expression)
        self.catching -= 1
        return built

    def _shield(self, expression: tree.Expression) -> nodes.Expr:
        if self.catching and not isinstance(expression, tree.Const):
            return self._operation(":shield", self._lazy(expression), line=expression.line)
        return self._expression(expression)

    def _expression(self, expression: tree.Expression) -> nodes.Expr:
        line = expression.line
        match expression:
            case tree.Const(value=value):
                return self._const(value, line)
            case tree.Name(name=name):
                return self._operation(":read", _CONTEXT, nodes.Const(name), line=line)
            case tree.Attribute():
                return self._attribute(expression)
            case tree.Items(items=items):
                return nodes.List([self._expression(item) for item in items])
            case tree.Pairs(pairs=pairs):
                built = [nodes.Tuple([self._expression(k), self._expression(v)], "load") for k, v in pairs]
                return self._operation(":map", nodes.List(built), line=line)
            case tree.Unary(operator=operator, operand=operand):
                name = f"{self.asking}not" if operator == "not" else self._of_version(f"unary {operator}")
                return self._operation(name, self._expression(operand), line=line)
            case tree.Binary():
                return self._binary(expression)
            case tree.Ternary(test=test, then=then, otherwise=otherwise):
                asked = self._operation(":ternary", self._expression(test), line=line)
                return nodes.CondExpr(asked, self._expression(then), self._expression(otherwise))
            case tree.Filter(operand=operand, name=name, arguments=arguments):
                lazily = name == "default"
                value = self._caught(operand) if lazily else self._expression(operand)
                return self._filter(name, value, arguments, line)
            case tree.Test():
                return self._test(expression)
            case tree.Call():
                return self._call(expression)

    def _const(self, value: object, line: int) -> nodes.Expr:
        if value.__class__ in (str, bool) or value is None:
            return nodes.Const(value)
        if isinstance(value, float) and value == float("inf"):
            return self._operation(":infinity", nodes.Const(None), line=line)
        if isinstance(value, float):
            return nodes.Const(value)
        return self._operation(":long", nodes.Const(int(value)), line=line)  # type: ignore[call-overload]

    def _attribute(self, node: tree.Attribute) -> nodes.Expr:
        owner, key = self._expression(node.owner), self._expression(node.key)
        name = "." if self.dialect.strict else "?."
        root = node.owner.name if isinstance(node.owner, tree.Name) and self.dialect.strict else None
        if node.arguments is not None:
            arguments = nodes.Tuple([self._expression(value) for value in node.arguments], "load")
            return self._operation(f"{name}()", owner, key, arguments, line=node.line)
        operands = (owner, key) if root is None else (owner, key, nodes.Const(root))
        return self._operation(name, *operands, line=node.line)

    def _binary(self, node: tree.Binary) -> nodes.Expr:
        operator, line = node.operator, node.line
        if operator in ("and", "or"):
            left, right = (
                self._operation(f"{self.asking}truth", self._expression(side), line=side.line)
                for side in (node.left, node.right)
            )
            return (nodes.And if operator == "and" else nodes.Or)(left, right)
        if operator in ("??", "???"):
            return self._operation(operator, self._caught(node.left), self._lazy(node.right), line=line)
        if operator == "contains":
            return self._operation(operator, self._expression(node.left), self._lazy(node.right), line=line)
        if operator == "..":
            return self._operation(
                "range()", _CONTEXT, self._expression(node.left), self._expression(node.right), line=line
            )
        if operator in ("~", "+"):
            sides = [self._shield(side) if operator == "+" else self._expression(side) for side in _chain(node)]
            return self._operation(self._of_version(operator), *sides, line=line)
        build = self._shield if operator in _WRAPPING else self._expression
        return self._operation(self._of_version(operator), build(node.left), build(node.right), line=line)

    def _of_version(self, operator: str) -> str:
        return operator if self.dialect.newer or f"3.2 {operator}" not in OPERATIONS else f"3.2 {operator}"

    def _filter(self, name: str, value: nodes.Expr, arguments: tree.Arguments, line: int) -> nodes.Expr:
        known = REGISTRY.filters.get(name)
        if known is None or not self.dialect.knows(name):
            return self._unknown("Filter", name, line)
        return self._invoke(f"|{name}", known, (value,), arguments, line)

    def _unknown(self, what: str, name: str, line: int) -> nodes.Expr:
        sentence, near = REGISTRY.unknown(what, name)
        return self._fail(sentence, line, near)

    def _invoke(
        self, name: str, known: Registered, first: tuple[nodes.Expr, ...], arguments: tree.Arguments, line: int
    ) -> nodes.Expr:
        """Build a call; what is wrong with its arguments is said only when it is reached, as in Pebble."""
        positional = [self._expression(argument) for argument in arguments.positional]
        named = [(key, self._expression(v) if v is not None else nodes.Const(None)) for key, v in arguments.named]
        if known.names is None:
            if known.variadic:
                return self._operation(name, *first, *positional, line=line)
            call = self._operation(name, *first, line=line)
            extra = [*positional, *(value for _, value in named)]
            return self._operation(":first", call, *extra, line=line) if extra else call
        if len(positional) > len(known.names):
            which, many = len(known.names) + 1, len(known.names)
            return self._fail(
                f"The argument at position {which} is not allowed. Only {many} argument(s) are allowed", line
            )
        keywords = {}
        for key, value in named:
            if key not in known.names:
                return self._fail(
                    f"The following named argument does not exist: {key}", line, did_you_mean(key, known.names)
                )
            if key in known.names[: len(positional)]:  # given twice: the one with the name counts
                positional[known.names.index(key)] = value
            else:
                keywords[known.parameter(key)] = value
        lacking = [n for n in known.names[len(positional) : known.required - 1] if known.parameter(n) not in keywords]
        if lacking:
            return self._fail(f"The '{name.strip('|()')}' {known.kind} expects an argument '{lacking[0]}'", line)
        return self._operation(name, *first, *positional, line=line, **keywords)

    def _test(self, node: tree.Test) -> nodes.Expr:
        known = REGISTRY.tests.get(node.name)
        if known is None:
            return self._unknown("Test", node.name, node.line)
        value = self._caught(node.operand) if node.name == "defined" else self._expression(node.operand)
        asked = self._invoke(f"is {node.name}", known, (value,), node.arguments, node.line)
        return nodes.Not(asked) if node.negated else asked

    def _call(self, node: tree.Call) -> nodes.Expr:
        name, line = node.name, node.line
        if name == "block":
            if not node.arguments.positional:
                return self._fail("block() needs the name of a block", line)
            return self._operation(":block", _CONTEXT, self._expression(node.arguments.positional[0]), line=line)
        if name == "parent":
            return self._fail("parent() is of no use: Kestra switches `extends` off", line)
        known = REGISTRY.functions.get(name)
        if known is not None and self.dialect.knows(name):
            return self._invoke(f"{name}()", known, (_CONTEXT,), node.arguments, line)
        if name in self.macros:
            return self._call_macro(*self.macros[name], node.arguments, line)
        return self._unknown("Function or Macro", name, line)

    def _call_macro(self, block: str, macro: tree.Macro, arguments: tree.Arguments, line: int) -> nodes.Expr:
        names = [name for name, _ in macro.arguments.named]
        given = [*zip(names or map(str, range(len(arguments.positional))), arguments.positional, strict=False)]
        if names and len(arguments.positional) > len(names):
            which = len(names) + 1
            return self._fail(
                f"The argument at position {which} is not allowed. Only {len(names)} argument(s) are allowed", line
            )
        for key, value in arguments.named:
            if names and key not in names:
                return self._fail(f"The following named argument does not exist: {key}", line)
            given.append((key, value or tree.Const(line, None)))
        pairs = [nodes.Pair(nodes.Const(key), self._expression(value)) for key, value in given]
        return self._operation(":macro", _CONTEXT, nodes.Const(block), nodes.Dict(pairs), line=line)


def _chain(node: tree.Binary) -> list[tree.Expression]:
    """Return the operands of `a ~ b ~ c`, so that a long chain is one call and no deep nest."""
    operands: list[tree.Expression] = []
    left: tree.Expression = node
    while isinstance(left, tree.Binary) and left.operator == node.operator:
        operands.append(left.right)
        left = left.left
    return [left, *reversed(operands)]


def _nothing() -> list[nodes.Node]:
    return [nodes.ExprStmt(nodes.Const(None), lineno=1)]
