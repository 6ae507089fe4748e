"""Parameters of functions and classes as in their source: kinds of values, defaults and descriptions."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple

from docstring_parser import DocstringStyle, ParseError
from docstring_parser import parse as parse_docstring

from gesturehand.cli.keys.source import Found, find_dotted, value_of

#: The default of an argument that has none and must be given.
REQUIRED: Final = ...
_PLAIN: Final = {name: name for name in ("int", "float", "bool", "str")} | {
    "ExistingPath": "path", "NonNegativeInt": "int", "PositiveInt": "int"
}  # fmt: skip
_LISTS: Final = ("list", "List", "tuple", "Tuple", "Iterable", "Sequence", "set", "Set")


@dataclass(frozen=True)
class Kind:
    """The values that a parameter takes.

    Attributes:
        words: Those that its type lists.
        types: Others: ``int``, ``float``, ``bool``, ``str``, ``path`` (an existing one), ``null``, ``list`` or
            ``other``.
        classes: Dotted names of the classes whose objects it takes.
        items: Kinds of a list's values: one for all, or one for each if their number is fixed; empty if not known.
        length: A list's length, if it is fixed.
    """

    words: tuple[Any, ...] = ()
    types: frozenset[str] = frozenset()
    classes: tuple[str, ...] = ()
    items: tuple["Kind", ...] = ()
    length: int | None = None

    def __or__(self, other: "Kind") -> "Kind":
        words = tuple(dict.fromkeys([*self.words, *other.words]))
        lists = self if "list" in self.types else other
        known = not {"list"} <= self.types & other.types  # if there are two kinds of lists, nothing is known
        return Kind(
            words,
            self.types | other.types,
            self.classes + other.classes,
            lists.items if known else (),
            lists.length if known else None,
        )

    @property
    def is_known(self) -> bool:
        """Whether it lists everything that it takes: words, numbers, true and false, and lists of these and of text."""
        return not self.types & {"str", "path", "other"} and ("list" not in self.types or bool(self.items))


class Parameter(NamedTuple):
    """A parameter.

    Attributes:
        name: Its name.
        kind: The values that it takes.
        default: Its value if none is given; :data:`REQUIRED` if one must be given.
        text: Its description, as in the docstring.
    """

    name: str
    kind: Kind
    default: Any
    text: str


class Signature(NamedTuple):
    """The parameters that a function or class takes.

    Attributes:
        parameters: In order; a class's own before those of its bases.
        text: The docstring without its sections.
        complete: Whether these are all; otherwise further ones are passed on to code that cannot be read.
    """

    parameters: tuple[Parameter, ...]
    text: str
    complete: bool


@cache
def signature_of(name: str) -> Signature | None:
    """The signature of a function or class; None if its source cannot be read.

    Args:
        name: Dotted name; a method is ``package.Class.method``.
    """
    found = find_dotted(name)
    if found is None and "." in name:  # a method
        owner, _, method = name.rpartition(".")
        home = find_dotted(owner)
        if home is not None and isinstance(home.node, ast.ClassDef):
            node = _method(home.node, method)
            found = None if node is None else Found(home.module, node)
    return None if found is None else _signature(found)


@cache
def bases_of(name: str) -> tuple[str, ...]:
    """Dotted names, in the defining modules, of a class and of all its bases whose source can be read."""
    found = find_dotted(name)
    if found is None or not isinstance(found.node, ast.ClassDef):
        return ()
    names = [f"{found.module}.{found.node.name}"]
    for base in _bases(found):
        names += bases_of(f"{base.module}.{base.node.name}")  # type: ignore[union-attr]
    return tuple(dict.fromkeys(names))


def kind_of(expression: ast.expr | None, module: str, depth: int = 0) -> Kind:
    """The values that an annotation allows.

    Args:
        expression: The annotation; None if there is none.
        module: The module in whose source it is used.
        depth: Number of aliases that led here.
    """
    match expression:
        case ast.Constant(value=None):
            return Kind(types=frozenset({"null"}))
        case ast.Constant(value=str(text)):
            try:
                return kind_of(ast.parse(text, mode="eval").body, module, depth)
            except SyntaxError:
                pass
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return kind_of(left, module, depth) | kind_of(right, module, depth)
        case ast.Subscript(value=value, slice=inner):
            return _kind_of_subscript(ast.unparse(value).rpartition(".")[2], inner, module, depth)
        case ast.Name(id=name) if name in _PLAIN:
            return Kind(types=frozenset({_PLAIN[name]}))
        case ast.Name(id=name) if name in _LISTS:
            return Kind(types=frozenset({"list"}))
        case ast.Name() | ast.Attribute():
            found = find_dotted(ast.unparse(expression), module)
            if found is not None and isinstance(found.node, ast.ClassDef):
                return Kind(types=frozenset({"other"}), classes=(f"{found.module}.{found.node.name}",))
            if found is not None and isinstance(found.node, ast.expr) and depth < 8:
                return kind_of(found.node, found.module, depth + 1)
    return Kind(types=frozenset({"other"}))


def _kind_of_subscript(name: str, inner: ast.expr, module: str, depth: int) -> Kind:
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if name == "Literal":
        words = [part.value for part in parts if isinstance(part, ast.Constant)]
        if len(words) == len(parts):
            return Kind(words=tuple(words))
    elif name in ("Union", "Optional"):
        kinds = [kind_of(part, module, depth) for part in parts]
        kind = Kind(types=frozenset({"null"} if name == "Optional" else ()))
        for each in kinds:
            kind |= each
        return kind
    elif name in _LISTS:
        repeated = isinstance(parts[-1], ast.Constant) and parts[-1].value is ...
        fixed = name.casefold() == "tuple" and not repeated
        items = tuple(kind_of(part, module, depth) for part in (parts[:-1] if repeated else parts))
        classes = tuple(c for item in items for c in item.classes)
        return Kind((), frozenset({"list"}), classes, items, len(items) if fixed else None)
    return Kind(types=frozenset({"other"}))


def _signature(found: Found) -> Signature | None:
    match found.node:
        case ast.FunctionDef() as node:
            return _signature_of_function(found.module, node)
        case ast.ClassDef():
            return _signature_of_class(found)
    return None


def _signature_of_function(module: str, node: ast.FunctionDef) -> Signature:
    """The parameters of a function, and of the class that gets all others, as in ``PhotoSettings(**settings)``."""
    text, described = _documented(node)
    parameters, passes_on = _parameters(module, node, described)
    taker = _taker(module, node) if passes_on else None
    if taker is None:
        return Signature(tuple(parameters), text, not passes_on)
    known = {parameter.name for parameter in parameters}
    parameters += [parameter for parameter in taker.parameters if parameter.name not in known]
    return Signature(tuple(parameters), text, taker.complete)


def _taker(module: str, node: ast.FunctionDef) -> Signature | None:
    assert node.args.kwarg is not None
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and f"**{node.args.kwarg.arg}" in map(ast.unparse, call.keywords):
            found = find_dotted(ast.unparse(call.func), module)
            return None if found is None else _signature(found)
    return None


def _signature_of_class(found: Found) -> Signature:
    """The constructor's parameters; arguments that it passes on are those of its base."""
    node = found.node
    assert isinstance(node, ast.ClassDef)
    text, described = _documented(node)
    constructor = _method(node, "__init__")
    parameters: list[Parameter] = []
    passes_on = True
    if constructor is not None:
        parameters, passes_on = _parameters(found.module, constructor, {**described, **_documented(constructor)[1]})
    elif is_record(node):
        bases = [_signature_of_class(base) for base in _bases(found)]
        fields = {parameter.name: parameter for base in bases for parameter in base.parameters}
        for part in node.body:
            if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                name, kind = part.target.id, kind_of(part.annotation, found.module)
                default = REQUIRED if part.value is None else _default(part.value, found.module)
                inherited = fields[name].text if name in fields else ""
                fields[name] = Parameter(name, kind, default, described.get(name, inherited))
        return Signature(tuple(fields.values()), text, len(bases) == len(node.bases))
    if not passes_on:
        return Signature(tuple(parameters), text, True)
    bases = [_signature_of_class(base) for base in _bases(found)]
    known = {parameter.name for parameter in parameters}
    for base in bases:
        parameters += [parameter for parameter in base.parameters if parameter.name not in known]
        known |= {parameter.name for parameter in base.parameters}
    # A class without bases only has the constructor of object; one whose bases cannot be read may have another.
    complete = len(bases) == len(node.bases) - _abstract(node) and all(base.complete for base in bases)
    return Signature(tuple(parameters), text, complete)


def is_record(node: ast.ClassDef) -> bool:
    """Whether a class is a dataclass, whose fields are its parameters."""
    return any(ast.unparse(decorator).partition("(")[0].endswith("dataclass") for decorator in node.decorator_list)


def _abstract(node: ast.ClassDef) -> int:
    """Number of bases without a constructor: ABC, Protocol, Generic, object."""
    return sum(ast.unparse(base).partition("[")[0] in ("ABC", "Protocol", "Generic", "object") for base in node.bases)


def _bases(found: Found) -> Iterator[Found]:
    assert isinstance(found.node, ast.ClassDef)
    for base in found.node.bases:
        if isinstance(base, ast.Name | ast.Attribute):
            home = find_dotted(ast.unparse(base), found.module)
            if home is not None and isinstance(home.node, ast.ClassDef):
                yield home


def _method(node: ast.ClassDef, name: str) -> ast.FunctionDef | None:
    return next((part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == name), None)


def _parameters(module: str, node: ast.FunctionDef, described: dict[str, str]) -> tuple[list[Parameter], bool]:
    """Parameters of a function, and whether it takes further ones."""
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    pairs = [*zip(positional, defaults, strict=True), *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    parameters = []
    for argument, default in pairs:
        if argument.arg in ("self", "cls"):
            continue
        parameters.append(
            Parameter(
                argument.arg,
                kind_of(argument.annotation, module),
                REQUIRED if default is None else _default(default, module),
                described.get(argument.arg, ""),
            )
        )
    return parameters, arguments.kwarg is not None


def _default(expression: ast.expr, module: str) -> Any:
    try:
        return value_of(expression, module)
    except ValueError:
        return ast.unparse(expression)


def _documented(node: ast.ClassDef | ast.FunctionDef) -> tuple[str, dict[str, str]]:
    """A docstring's text and its descriptions of parameters."""
    written = ast.get_docstring(node) or ""
    try:
        docstring = parse_docstring(written, style=DocstringStyle.GOOGLE)
    except ParseError:  # another library's style
        return written.partition("\n\n")[0], {}
    text = "\n\n".join(part for part in (docstring.short_description, docstring.long_description) if part)
    return text, {part.arg_name: part.description or "" for part in docstring.params}


def plain(text: str) -> str:
    """A docstring's text without its markup, on one line."""
    text = re.sub(r":\w+:`~?(?:[^`<]*<)?([^`>]*)>?`", lambda match: match[1].rpartition(".")[2], text)
    return " ".join(text.replace("``", "").split())


def first_sentence(text: str) -> str:
    """The first sentence of a docstring's text, without markup."""
    return re.split(r"(?<=[^.\d][.!?])\s+(?=[A-Z`])", plain(text), maxsplit=1)[0]
