"""Damage to files: to their bytes, and to the values of parsed JSON or YAML."""

import copy
from random import Random
from typing import Any

#: Replacements of a value.
NASTY: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, 2**63, -(2**63) - 1, 10**40, 0.5, -0.0, 1e308, -1e308, float("nan"),
    float("inf"),
    "", "x", "0", "nan", "../../../../etc/passwd", "/etc/passwd", "a\0b", "é" * 50, "%s%n{}", "${oc.env:HOME}", "${a}",
    "os.system", "x" * 5000, [], {}, [[]], [None], [0] * 42, [[0, 0, 0]] * 42, {"": ""}, {"class_path": "os.system"},
    {"class_path": "subprocess.Popen", "init_args": {"args": ["touch", "fuzzed"]}},
)  # fmt: skip


def change_bytes(raw: bytes, chance: Random) -> bytes:
    """Makes a few changes: bits or bytes changed, pieces lost, doubled or swapped, the end cut off."""
    data = bytearray(raw)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        if not data:
            break
        place, length = chance.randrange(len(data)), chance.choice((1, 2, 4, 16, 256))
        match chance.randrange(7):
            case 0:
                data[place] ^= 1 << chance.randrange(8)
            case 1:
                data[place] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
            case 2:
                del data[place : place + length]
            case 3:
                data[place:place] = data[place : place + length]
            case 4:
                data[place : place + length] = chance.randbytes(length)
            case 5:
                del data[place:]
            case 6:
                other = chance.randrange(len(data))
                piece = data[other : other + length]
                data[place : place + len(piece)] = piece
    return bytes(data)


def change_values(content: Any, chance: Random) -> Any:
    """A copy in which a few values, anywhere in it, are replaced, removed, doubled or moved."""
    content = copy.deepcopy(content)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        holder, key = _place(content, chance)
        if holder is None:
            return chance.choice(NASTY)
        match chance.randrange(5):
            case 0 | 1:
                holder[key] = copy.deepcopy(chance.choice(NASTY))
            case 2:
                del holder[key]
            case 3:
                other, name = _place(content, chance)
                if other is not None:
                    holder[key] = copy.deepcopy(other[name])
            case 4:
                if isinstance(holder, list):
                    holder.insert(key, copy.deepcopy(holder[key]))
                else:
                    holder[chance.choice(("", "id", "x", str(key) + "0"))] = holder[key]
    return content


def _place(content: Any, chance: Random) -> tuple[Any, Any]:
    """A random container at any depth, and a key in it."""
    holder, key = None, None
    while isinstance(content, (dict, list)) and content:
        holder = content
        key = chance.choice(list(holder)) if isinstance(holder, dict) else chance.randrange(len(holder))
        content = holder[key]
        if chance.random() < 0.15:
            break
    return holder, key
