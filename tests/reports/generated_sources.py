"""What the HLS tools leave beside their reports, each with their banner: sources, scripts, drivers."""

from pathlib import Path

RULE = "=" * 62
BANNERS = (
    "Vivado(TM) HLS - High-Level Synthesis from C, C++ and OpenCL v2019.2 (64-bit)",
    "Vitis HLS - High-Level Synthesis from C, C++ and OpenCL v2022.2 (64-bit)",
)
# suffix -> what begins a comment's line
COMMENTS = {
    **dict.fromkeys((".v", ".sv", ".h", ".c", ".cpp", ".hpp"), "// "),
    ".vhd": "-- ",
    **dict.fromkeys((".tcl", ".mk", ".py", ".sh", ".mdd", ".txt", ""), "# "),
    ".bat": "REM ",
    ".xdc": "## ",
}


def generated(suffix: str, banner: str) -> str:
    """A file with the banner in its heading."""
    mark = COMMENTS[suffix]
    first = "@echo off\r\n" if suffix == ".bat" else ""
    return first + "".join(
        f"{mark}{line}\n" for line in (RULE, banner, "Tool Version Limit: 2019.12", RULE, "ERROR: none")
    )


def write_beside(folder: Path) -> int:
    """Generated files of every kind in `folder`; how many."""
    count = 0
    for number, banner in enumerate(BANNERS):
        for suffix in COMMENTS:
            (folder / f"Generated_{number}{suffix}").write_text(generated(suffix, banner))
            count += 1
        # A comment without marks of its own on its lines, and a text that quotes a log.
        (folder / f"block_{number}.c").write_text(f"/*\n****** {banner}\nERROR: [HLS 200-70] nothing\n*/\n")
        (folder / f"notes_{number}.md").write_text(f"The log says:\n\n****** {banner}\nERROR: [HLS 200-70] nothing\n")
        count += 2
    return count
