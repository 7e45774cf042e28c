"""Corrupting reports at random, as copying, editing and broken disks do."""

import random
import signal
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from nonresnet_hls.errors import ReportError
from nonresnet_hls.reports.reader import read_bytes

SECONDS_TO_HANG = 20


def _bytes(rng: random.Random, data: bytearray) -> bytes:
    for _ in range(rng.choice([1, 1, 3, 20])):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def _cut(rng: random.Random, data: bytearray) -> bytes:
    return bytes(data[: rng.randrange(len(data))])


def _cut_out(rng: random.Random, data: bytearray) -> bytes:
    start = rng.randrange(len(data))
    del data[start : start + rng.choice([1, 2, 10, 100, 1000])]
    return bytes(data)


def _cut_front(rng: random.Random, data: bytearray) -> bytes:
    return bytes(data[rng.randrange(len(data)) :])


def _lines(rng: random.Random, data: bytearray) -> bytes:
    lines = bytes(data).split(b"\n")
    for _ in range(rng.choice([1, 1, 5])):
        a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
        what = rng.randrange(4)
        if what == 0:
            lines[a], lines[b] = lines[b], lines[a]
        elif what == 1:
            lines.insert(a, lines[b])
        elif what == 2 and len(lines) > 1:
            del lines[a]
        else:
            lines[a] = lines[a] + lines[b]
    return b"\n".join(lines)


def _columns(rng: random.Random, data: bytearray) -> bytes:
    """Two cells change places: in one line, or in all lines with as many cells."""
    lines = bytes(data).split(b"\n")
    tables = [n for n, line in enumerate(lines) if line.count(b"|") > 3]
    if not tables:
        return _lines(rng, data)
    one = rng.choice(tables)
    width = lines[one].count(b"|")
    a, b = rng.randrange(1, width), rng.randrange(1, width)
    for number in tables if rng.random() < 0.5 else [one]:
        if lines[number].count(b"|") == width:
            cells = lines[number].split(b"|")
            cells[a], cells[b] = cells[b], cells[a]
            lines[number] = b"|".join(cells)
    return b"\n".join(lines)


def _figures(rng: random.Random, data: bytearray) -> bytes:
    """A figure becomes huge, negative, no figure at all, or another one of the file."""
    text = bytes(data)
    places = [n for n in range(len(text)) if text[n : n + 1].isdigit() and not text[max(0, n - 1) : n].isdigit()]
    if not places:
        return _bytes(rng, data)
    start = rng.choice(places)
    end = start
    while end < len(text) and text[end : end + 1].isdigit():
        end += 1
    huge = [b"9" * 10, b"9" * 400, b"9" * 5000, b"1e999", b"00000000000000000000000000000007"]
    odd = [b"-1", b"NaN", b"inf", b"0x10", b"", b"?", b"-", b"1,5", b"1_0", b"\xb2", b"1.2.3"]
    other = rng.choice([*huge, *odd, "\u0661\u0662".encode()])
    return text[:start] + other + text[end:]


def _encoding(rng: random.Random, data: bytearray) -> bytes:
    text = bytes(data).decode("utf-8", "replace")
    encoding = rng.choice(["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "utf-8-sig", "cp037"])
    encoded = text.encode(encoding, "replace")
    return encoded if rng.random() < 0.7 else encoded[: rng.randrange(1, len(encoded))]


def _insert(rng: random.Random, data: bytearray) -> bytes:
    start = rng.randrange(len(data))
    odd = [
        b"\0",
        b"\r",
        b"\n" * 50,
        b"|" * 300,
        b"+" * 300,
        b"+-" * 300,
        b" " * 5000,
        b"\xff\xfe",
        b"\x1b[31m",
    ]
    odd += [
        b"<" * 50,
        b"</profile>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
        b"&b;",
        b"<![CDATA[",
        b"{" * 2000,
        b'"' * 9,
    ]
    odd += [
        b"== Vivado HLS Report for 'x'\n",
        b"| Tool Version : Vivado v.2019.2\n",
        b"<a>" * 200,
        b"\xe2\x80\xa8",
    ]
    data[start:start] = rng.choice(odd)
    return bytes(data)


KINDS = (_bytes, _cut, _cut_out, _cut_front, _lines, _columns, _figures, _encoding, _insert)


def mutant(rng: random.Random, data: bytes) -> bytes:
    """A report with one to three things wrong."""
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        if not data:
            break
        data = rng.choice(KINDS)(rng, bytearray(data))
    return data


def try_mutants(paths: Sequence[Path], number: int, seed: int) -> tuple[Counter[str], list[str]]:
    """How many mutants were read or refused, and each that ended otherwise (with its seed)."""
    rng = random.Random(seed)
    outcomes: Counter[str] = Counter()
    others: list[str] = []

    def hung(*_: object) -> None:
        raise TimeoutError(f"more than {SECONDS_TO_HANG} s")

    before = signal.signal(signal.SIGALRM, hung)
    try:
        for count in range(number):
            path = rng.choice(paths)
            data = mutant(rng, path.read_bytes())
            signal.alarm(SECONDS_TO_HANG)
            try:
                report = read_bytes(data, "mutant.rpt")
                outcomes["read" if report else "no longer known as a report"] += 1
            except ReportError as error:
                outcomes["refused"] += 1
                if not str(error).startswith("mutant.rpt:") or not str(error).isprintable():
                    others.append(f"mutant {count} of seed {seed}, {path}: message {error!r}")
            except Exception as error:
                outcomes["other"] += 1
                others.append(f"mutant {count} of seed {seed}, {path}: {error!r}")
            finally:
                signal.alarm(0)
    finally:
        signal.signal(signal.SIGALRM, before)
    return outcomes, others
