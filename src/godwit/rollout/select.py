"""Which channels a wave fits: its conditions, the `match` language and the stable share.

The `match` language is a small part of Python's expressions, read by Python's parser and then built up from
functions of our own: comparisons, `and`, `or`, `not`, `in`, constants, `startswith` and `endswith` over the facts
of `FACTS`. Nothing of it is ever handed to `eval`, and a comparison that makes no sense is refused when it is read.
"""

from __future__ import annotations

import ast
import difflib
import operator
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Literal

from godwit.errors import InvalidRequest
from godwit.rollout.values import Candidate, Wave

Test = Callable[[Candidate], bool]
_Get = Callable[[Candidate], Any]
_Type = Literal["text", "number", "flag"]

FACTS: dict[str, tuple[_Type, str]] = {
    "channel": ("text", "the channel's name, without `#`"),
    "cluster": ("text", "where it is"),
    "tier": ("text", '"staff", "partner", "affiliate" or ""'),
    "opt": ("text", '"in", "out" or ""'),
    "members": ("number", "the most members it has had at once"),
    "rate": ("number", "messages per second at its peak"),
    "live": ("flag", "whether its stream runs"),
}
"""What `match` may speak of: type and meaning."""

_GET: dict[str, _Get] = {
    "channel": lambda candidate: candidate.placement.channel,
    "cluster": lambda candidate: candidate.placement.segment.cluster,
    "tier": lambda candidate: candidate.facts.tier,
    "opt": lambda candidate: candidate.facts.opt,
    "members": lambda candidate: candidate.facts.members,
    "rate": lambda candidate: candidate.facts.rate,
    "live": lambda candidate: candidate.live,
}

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}

FUNCTIONS: dict[str, Callable[[str, str], bool]] = {"startswith": str.startswith, "endswith": str.endswith}

ALLOWED = (
    "allowed are comparisons, and, or, not, in, constants, startswith(text, text) and endswith(text, text) over "
    + ", ".join(FACTS)
)
LARGEST = 400
"""Parts that an expression may have: nesting is bounded by it."""


def matcher(text: str) -> Test:
    """Read a `match` expression.

    Raises:
        InvalidRequest: it is something else; says what is allowed.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval")
        if sum(1 for _ in ast.walk(tree)) > LARGEST:
            raise InvalidRequest("it is too long: name channels with channels or file, or make several waves")
        kind, get = _read(tree.body)
    except SyntaxError as error:
        raise InvalidRequest(f"'{text}' is no condition ({error.msg}): {ALLOWED}") from None
    except (ValueError, RecursionError, MemoryError):
        raise InvalidRequest(f"it cannot be read: {ALLOWED}") from None
    if kind != "flag":
        raise InvalidRequest(f"'{text}' is a {kind}, not a condition: compare it with something")
    return get


def _refuse(node: ast.AST, why: str) -> InvalidRequest:
    return InvalidRequest(f"'{ast.unparse(node)}' {why}")


def _read(node: ast.expr) -> tuple[_Type, _Get]:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() as value):
            return _type_of(value), lambda _: value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)) if value is not True:
            return "number", lambda _: -value
        case ast.Name(id=name) if name in FACTS:
            return FACTS[name][0], _GET[name]
        case ast.Name(id=name):
            near = difflib.get_close_matches(name, [*FACTS, *FUNCTIONS, "True", "False"], 1)
            hint = f"did you mean {near[0]}?" if near else ALLOWED
            raise InvalidRequest(f"'{name}' is no fact: {hint}")
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _flag(operand)
            return "flag", lambda candidate: not inner(candidate)
        case ast.BoolOp(op=op, values=values):
            tests = [_flag(value) for value in values]
            every = all if isinstance(op, ast.And) else any
            return "flag", lambda candidate: every(test(candidate) for test in tests)
        case ast.Compare(left=left, ops=ops, comparators=rights):
            pairs = zip([left, *rights], ops, rights, strict=False)
            links = [_link(one, op, other) for one, op, other in pairs]
            return "flag", links[0] if len(links) == 1 else lambda candidate: all(link(candidate) for link in links)
        case ast.Call(func=ast.Name(id=name), args=[one, other], keywords=[]) if name in FUNCTIONS:
            function, text, part = FUNCTIONS[name], _text(one), _text(other)
            return "flag", lambda candidate: function(text(candidate), part(candidate))
    raise _refuse(node, f"is not allowed in a condition: {ALLOWED}")


def _type_of(value: object) -> _Type:
    if isinstance(value, bool):
        return "flag"
    return "text" if isinstance(value, str) else "number"


def _flag(node: ast.expr) -> _Get:
    kind, get = _read(node)
    if kind != "flag":
        raise _refuse(node, f"is a {kind}, not a condition: compare it with something")
    return get


def _text(node: ast.expr) -> _Get:
    kind, get = _read(node)
    if kind != "text":
        raise _refuse(node, f"is a {kind}: a text is needed here")
    return get


def _link(left: ast.expr, op: ast.cmpop, right: ast.expr) -> _Get:
    """One comparison."""
    compare = _COMPARE.get(type(op))
    if compare is None:
        raise InvalidRequest(f"'is' is not allowed in a condition: use ==; {ALLOWED}")
    kind, one = _read(left)
    if isinstance(op, ast.In | ast.NotIn) and isinstance(right, ast.Tuple | ast.List | ast.Set):
        choices = frozenset(_choice(element, kind) for element in right.elts)
        wanted = isinstance(op, ast.In)
        return lambda candidate: (one(candidate) in choices) is wanted
    other_kind, other = _read(right)
    if isinstance(op, ast.In | ast.NotIn) and "text" not in {kind} & {other_kind}:
        raise _refuse(right, 'is nothing that something can be in: write a list such as ["a", "b"], or a text')
    if kind != other_kind:
        raise _refuse(left, f"is a {kind} and '{ast.unparse(right)}' a {other_kind}: they cannot be compared")
    return lambda candidate: compare(one(candidate), other(candidate))


def _choice(node: ast.expr, kind: _Type) -> object:
    """A constant of a list behind `in`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float | str):
        if _type_of(node.value) == kind:
            return node.value
        raise _refuse(node, f"stands in a list that is searched for a {kind}")
    raise _refuse(node, "is not allowed in a list: only constants are")


def share(rollout: str, channel: str) -> float:
    """Where a channel stands between 0 and 100, for `percent`; the same at every look.

    Both names go into the hash: within a rollout whoever is among the first 10 percent is among the first 20 too,
    but it is not the same channels that go first in every rollout.
    """
    digest = blake2b(f"{rollout}\n{channel}".encode(), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48 * 100


def fits(wave: Wave, rollout: str) -> Test:
    """All conditions of a wave as one test; opting out is none of them."""
    tests: list[Test] = []
    if wave.channels:
        names = frozenset(wave.channels)
        tests.append(lambda candidate: candidate.placement.channel in names)
    if wave.tiers:
        tests.append(lambda candidate: candidate.facts.tier in wave.tiers)
    if wave.opt_in:
        tests.append(lambda candidate: candidate.facts.opt == "in")
    if (least := wave.min_members) is not None:
        tests.append(lambda candidate: candidate.facts.members >= least)
    if (most := wave.max_members) is not None:
        tests.append(lambda candidate: candidate.facts.members <= most)
    if (percent := wave.percent) is not None:
        tests.append(lambda candidate: share(rollout, candidate.placement.channel) < percent)
    if wave.match:
        tests.append(matcher(wave.match))
    return lambda candidate: all(test(candidate) for test in tests)
