"""The C++ types themselves, as hls4ml carries them: what `ap_fixed` makes of numbers, to compare with."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import hls4ml

from nonresnet_hls.fixed.types import FixedPointType

HEADERS = Path(hls4ml.__file__).parent / "templates" / "vivado" / "ap_types"


def cpp_type(kind: FixedPointType) -> str:
    sign = "" if kind.signed else "u"
    return f"ap_{sign}fixed<{kind.width},{kind.integer_bits},AP_{kind.rounding},AP_{kind.overflow},0>"


def cast_all(pairs: Sequence[tuple[FixedPointType, FixedPointType, Sequence[int]]], folder: Path) -> list[list[int]]:
    """Mantissas of each pair's first type, as the C++ casts them to its second type."""
    lines = ['#include "ap_fixed.h"', "#include <cstdio>"]
    body = []
    for index, (source, target, mantissas) in enumerate(pairs):
        numbers = ", ".join(f"{m}LL" for m in mantissas)
        lines.append(f"static const long long v{index}[] = {{{numbers}}};")
        result = f"ap_{'' if target.signed else 'u'}int<{target.width}>"
        body.append(
            f"for (long long m : v{index}) {{ {cpp_type(source)} a; a.V = m; {cpp_type(target)} b = a; {result} r;"
            ' r.V = b.V; printf("%lld ", (long long)r); } printf("\\n");'
        )
    source_file = folder / "cast.cpp"
    source_file.write_text("\n".join([*lines, "int main() {", *body, "}"]) + "\n")
    subprocess.run(
        ["g++", "-O0", "-std=c++11", "-w", f"-I{HEADERS}", str(source_file), "-o", str(folder / "cast")], check=True
    )
    told = subprocess.run([str(folder / "cast")], capture_output=True, text=True, check=True).stdout
    return [[int(one) for one in line.split()] for line in told.strip().split("\n")]
