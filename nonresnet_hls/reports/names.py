"""Names of designs and modules as people read them: without what all of them share, with their middles left out."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise

LONGEST_NAME = 40
_GAP = "..."
_AROUND = 12  # characters around a difference
_LEAST_ROOM = 8


def common_prefix(names: Sequence[str]) -> str:
    """The folders that all names begin with, "a/b/"; "" for fewer than two names.

    >>> common_prefix(["a/b/c", "a/b/d/e"]), common_prefix(["a/b"]), common_prefix(["a", "a/b"])
    ('a/b/', '', '')
    """
    folders = [name.split("/")[:-1] for name in dict.fromkeys(names)]
    if len(folders) < 2:
        return ""
    shared = 0
    while all(len(f) > shared and f[shared] == folders[0][shared] for f in folders):
        shared += 1
    return "".join(f"{folder}/" for folder in folders[0][:shared])


def shortened(names: Sequence[str], longest: int = LONGEST_NAME) -> dict[str, str]:
    """Every name, those longer than `longest` without folders in their middle; different ones stay different.

    >>> shortened(["a/b", "models/of/many/years/lenet"], 20)
    {'a/b': 'a/b', 'models/of/many/years/lenet': 'models/.../lenet'}
    """
    different = list(dict.fromkeys(names))
    short = {name: _without_middle(name.split("/"), longest) for name in different}
    # Names of one shape are told apart in one way.
    shapes: dict[tuple[int, str, str], list[str]] = defaultdict(list)
    for name in different:
        parts = name.split("/")
        if len(name) > longest:
            shapes[len(parts), parts[0], parts[-1]].append(name)
    for group in shapes.values():
        if len({short[name] for name in group}) < len(group):
            short |= _told_apart(group, longest)
    times = Counter(short.values())
    return {name: text if times[text] == 1 else name for name, text in short.items()}


def _without_middle(parts: Sequence[str], longest: int) -> str:
    whole = "/".join(parts)
    if len(whole) <= longest:
        return whole
    for kept in range(len(parts) - 2, 0, -1):
        text = "/".join([parts[0], _GAP, *parts[-kept:]])
        if len(text) <= longest:
            return text
    room = longest - len(parts[-1]) - len(f"/{_GAP}/")
    if len(parts) > 1 and room >= _LEAST_ROOM:
        between = [_GAP] if len(parts) > 2 else []
        return "/".join([elided(parts[0], room + (0 if between else len(_GAP) + 1)), *between, parts[-1]])
    return elided(parts[-1], longest)


def _told_apart(names: Sequence[str], longest: int) -> dict[str, str]:
    """The first folder, those in which the names differ, and the last."""
    split = [name.split("/") for name in names]
    if len({len(parts) for parts in split}) == 1:
        last = len(split[0]) - 1
        columns = [list(column) for column in zip(*split, strict=True)]
        differ = {n: _differences(column) for n, column in enumerate(columns) if len(set(column)) > 1}
        kept = sorted({0, last} | set(differ))
        found = {}
        for name, parts in zip(names, split, strict=True):
            texts = [differ[n][parts[n]] if n in differ else elided(parts[n], longest // 4) for n in kept]
            text = texts[0]
            for (before, here), told in zip(pairwise(kept), texts[1:], strict=True):
                text += f"/{told}" if here == before + 1 else f"/{_GAP}/{told}"
            found[name] = text
        if len(set(found.values())) == len(names):
            return found
    return {name: name for name in names}


def _differences(texts: Sequence[str]) -> dict[str, str]:
    """Each text with where it differs from the others, and a little around that."""
    least = min(map(len, texts))
    start = next((n for n in range(least) if len({text[n] for text in texts}) > 1), least)
    end = next((n for n in range(least - start) if len({text[-1 - n] for text in texts}) > 1), least - start)
    found = {}
    for text in texts:
        before, middle, after = text[:start], text[start : len(text) - end], text[len(text) - end :]
        before = before if len(before) <= _AROUND else _GAP + before[3 - _AROUND :]
        after = after if len(after) <= _AROUND else after[: _AROUND - 3] + _GAP
        found[text] = before + elided(middle, 2 * _AROUND) + after
    return found


def elided(text: str, longest: int) -> str:
    """The text, or its beginning and its end.

    >>> elided("dense_latency_ap_fixed_16_6_config2", 20)
    'dense_la..._config2'
    """
    if len(text) <= longest:
        return text
    end = (longest - len(_GAP)) // 2
    return f"{text[: longest - len(_GAP) - end - 1]}{_GAP}{text[-end:]}"
