"""The bar table of the cost model: what layers of other people's designs take, predicted without their repository.

    python -m benchmarks.costs [--reports FOLDER] [--rows] [--write]

LUT and FF of each repository's modules are predicted by coefficients that were fitted to all other repositories'.
`--write` fits them to all, and writes nonresnet_hls/fit/coefficients.toml.
"""

import argparse
import re
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.designs import Design, Layer, designs, studies
from benchmarks.timing import REPORTS
from nonresnet_hls import reports
from nonresnet_hls.dataflow import Toolchain
from nonresnet_hls.fit import costs
from nonresnet_hls.fit.costs import Kernel

COEFFICIENTS = Path(costs.__file__).parent / "coefficients.toml"
FEWEST = 10
"""Held-out modules of a kind of which a percentage is told."""
OF_ONE_TOOL = 4
"""Modules of one tool from which coefficients of its own are fitted."""
FIGURES = ("lut", "ff")
# How an output type rounds (5: cuts off) and overflows (3: wraps), in the name of a module.
_OUTPUT = re.compile(r"ap_u?fixed_\d+_\d+_(\d)_(\d)_\d+_\d+u_(?:\w+_)?config")
_FIFO = re.compile(r"layer(\d+)_out(?:_V_data_\d+_V)?_U")


@dataclass(frozen=True)
class Module:
    """One module of a report and what decides about its cost."""

    repository: str
    design: str
    instance: str
    kernel: Kernel
    older: bool
    """A kernel of before hls4ml 1: of its figures those by rule are compared, LUT and FF are not."""
    actual: Mapping[str, int]

    @property
    def kind(self) -> str:
        """What it is calibrated with."""
        return self.kernel.kind


@dataclass(frozen=True)
class Prediction:
    """One module, predicted by what was fitted to others."""

    module: Module
    figure: str
    predicted: float
    low: float
    high: float
    own_tool: bool

    @property
    def actual(self) -> int:
        """What the report says."""
        return self.module.actual[self.figure]

    @property
    def error(self) -> float:
        """Relative to the report."""
        return abs(self.predicted - self.actual) / max(self.actual, 1)


def modules(folder: Path) -> Iterator[Module]:
    """Every module of every design whose report is in `folder`."""
    for design in (*designs(), *studies()):
        path = folder / design.report
        (report,) = reports.read(path)
        widths: dict[int, list[int]] = defaultdict(list)
        for fifo in report.fifos:
            if (found := _FIFO.fullmatch(fifo.name)) and fifo.bits:
                widths[int(found[1])].append(fifo.bits)
        read_bits = 16
        for layer in design.layers:
            number = re.search(r"config(\d+)", layer.ending)
            write_bits = read_bits if layer.kernel == "clone_stream" else 16
            if number and int(number[1]) in widths:
                bits = sorted(widths[int(number[1])])[len(widths[int(number[1])]) // 2]
                write_bits = bits // layer.writes if design.toolchain is Toolchain.VITIS_HLS else bits
            same = layer.kernel.startswith(("zeropad", "pooling", "resize", "clone"))
            instances = [m for m in report.modules if m.instance and layer.names(m.instance)]
            if len(instances) == 1 and instances[0].lut is not None:
                one = instances[0]
                kernel = _kernel(design, layer, str(one.instance), write_bits if same else read_bits, write_bits)
                older = bool(design.aliases)
                actual = {name: int(getattr(one, name)) for name in ("lut", "ff", "dsp", "bram_18k")}
                yield Module(design.report.split("/")[0], design.report, str(one.instance), kernel, older, actual)
            read_bits = write_bits


def _kernel(design: Design, layer: Layer, instance: str, read_bits: int, write_bits: int) -> Kernel:
    output = _OUTPUT.search(instance)
    rounds = output.groups() != ("5", "3") if output else write_bits < read_bits
    weighted = layer.kernel.startswith(("conv", "depthwise", "pointwise", "dense", "normalize"))
    return Kernel(
        layer.kernel, design.toolchain, layer.config, layer.reads, read_bits, layer.writes, write_bits,
        weight_bits=design.weight_bits if weighted else 0, accumulator_bits=write_bits, rounds=rounds,
        sums_round=weighted and design.sums_saturate,
        spare_bits=max(design.weight_integer_bits - 1, 0),
    )  # fmt: skip


def fit(chosen: Sequence[Module], figure: str) -> dict[str, float]:
    """Coefficients, none negative, with a small median of relative errors (iterated least squares)."""
    from scipy.optimize import nnls

    found = [costs.terms(module.kernel) for module in chosen]
    resource = figure == "lut" and chosen[0].kind.endswith("resource")
    known = costs.KNOWN_LUT if resource else {}
    # What only the flip-flops of multipliers, or only LUTs, are made of.
    unused = (
        {"multiplier_bits", "outputs", "sum_bits"}
        if figure == "lut"
        else {"inputs", "adders", "line_buffer", "lut_product_bits"}
    )
    names = sorted(
        {name for one in found for name in one} - set(known) - (unused if "resource" in chosen[0].kind else set())
    )
    matrix = np.array([[one.get(name, 0.0) for name in names] for one in found])
    actual = np.array([module.actual[figure] for module in chosen], dtype=float)
    rest = actual - np.array([costs.estimate(one, known) for one in found])
    scale = np.maximum(actual, 20)
    weight = 1 / scale
    for _ in range(20):
        solution, _ = nnls(matrix * weight[:, None], rest * weight, maxiter=1000)
        relative = np.abs(matrix @ solution - rest) / scale
        weight = 1 / scale / np.sqrt(np.maximum(relative, 0.02))
    values = {name: float(f"{value:.4g}") for name, value in zip(names, solution, strict=True) if value}
    return values | known


def fitted(known: Sequence[Module], kind: str, toolchain: Toolchain, figure: str) -> tuple[dict[str, float], bool]:
    """Coefficients of a kind, of one tool's modules where there are enough; whether they are that tool's."""
    every = [module for module in known if module.kind == kind]
    own = [module for module in every if module.kernel.toolchain is toolchain]
    if len(own) >= OF_ONE_TOOL:
        return fit(own, figure), True
    return (fit(every, figure), any(own)) if every else ({}, False)


def held_out(found: Sequence[Module]) -> list[Prediction]:
    """Every module's LUT and FF, by what was fitted to the other repositories."""
    result = []
    for repository in sorted({module.repository for module in found}):
        known = [module for module in found if module.repository != repository]
        cache: dict[tuple[str, Toolchain, str], tuple[dict[str, float], bool]] = {}
        spread: dict[tuple[str, str], tuple[float, float]] = {}
        for module in (m for m in found if m.repository == repository):
            for figure in FIGURES:
                key = (module.kind, module.kernel.toolchain, figure)
                if key not in cache:
                    cache[key] = fitted(known, *key)
                coefficients, own_tool = cache[key]
                if not coefficients:
                    continue
                if (module.kind, figure) not in spread:
                    spread[module.kind, figure] = _spread(known, module.kind, figure)
                low, high = spread[module.kind, figure]
                predicted = costs.estimate(costs.terms(module.kernel), coefficients)
                result.append(Prediction(module, figure, predicted, predicted * low, predicted * high, own_tool))
    return result


def _spread(known: Sequence[Module], kind: str, figure: str) -> tuple[float, float]:
    """Between which multiples of the prediction 8 of 10 modules lie, each predicted without its repository."""
    ratios = []
    for repository in {module.repository for module in known}:
        others = [module for module in known if module.repository != repository]
        for toolchain in Toolchain:
            mine = [
                m for m in known
                if m.repository == repository and m.kind == kind and m.kernel.toolchain is toolchain
            ]  # fmt: skip
            if not mine:
                continue
            coefficients, _ = fitted(others, kind, toolchain, figure)
            if coefficients:
                ratios += [_ratio(m, figure, costs.estimate(costs.terms(m.kernel), coefficients)) for m in mine]
    if not ratios:
        return 0.25, 4.0
    low, high = np.quantile(ratios, (0.1, 0.9)) if len(ratios) >= FEWEST else (min(ratios), max(ratios))
    return min(float(low), 1.0), max(float(high), 1.0)


def _ratio(module: Module, figure: str, predicted: float) -> float:
    return max(module.actual[figure], 1) / max(predicted, 1)


def exact(found: Iterable[Module]) -> tuple[list[Module], list[Module]]:
    """Modules of the Resource strategy whose weights lie in memory; of the Latency strategy, where DSPs are bounded."""
    weighted = [m for m in found if m.kernel.weight_bits and m.kind != "normalize"]
    bounded = [m for m in weighted if costs.dsp_is_bound(m.kernel)]
    return [m for m in weighted if m not in bounded], bounded


def ratios(folder: Path) -> dict[str, list[tuple[float, float]]]:
    """LUT and FF after logic synthesis in parts of those after C synthesis: of designs, and of modules by kind."""
    result: dict[str, list[tuple[float, float]]] = defaultdict(list)
    by_design: dict[str, dict[reports.Stage, reports.Report]] = defaultdict(dict)
    found = reports.scan(folder).reports
    for row in reports.merge(found):
        if row.stage is not None and row.lut:
            by_design[row.design or ""][row.stage] = row
    for stages in by_design.values():
        before = stages.get(reports.Stage.CSYNTH)
        after = stages.get(reports.Stage.SYNTHESIZED) or stages.get(reports.Stage.OPTIMIZED)
        if before and after and before.top == after.top and before.lut and before.ff and after.lut and after.ff:
            result["design"].append((after.lut / before.lut, after.ff / before.ff))
    for report in found:
        if report.kind is not reports.Kind.UTILIZATION_HIERARCHICAL:
            continue
        place = report.path.rsplit("/", 1)[0]
        csynth = [m for r in found if r.stage is reports.Stage.CSYNTH and r.path.startswith(place) for m in r.modules]
        modules = {m.instance: m for m in csynth if m.instance}
        for module in report.modules:
            before_it = modules.get((module.instance or module.name).strip())
            kind = (
                next((k for start, k in _MODULE_KINDS.items() if re.match(start, before_it.name)), "")
                if before_it
                else ""
            )
            if before_it and kind and before_it.lut and module.lut is not None and module.ff is not None:
                result[kind].append((module.lut / before_it.lut, module.ff / max(before_it.ff or 0, module.ff, 1)))
    return result


# Module names of layers.
_MODULE_KINDS = {
    r"(?:conv_[12]d|pointwise|dense_array|dense_latency|dense_resource)": "weights",
    r"(?:leaky_)?relu": "activation",
    r"zeropad": "padding",
    r"pooling": "pooling",
}


def rules(found: Sequence[Module]) -> None:
    """Print what the rules for DSP and BRAM18 come to."""
    resource, bounded = exact(found)
    dsp = [(m, costs.dsp(m.kernel), m.actual["dsp"]) for m in resource]
    per_output = [abs(a - b) <= m.kernel.outputs for m, a, b in dsp]
    same = sum(a == b for _, a, b in dsp)
    print(f"DSP, Resource strategy: n = {len(dsp)}, exact {same}, within one per output {sum(per_output)}")
    bram = [(m, costs.bram_18k(m.kernel), m.actual["bram_18k"]) for m in resource]
    print(f"BRAM18 of weights, Resource strategy: n = {len(bram)}, exact {sum(a == b for _, a, b in bram)}")
    for what, pairs in (("DSP", dsp), ("BRAM18", bram)):
        for m, a, b in pairs:
            if a != b:
                print(f"  {what}: {m.repository.split('+')[0]} {m.instance[-60:]}: predicted {a}, reported {b}")
    held = sum(m.actual["dsp"] <= costs.dsp(m.kernel) for m in bounded)
    print(f"DSP, Latency strategy, upper bound: n = {len(bounded)}, holds for {held}")
    print()


def table(found: Sequence[Module], rows: bool) -> None:
    """Print how far off LUT and FF are."""
    print("LUT and FF by C synthesis, each repository predicted from the others:")
    print(f"{'kind':<42}{'':>4}{'n':>5}{'repositories':>13}{'median':>13}{'in 80 % range':>16}{'by own tool (n)':>18}")
    predictions = held_out(found)
    groups: dict[tuple[str, str], list[Prediction]] = defaultdict(list)
    for one in predictions:
        groups[one.module.kind, one.figure].append(one)
        groups["all", one.figure].append(one)
    for (kind, figure), ones in sorted(groups.items()):
        repositories = len({one.module.repository for one in ones})
        if len(ones) >= FEWEST:
            error = statistics.median(one.error for one in ones)
            covered = sum(one.low <= one.actual <= one.high for one in ones)
            own = [one.error for one in ones if one.own_tool]
            same = f"{statistics.median(own):>13.0%} ({len(own)})" if len(own) >= FEWEST else ""
            print(
                f"{kind:<42}{figure:>4}{len(ones):>5}{repositories:>13}{error:>13.0%}"
                f"{covered:>10} ({covered / len(ones):.0%}){same}"
            )
        else:
            print(f"{kind:<42}{figure:>4}{len(ones):>5}{repositories:>13}   few: {_few(ones)}")
    known = {(one.module.kind, one.module.repository) for one in predictions}
    alone = sorted({m.kind for m in found if (m.kind, m.repository) not in known})
    if alone:
        print(f"of one repository only, not held out: {', '.join(alone)}")
    if rows:
        for one in sorted(predictions, key=lambda p: (p.module.kind, p.figure, p.module.repository)):
            tool = "" if one.own_tool else "  by the other tool's"
            print(
                f"{one.module.kind:<42}{one.figure:>4}  {one.module.repository.split('+')[0]:<16}"
                f"{one.module.instance[-52:]:<54}{one.predicted:>9.0f}{one.actual:>9}{one.error:>8.0%}{tool}"
            )


def _few(ones: Sequence[Prediction]) -> str:
    return ", ".join(f"{one.predicted:.0f} for {one.actual}" for one in ones)


def write(found: Sequence[Module], after: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """The text of coefficients.toml."""
    lines = [
        "# Coefficients of the cost model (see costs.py), made by: python -m benchmarks.costs --write",
        f"# Fitted to {len(found)} modules of {len({m.design for m in found})} designs in"
        f" {len({m.repository for m in found})} repositories; low and high: between which multiples",
        "# 8 of 10 modules lie where their repository is held out.",
        "",
        "# What logic synthesis leaves of C synthesis' figures, of whole designs and of modules.",
    ]
    for kind, pairs in after.items():
        for place, figure in enumerate(FIGURES):
            values = [pair[place] for pair in pairs]
            low, median, high = np.quantile(values, (0.1, 0.5, 0.9) if len(values) >= FEWEST else (0, 0.5, 1))
            lines += [
                "",
                f"[logic_synthesis.{kind}.{figure}]",
                f"count = {len(values)}",
                f"median = {median:.3g}",
                f"low = {low:.3g}",
                f"high = {high:.3g}",
            ]
    kinds = sorted({module.kind for module in found})
    for kind in [*kinds, "unknown"]:
        these = [m for m in found if m.kind == kind] if kind != "unknown" else list(found)
        tools = {t: [m for m in these if m.kernel.toolchain is t] for t in Toolchain}
        choices = {"any": these} | {t.value: own for t, own in tools.items() if OF_ONE_TOOL <= len(own) < len(these)}
        for name, chosen in choices.items():
            for figure in FIGURES:
                low, high = _spread(found, kind, figure) if kind != "unknown" else (0.2, 5.0)
                terms = fit(chosen, figure) if kind != "unknown" else _common(chosen, figure)
                terms |= {"low": float(f"{low:.3g}"), "high": float(f"{high:.3g}")}
                lines += ["", f'[kinds."{kind}".{name}.{figure}]', f"# {len(chosen)} modules"]
                lines += [f"{key} = {value:g}" for key, value in terms.items()]
    return "\n".join(lines) + "\n"


def _common(chosen: Sequence[Module], figure: str) -> dict[str, float]:
    """What a layer of no known kind takes: of those without weights the median per bit that they write."""
    light = [m for m in chosen if not m.kernel.weight_bits]
    per_bit = statistics.median(m.actual[figure] / (m.kernel.writes * m.kernel.write_bits) for m in light)
    return {"value_bits": float(f"{per_bit:.4g}")}


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table, or write the coefficients."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=Path, default=REPORTS, help="folder of the real reports")
    parser.add_argument("--rows", action="store_true", help="every module, too")
    parser.add_argument("--write", action="store_true", help="fit to all, and write the coefficients")
    args = parser.parse_args(argv)
    if not args.reports.is_dir():
        raise SystemExit(f"{args.reports}: folder of the real reports wanted, none there")
    every = list(modules(args.reports))
    found = [module for module in every if not module.older]
    after = ratios(args.reports)
    if args.write:
        COEFFICIENTS.write_text(write(found, after), encoding="utf-8")
    rules(every)
    table(found, args.rows)
    print("logic synthesis leaves of C synthesis' figures:")
    for kind, pairs in after.items():
        for place, figure in enumerate(FIGURES):
            values = sorted(pair[place] for pair in pairs)
            told = f"median {statistics.median(values):.0%}" if len(values) >= FEWEST else "few"
            print(f"{kind:<12}{figure:>4}{len(values):>5}   {told}: {', '.join(f'{value:.2f}' for value in values)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
