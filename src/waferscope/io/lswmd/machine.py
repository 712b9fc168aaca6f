"""Pickle streams as plain values: a stack machine that calls nothing which a stream names.

The standard unpickler calls whatever a stream asks it to. This one knows the operations of
protocols 2 to 5 that build plain values, and a table of names that stand for stand-ins of our
own; a name outside the table, or another operation, ends the reading. There is no recursion, and
no memory beyond a small multiple of the bytes read.

Source: the opcodes as Python's ``pickletools`` documents them; PEP 307, 3154 and 574.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any, Final

from waferscope.errors import FormatError

_LONGEST_NAME: Final = 200
_PIECE: Final = 1 << 20
_HIGHEST: Final = 5
# What an operation raises on operands of another kind than it expects.
DAMAGE: Final = (
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    TypeError,
    UnicodeError,
    ValueError,
    struct.error,
)


@dataclass(slots=True, eq=False)
class Piece:
    """A stand-in for an object of the stream: what it is, its arguments, its state. No more."""

    kind: str
    args: tuple[Any, ...] = ()
    state: Any = None


@dataclass(frozen=True, slots=True)
class Name:
    """What a module and a name of the stream stand for; ``call`` builds the stand-in."""

    kind: str
    call: Callable[..., Any] | None = None

    def build(self, args: tuple[Any, ...]) -> Any:
        """Return what calling the name with these arguments stands for."""
        return Piece(self.kind, args) if self.call is None else self.call(*args)


def run(stream: IO[bytes], names: Mapping[tuple[str, str], Name], source: str) -> Any:
    """Return the value that a pickle stream builds out of plain values, `Piece` and ``names``.

    Byte strings of Python 2 stay bytes. Raises FormatError for a stream that is damaged, cut
    short, or asks for anything else.
    """
    machine = _Machine(stream, names, source)
    try:
        return machine.run()
    except DAMAGE as error:
        raise FormatError(
            f"Expected a sound pickle in {source}, got one that is cut short or damaged "
            f"({type(error).__name__}: {str(error)[:120]}). Fetch the file again."
        ) from error


class _Machine:
    """The stack, the stacks below marks, and the memo of one stream."""

    def __init__(
        self, stream: IO[bytes], names: Mapping[tuple[str, str], Name], source: str
    ) -> None:
        self.names, self.source, self.stream = names, source, stream
        self.read: Callable[[int], bytes] = stream.read
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        read, table = self.read, _OPERATIONS
        while True:
            code = read(1)
            if code == b".":
                return self.stack.pop()
            operation = table[code[0]]
            if operation is None:
                raise self.refused(f"the operation {code!r}")
            operation(self)

    def refused(self, what: str) -> FormatError:
        return FormatError(
            f"Expected a pickle of arrays in a pandas frame, got {what} in {self.source}. "
            "Nothing was run. Take the file from its publisher, or write Parquet instead."
        )

    def take(self, count: int) -> bytes:
        """Read exactly so many bytes; a false count costs no memory."""
        if count <= _PIECE:
            data = self.read(count)
            if len(data) < count:
                raise EOFError("the stream ends early")
            return data
        parts = []
        while count > 0:
            parts.append(self.take(min(count, _PIECE)))
            count -= _PIECE
        return b"".join(parts)

    def number(self, size: int, signed: bool = False) -> int:
        return int.from_bytes(self.take(size), "little", signed=signed)

    def since_mark(self) -> list[Any]:
        items = self.stack
        self.stack = self.below.pop()
        return items

    def named(self, module: object, name: object) -> Name:
        known = self.names.get((module, name)) if _are_texts(module, name) else None  # type: ignore[arg-type]
        if known is None:
            raise self.refused(f"the name {str(module)[:80]}.{str(name)[:80]}")
        return known


def _are_texts(*values: object) -> bool:
    return all(isinstance(value, str) for value in values)


def _constant(value: Any) -> Callable[[_Machine], None]:
    return lambda m: m.stack.append(value)


def _integer(size: int, signed: bool = False) -> Callable[[_Machine], None]:
    return lambda m: m.stack.append(int.from_bytes(m.take(size), "little", signed=signed))


def _long(size: int) -> Callable[[_Machine], None]:
    return lambda m: m.stack.append(m.number(m.number(size), signed=True))


def _bytes(size: int) -> Callable[[_Machine], None]:
    return lambda m: m.stack.append(m.take(m.number(size)))


def _text(size: int) -> Callable[[_Machine], None]:
    return lambda m: m.stack.append(m.take(m.number(size)).decode("utf-8", "surrogatepass"))


def _get(size: int) -> Callable[[_Machine], None]:
    return lambda m: m.stack.append(m.memo[int.from_bytes(m.take(size), "little")])


def _put(size: int) -> Callable[[_Machine], None]:
    def put(m: _Machine) -> None:
        m.memo[int.from_bytes(m.take(size), "little")] = m.stack[-1]

    return put


def _memoize(m: _Machine) -> None:
    m.memo[len(m.memo)] = m.stack[-1]


def _tuple(count: int) -> Callable[[_Machine], None]:
    def build(m: _Machine) -> None:
        if len(m.stack) < count:
            raise IndexError("a tuple of more than there is")
        m.stack[-count:] = [tuple(m.stack[-count:])]

    return build


def _mark(m: _Machine) -> None:
    m.below.append(m.stack)
    m.stack = []


def _marked_tuple(m: _Machine) -> None:
    items = m.since_mark()
    m.stack.append(tuple(items))


def _pop(m: _Machine) -> None:
    if m.stack:
        m.stack.pop()
    else:
        m.since_mark()


def _pop_mark(m: _Machine) -> None:
    m.since_mark()


def _frame(m: _Machine) -> None:
    m.take(8)


def _extend(m: _Machine, items: list[Any]) -> None:
    target = m.stack[-1]
    if not isinstance(target, list):
        raise TypeError("something appended to what is no list")
    target.extend(items)


def _set_items(m: _Machine, items: list[Any]) -> None:
    target, keys = m.stack[-1], items[::2]
    # Other keys could be nested so deep that hashing them would overflow the stack.
    if not isinstance(target, dict) or not all(isinstance(key, str | bytes | int) for key in keys):
        raise TypeError("an entry of what is no dict, or under a key that is no name")
    target.update(zip(keys, items[1::2], strict=True))


def _set_item(m: _Machine) -> None:
    value, key = m.stack.pop(), m.stack.pop()
    _set_items(m, [key, value])


def _global(m: _Machine) -> None:
    lines = []
    for _ in range(2):
        line = m.stream.readline(_LONGEST_NAME)
        if not line.endswith(b"\n"):
            raise m.refused("an endless name")
        lines.append(line[:-1].decode())
    m.stack.append(m.named(*lines))


def _stack_global(m: _Machine) -> None:
    name, module = m.stack.pop(), m.stack.pop()
    m.stack.append(m.named(module, name))


def _reduce(m: _Machine) -> None:
    args, name = m.stack.pop(), m.stack.pop()
    if not isinstance(name, Name) or not isinstance(args, tuple):
        raise m.refused("a call of something without a name")
    m.stack.append(name.build(args))


def _new_with_names(m: _Machine) -> None:
    if m.stack.pop():
        raise m.refused("an object built by keywords")
    _reduce(m)


def _build(m: _Machine) -> None:
    state, piece = m.stack.pop(), m.stack[-1]
    if not isinstance(piece, Piece):
        raise m.refused("a state for something that has none")
    piece.state = state


def _protocol(m: _Machine) -> None:
    version = m.number(1)
    if version > _HIGHEST:
        raise m.refused(f"protocol {version}")


def _float(m: _Machine) -> None:
    m.stack.append(struct.unpack(">d", m.take(8))[0])


_KNOWN: Final[dict[bytes, Callable[[_Machine], None]]] = {
    b"\x80": _protocol,
    b"\x95": _frame,
    b"(": _mark,
    b"0": _pop,
    b"1": _pop_mark,
    b"2": lambda m: m.stack.append(m.stack[-1]),
    b"N": _constant(None),
    b"\x88": _constant(True),
    b"\x89": _constant(False),
    b"J": _integer(4, signed=True),
    b"K": _integer(1),
    b"M": _integer(2),
    b"\x8a": _long(1),
    b"\x8b": _long(4),
    b"G": _float,
    b"U": _bytes(1),
    b"T": _bytes(4),
    b"C": _bytes(1),
    b"B": _bytes(4),
    b"\x8e": _bytes(8),
    b"\x96": _bytes(8),
    b"\x8c": _text(1),
    b"X": _text(4),
    b"\x8d": _text(8),
    b")": _constant(()),
    b"\x85": _tuple(1),
    b"\x86": _tuple(2),
    b"\x87": _tuple(3),
    b"t": _marked_tuple,
    b"]": lambda m: m.stack.append([]),
    b"a": lambda m: _extend(m, [m.stack.pop()]),
    b"e": lambda m: _extend(m, m.since_mark()),
    b"}": lambda m: m.stack.append({}),
    b"s": _set_item,
    b"u": lambda m: _set_items(m, m.since_mark()),
    b"q": _put(1),
    b"r": _put(4),
    b"\x94": _memoize,
    b"h": _get(1),
    b"j": _get(4),
    b"c": _global,
    b"\x93": _stack_global,
    b"R": _reduce,
    b"\x81": _reduce,
    b"\x92": _new_with_names,
    b"b": _build,
}
_OPERATIONS: Final = tuple(_KNOWN.get(bytes([code])) for code in range(256))
