"""Mutants of texts and of JSON documents, the same for the same seed."""

import copy
import json
import random
import re
from typing import Any

ODD_NUMBERS = ("0", "-1", "1", "2147483648", "9" * 25, "9" * 5000, "1e400", "nan", "-inf", "0.5", "0x" + "f" * 5000, "")
ODD_TEXTS = (
    "", "\0", "\x1b[2J", "../../etc/passwd", "/dev/zero", "a" * 5000, '"', "\\", "{", "[" * 2000, "\u202e", "$x^$", "'",
    "Lambda", "TFOpLambda", "io.write_file", "os", "system", "__import__('os')", "range(9999999999)", "null", "é",
)  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 3, 2**31, 2**63, 10**25, 16**6000, 0.5, 1e308, float("inf"), float("nan"), [], {},
    [[]],
    {"class_name": "Lambda", "config": {"name": "x", "function": "x"}}, {"class_name": "Dense", "config": {}},
    {"class_name": "function", "config": "system", "module": "os", "registered_name": "system"},
    {"class_name": "__tuple__", "items": [1, 2]}, *ODD_TEXTS,
)  # fmt: skip


def of_json(document: Any, rng: random.Random) -> Any:
    """A copy with one to three of its values changed, taken out, doubled, or exchanged for others of it."""
    changed = copy.deepcopy(document)
    for _ in range(rng.randint(1, 3)):
        places = list(_places(changed))
        if not places:
            return rng.choice(ODD_VALUES)
        holder, key = rng.choice(places)
        how = rng.random()
        if how < 0.45:
            holder[key] = copy.deepcopy(rng.choice(ODD_VALUES))
        elif how < 0.7:
            other, at = rng.choice(places)
            holder[key] = copy.deepcopy(other[at])
        elif how < 0.85:
            del holder[key]
        elif isinstance(holder, list):
            holder.insert(rng.randint(0, len(holder)), copy.deepcopy(holder[key]))
        else:
            holder[rng.choice(["name", "class_name", "config", "module", "x" * 100])] = copy.deepcopy(holder[key])
    return changed


def _places(value: Any) -> Any:
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key])


def dumped(document: Any) -> str:
    """As JSON, integers of any length too."""
    import sys

    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        return json.dumps(document)
    finally:
        sys.set_int_max_str_digits(before)


def of_text(text: str, rng: random.Random) -> str:
    """A text with one to three of its numbers, words or lines changed."""
    for _ in range(rng.randint(1, 3)):
        how = rng.random()
        numbers, words = list(re.finditer(r"\d+(?:\.\d+)?", text)), list(re.finditer(r"\w+", text))
        lines = text.split("\n")
        at = rng.randrange(len(lines))
        if how < 0.35 and numbers:
            found = rng.choice(numbers)
            text = text[: found.start()] + rng.choice(ODD_NUMBERS) + text[found.end() :]
        elif how < 0.6 and words:
            found = rng.choice(words)
            text = text[: found.start()] + rng.choice([*ODD_TEXTS, rng.choice(words)[0]]) + text[found.end() :]
        elif how < 0.7:
            text = "\n".join(lines[:at] + lines[at + 1 :])
        elif how < 0.8:
            text = "\n".join([*lines[: at + 1], *lines[at:]])
        elif how < 0.9:
            where = rng.randrange(len(text) + 1)
            text = text[:where] + rng.choice(ODD_TEXTS) + text[where:]
        else:
            text = text[: rng.randrange(len(text) + 1)]
    return text
