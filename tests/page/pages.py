"""Pages made by hand: a small design with a skip, names that want to be more than names, and a study."""

import csv
import json
from pathlib import Path

from nonresnet_hls.page.values import (
    Activity,
    Basis,
    Column,
    Deadlock,
    Design,
    Fifo,
    Figure,
    LayerRange,
    Missing,
    Objective,
    Page,
    Part,
    Ranges,
    Source,
    Step,
    Study,
    Table,
    Timeline,
    Trial,
    View,
)

HOSTILE = (
    "</script><script>window.owned=1</script>",
    '"><img src=x onerror="window.owned=1">',
    "<b>@accent</b>",
    "{{ 7 * 7 }}${window.owned=1}",
    "javascript:window.owned=1\u2028//",
)


def hostile_page() -> Page:
    """A design of five parts with such names, in a chain with a skip over the middle ones."""
    names = HOSTILE
    sources = {
        "s1": Source(f"model {names[0]}", names[1], names[2], Basis.MODELLED),
        "s2": Source("engine", "1.0", "simulated", Basis.MEASURED),
    }
    cycles = (67, 104, 103, 67, 5)
    parts = tuple(
        Part(
            name,
            ("fork", "conv 3x3, 16 → 16", "conv 3x3, 16 → 16", "add", "relu")[number],
            (name,),
            (None, 4, 4, None, None)[number],
            names[0],
            {
                "interval_cycles": Figure(cycles[number], "s1"),
                "lut": Figure(1000 * number + 7, "s1", 500 * number, 2000 * number + 9),
                "ff": Figure(11 * number, "s2"),
                "dsp": Figure(2 * number, "s1", at_most=number > 1),
                "bram_18k": Figure(number, "s2"),
            },
            bottleneck=number == 1,
        )
        for number, name in enumerate(names)
    )
    ends = [(0, 1, "main"), (1, 2, "mid"), (2, 3, names[1]), (0, 3, names[0]), (3, 4, "last")]
    fifos = tuple(
        Fifo(
            stream,
            names[a],
            names[b],
            64,
            32,
            stream == names[0],
            {
                "tensor": Figure(64, "s1"),
                "sized": Figure(43 if stream == names[0] else 2, "s1"),
                "margin": Figure(36 if stream == names[0] else 1, "s1"),
                "least": Figure(18 if stream == names[0] else 1, "s1"),
            },
        )
        for a, b, stream in ends
    )
    edges = tuple(range(0, 260, 10))
    stretches = len(edges) - 1
    courses = tuple(
        Timeline(
            key,
            "s1",
            edges,
            2,
            (145, 249),
            {fifo.name: tuple(min(n, int(fifo.depths[key].value)) for n in range(stretches)) for fifo in fifos},
            {name: Activity((200,) * stretches, tuple(8 * n for n in range(stretches))) for name in names},
            stuck="" if key != "margin" else f"{names[0]} waits",
        )
        for key in ("sized", "tensor", "margin")
    )
    deadlock = Deadlock(
        names[0],
        17,
        18,
        "s1",
        (
            Step(names[0], names[0], "full", names[3], 17, 17, 17, 64),
            Step(names[3], names[1], "empty", names[2], 0, 1, 0, 64),
            Step(names[2], "mid", "empty", names[1], 0, 1, 22, 100),
            Step(names[1], "main", "empty", names[0], 0, 1, 33, 64),
        ),
    )
    totals = {
        "interval_cycles": Figure(104, "s1"),
        "latency_cycles": Figure(145, "s1"),
        "images_per_s": Figure(1923077, "s1"),
        "lut": Figure(10100, "s1"),
        "lut_percent": Figure(18.98, "s1"),
        "ff": Figure(110, "s2"),
        "dsp": Figure(20, "s1", at_most=True),
        "bram_18k": Figure(10, "s2"),
        "skip_bits_sized": Figure(1376, "s1"),
        "skip_bits_tensor": Figure(2048, "s1"),
        "skip_lut_sized": Figure(64, "s1"),
    }
    available = {"lut": 53200, "ff": 106400, "dsp": 220, "bram_18k": 280}
    view = View(
        "hls", names[0], names[1], 5.0, parts, fifos, totals, available, courses, (deadlock,), notes=(names[2],)
    )
    ranges = Ranges(
        "s2",
        names[0],
        64,
        names[1],
        tuple(
            LayerRange(
                name, "fixed<8,3>", 1, -5, {"3": 4, "0": 60, "-2": 30, "-7": 2}, 5, -3.5, 9.25, 4, 2, 6, names[0]
            )
            for name in names
        ),
    )
    design = Design(names[0], names[1], ((names[0], names[1]),), (view,), ranges, (Missing(names[0], names[1]),))
    table = Table(
        "table1",
        "Table I: accuracy",
        (Column("name", names[0], names[1], True), Column("top1", "top-1, %")),
        ({"name": names[1], "top1": Figure(93.27, "s2")}, {"name": names[2], "top1": None}),
        (Missing(names[2], names[0]),),
    )
    return Page(names[0], names[1], sources, (design,), (table,), (study(),))


def study() -> Study:
    """Three trials, one of which failed."""
    kinds = (Objective("top1", "top-1", "share", "max"), Objective("lut", HOSTILE[0], HOSTILE[1], "min"))
    trials = tuple(
        Trial(
            f"{HOSTILE[0]} {number}",
            "done" if number < 3 else "failed",
            "" if number < 3 else HOSTILE[1],
            number != 2,
            {"skips": HOSTILE[number], "board": "pynq-z2"},
            {"top1": Figure(0.9 - number / 10, "s2"), "lut": Figure(5000 - 1000 * number, "s1")} if number < 3 else {},
            f"recipes/{number}.toml",
            f"title = '{HOSTILE[0]}'\nnumber = {number}\n",
            HOSTILE[2],
        )
        for number in range(4)
    )
    return Study(HOSTILE[0], HOSTILE[1], HOSTILE[2], {"done": 3, "failed": 1}, kinds, kinds, trials)


def write_study(folder: Path) -> Path:
    """A study as `explore` leaves it: `study.json`, `trials.csv`, recipes. Returns the folder."""
    folder.mkdir(parents=True)
    kinds = {
        "top1": {"title": "top-1", "unit": "share of the test samples", "better": "max"},
        "lut": {"title": "LUT", "unit": "look-up tables", "better": "min"},
        "dsp": {"title": "DSP", "unit": "DSP blocks", "better": "min"},
    }
    record = {
        "format": 1,
        "name": "small",
        "title": "Small",
        "network": "resnet8",
        "axes": [{"name": "skips", "values": ["residual", "plain"]}],
        "objectives": [{"name": "top1", "better": "max"}, {"name": "lut", "better": "min"}],
        "figures": kinds,
        "use": 0.8,
        "sampling": "grid",
        "points": 3,
        "trials": {"planned": 3, "done": 2, "failed": 1, "lost": 0},
        "versions": {"nonresnet-hls": "0.1.0"},
    }
    (folder / "study.json").write_text(json.dumps(record))
    base = {"trial": "1", "name": "residual", "status": "done", "reason": "", "on_front": "True", "skips": "residual"}
    base |= dict.fromkeys(("weight_bits", "activation_bits", "engine", "wanted_fps", "wanted_reuse_factor"), "")
    base |= {"board": "pynq-z2", "top1": "0.9725", "top1_basis": "measured", "top1_engine": "emulation"}
    base |= {"top1_stage": "emulated", "lut": "20000", "lut_basis": "modelled", "lut_engine": "vivado_hls"}
    base |= {"lut_stage": "synthesized", "dsp": "12", "dsp_basis": "modelled", "dsp_engine": "vivado_hls"}
    base |= {"dsp_stage": "synthesized", "dsp_is_bound": "True", "lut_low": "11000", "lut_high": "40000"}
    base |= {"notes": "", "recipe": "trials/residual.toml"}
    plain = base | {"trial": "2", "name": "plain", "skips": "plain", "top1": "0.96", "lut": "15000", "dsp_is_bound": ""}
    failed = {**dict.fromkeys(base, ""), "trial": "3", "name": "short", "status": "failed", "reason": "nothing fits"}
    failed |= {"on_front": "False", "skips": "short"}
    with (folder / "trials.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(base))
        writer.writeheader()
        writer.writerows([base, plain | {"recipe": "../outside.toml"}, failed])
    (folder / "trials").mkdir()
    (folder / "trials" / "residual.toml").write_text('extends = "resnet8"\n')
    (folder.parent / "outside.toml").write_text('secret = "not shown"\n')
    return folder


def rounded(value: float) -> float:
    """A figure as a page shows it: three digits behind the point below ten, else two."""
    return round(value, 3 if abs(value) < 10 else 2)
