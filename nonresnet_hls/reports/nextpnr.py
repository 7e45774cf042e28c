"""nextpnr's log: what is used of the device, and the clock that it found.

    Info: Device utilisation:
    Info:               DP16KD:     3/   56     5%
    Info:         TRELLIS_COMB:   480/24288     1%
    Info: Max frequency for clock '$glbnet$clk': 83.37 MHz (PASS at 25.00 MHz)

It tells the clocks after placing and again after routing; the last figure of each clock counts.
"""

import re
from typing import Any

from nonresnet_hls.reports import quantities as q
from nonresnet_hls.reports.source import Source
from nonresnet_hls.reports.values import Kind, Report, Stage

_USED = re.compile(r"Info:\s+([A-Za-z][\w$]{0,60}):\s*([0-9]{1,12})\s*/\s*([0-9]{1,12})\s+([0-9]{1,4})%")
_CLOCK = re.compile(
    r"(?:Info|Warning|ERROR): Max frequency for clock\s+'([^']{1,300})':\s*([0-9.]{1,20}) MHz"
    r"(?:\s*\((PASS|FAIL) at ([0-9.]{1,20}) MHz\))?"
)
_VERSION = re.compile(r"\bnextpnr-(\w{1,20})\b[^\n]{0,200}\(Version (?:nextpnr-)?([\w.+-]{1,60})\)")
_ROUTED = re.compile(
    r"Info: (?:Rout(?:ing|er[12]|ed)\b|Setup timing for routing|.{0,40}routing complete)", re.IGNORECASE
)
# A cell of a device is a LUT, a register, a block of 18 Kbit, a multiplier; other cells are kept by their names.
_FIELDS = {
    "lut": ("TRELLIS_COMB", "OXIDE_COMB", "SLICE_LUTX"),
    "ff": ("TRELLIS_FF", "OXIDE_FF", "SLICE_FFX"),
    "bram_18k": ("DP16KD", "OXIDE_EBR", "RAMB18E1_RAMB18E1", "RAMB18E2_RAMB18E2"),
    "dsp": ("MULT18X18D", "ICESTORM_DSP", "DSP48E1_DSP48E1", "DSP48E2_DSP48E2"),
}
_OF_36K = ("RAMB36E1_RAMB36E1", "RAMB36E2_RAMB36E2")
_BEGINNING = re.compile(rb"\A\s*(?:(?:Info|Warning): |[^\n]{0,300}nextpnr)")
_NAMES_ITSELF = re.compile(
    rb"^(?:(?:Info|Warning|ERROR): (?:Max frequency for clock|Device utilisation)|[^\n]{0,200}\bnextpnr)", re.MULTILINE
)


def is_log(head: bytes) -> bool:
    """Whether a file that begins with `head` is a log of nextpnr."""
    return _BEGINNING.match(head) is not None and _NAMES_ITSELF.search(head) is not None


def read_nextpnr_log(source: Source) -> Report | None:
    """The whole log; None where it has come to no figure.

    Raises:
        ReportError: a figure is none, or more is used than its percentage says.
    """
    used: dict[str, tuple[int, int]] = {}
    clocks: dict[str, tuple[float, float | None]] = {}
    version = family = first_error = None
    errors = 0
    routed = ended = False
    for number, line in enumerate(source.lines):
        text = line.strip()[:1000]
        if text.startswith("Info: Device utilisation"):
            used = {}
        cell = _USED.fullmatch(text)
        clock = _CLOCK.match(text)
        if cell:
            count, limit, share = int(cell[2]), int(cell[3]), int(cell[4])
            if limit and not share - 1 <= 100 * count / limit <= share + 1:
                raise source.error(number, f"{cell[1]}: {count} of {limit} is not {share} %; mixed up")
            used[cell[1]] = (count, limit)
        elif clock:
            frequency = source.required(number, "Max frequency", q.decimal, clock[2])
            target = source.figure(number, "frequency wanted", q.decimal, clock[4]) if clock[4] else None
            if frequency <= 0 or (target is not None and target <= 0):
                raise source.error(number, f"wanted frequencies in MHz, got {q.quote(text)}")
            clocks[clock[1]] = (frequency, target)
        elif text.startswith("ERROR: "):
            errors += 1
            first_error = first_error or "".join(c if c.isprintable() else "?" for c in text[:300])
        named = _VERSION.search(text) if version is None else None
        if named:
            family, version = named[1], named[2]
        routed = routed or _ROUTED.match(text) is not None
        ended = ended or "Program finished normally" in text
    if not used and not clocks:
        return None
    figures: dict[str, Any] = {}
    for field, cells in _FIELDS.items():
        present = [used[cell] for cell in cells if cell in used]
        if present:
            figures[field], figures[f"available_{field}"] = map(sum, zip(*present, strict=True))
    for cell_36k in _OF_36K:
        if cell_36k in used:
            # The 18 Kbit blocks are halves of the 36 Kbit ones.
            figures["bram_18k"] = figures.get("bram_18k", 0) + 2 * used[cell_36k][0]
    known = {cell for cells in _FIELDS.values() for cell in cells} | set(_OF_36K)
    notes = []
    if len(clocks) == 1:
        ((frequency, target),) = clocks.values()
        figures["clock_estimate_ns"] = round(1000 / frequency, 6)
        if target is not None:
            figures["clock_target_ns"] = round(1000 / target, 6)
            figures["wns_ns"] = round(1000 / target - 1000 / frequency, 6)
    elif clocks:
        told = (
            f"{name} {frequency:g} MHz{'' if target is None else f' (wanted: {target:g})'}"
            for name, (frequency, target) in clocks.items()
        )
        notes.append(f"{len(clocks)} clocks: {'; '.join(told)}")
    if first_error is not None and not ended:
        notes.append(first_error)
    return Report(
        path=source.name,
        kind=Kind.NEXTPNR_LOG,
        stage=Stage.ROUTED if routed else Stage.PLACED,
        tool="nextpnr" if family is None else f"nextpnr-{family}",
        tool_version=version,
        finished=True if ended else False if errors else None,
        error_count=errors if errors or ended else None,
        first_error=first_error,
        note="; ".join(notes) or None,
        other_columns=tuple(
            f"{name}: {count} of {limit}" for name, (count, limit) in used.items() if name not in known and count
        ),
        **figures,
    )
