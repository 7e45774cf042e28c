"""Reports of tools that are not read: told apart, so that they can be called what they are."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class OtherReport:
    """A file that some tool wrote and this package does not read."""

    path: str
    what: str  # "Catapult HLS"

    @property
    def of_another_vendor(self) -> bool:
        """Vivado writes dozens of reports and logs beside those that are read; they are no news."""
        return "Vivado" not in self.what and "v++" not in self.what


# What the file begins with (its first 4 kB), and whose it is.
_SIGNATURES: tuple[tuple[str, str], ...] = (
    (r"\A\s*--\s*Catapult\b|^# Catapult\b|^//\s*Catapult\b", "Catapult HLS"),
    (r"^\| Tool Version\s*:\s*Vivado", "a report of Vivado of another kind"),
    (r"\A\s*\*{6} Vivado v20|^# Vivado v20[0-9]{2}\.[0-9]", "a log of Vivado"),
    (r"\A\s*\*{6} v\+\+ v20|^INFO: \[v\+\+ ", "a log of v++, Vitis' compiler"),
    (r"\A\s*Release [0-9]{1,2}\.[0-9] - |\A\s*Release [0-9]{1,2}\.[0-9] \w{3,12} ", "Xilinx ISE"),
    (
        r"(?:Fitter|Analysis & Synthesis|Timing Analyzer|TimeQuest|Assembler|Flow|Power Analyzer|Synthesis) report for "
        r"|^;\s*(?:Fitter|Flow|Analysis & Synthesis) Summary\s*;|\A\s*Info: \*{10,}\s*\nInfo: Running Quartus",
        "Quartus",
    ),
    (r'"quartusFit(?:ClockSummary|ResourceUsageSummary)"|^\{"name":\s*"[^"]{0,200}", "data":', "oneAPI"),
    (r"Libero(?: SoC| IDE)?|Microsemi Corporation|^Microchip Technology", "Libero"),
    (r"SmartHLS|LegUp High-Level Synthesis", "SmartHLS"),
    (r"\A\s*// Reading input \.asc file|^Total path delay: [0-9.]+ ns", "icetime"),
    (
        r"Lattice Mapping Report File|Lattice TRACE Report|Diamond\s*\(?64-bit|Radiant Software",
        "Lattice Diamond or Radiant",
    ),
    (r"GowinSynthesis|Gowin(?:Semi)?\b.{0,40}(?:Report|Inc)|<title>.{0,40}Gowin", "Gowin"),
    (r"Efinity|Efinix", "Efinity"),
    (r"VTR|Versatile Place and Route", "VTR"),
    (r"Bambu.{0,40}High-Level Synthesis", "Bambu"),
    (r"Design Compiler|report_area|\* Report : (?:area|timing|power|qor)", "Design Compiler"),
    (r"Genus\(TM\) Synthesis Solution", "Genus"),
    (r"OpenSTA|OpenROAD", "OpenROAD"),
)
_PATTERNS = tuple((re.compile(pattern, re.MULTILINE), what) for pattern, what in _SIGNATURES)
_WITHIN = 4096
# A source or a note may speak of a tool; a report is called otherwise.
_REPORTS = re.compile(
    r".{0,300}\.(?:rpt|rep|log|summary|mrp|par|twr|twx|srr|syr|map|timing|area|ndjson|out|qor|rpt\.txt|report\.txt|html)|"
    r".{0,300}(?:report|icetime|timing|utili[sz]ation|quartus|cycle|rtl)[\w.-]{0,40}(?:\.txt)?",
    re.IGNORECASE,
)
_NO_REPORTS = re.compile(
    r".{0,300}\.(?:v|sv|vhdl?|c|cc|cpp|h|hpp|py|tcl|sh|md|rst|ipynb|js|css|ya?ml|toml|json|bat|mk)", re.I
)


def what_is(head: bytes, path: str) -> str | None:
    """Whose report a file at `path` is that begins with `head`; None if it is none that is known."""
    name = path.rsplit("/", 1)[-1]
    if not _REPORTS.fullmatch(name) or _NO_REPORTS.fullmatch(name) or b"\0" in head[:_WITHIN]:
        return None
    text = head[:_WITHIN].decode("utf-8", "replace").replace("\r\n", "\n")
    return next((what for pattern, what in _PATTERNS if pattern.search(text)), None)
