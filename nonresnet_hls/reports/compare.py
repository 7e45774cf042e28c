"""Designs side by side at the same stage, with their differences relative to the first."""

from collections.abc import Iterable
from dataclasses import dataclass

from nonresnet_hls.errors import ReportError
from nonresnet_hls.reports.merge import merge
from nonresnet_hls.reports.values import PERCENT_OF, RESOURCES, Kind, Report, Stage, percent, throughput_khz

# Fields of a merged row that are compared, in this order, and those derived from them (see `_derived`).
METRICS = (
    "latency_max_cycles",
    "latency_avg_cycles",
    "latency_us",
    "interval_max_cycles",
    "interval_avg_cycles",
    "clock_target_ns",
    "clock_estimate_ns",
    "fmax_mhz",
    "wns_ns",
    "throughput_khz",
    *(name for resource in RESOURCES for name in (resource, f"{resource}_percent")),
    *("lutram", "srl", "alm", "alm_percent", "ram_blocks", "ram_blocks_percent"),
    "power_total_w",
    "total_cycles",
)


@dataclass(frozen=True)
class Comparison:
    """One metric of all designs at one stage; None where a design's reports do not say."""

    stage: Stage
    metric: str
    designs: tuple[str, ...]
    values: tuple[float | None, ...]
    notes: tuple[str | None, ...] = ()  # of each design at this stage: what its reader must know

    def __post_init__(self) -> None:
        if not self.notes:
            object.__setattr__(self, "notes", (None,) * len(self.designs))

    @property
    def changes_percent(self) -> tuple[float | None, ...]:
        """Each design's difference from the first, in percent of the first.

        >>> Comparison(Stage.CSYNTH, "lut", ("a", "b"), (200, 150)).changes_percent
        (0.0, -25.0)
        """
        base = self.values[0]
        return tuple(None if value is None or not base else 100 * (value - base) / abs(base) for value in self.values)


def compare(reports: Iterable[Report]) -> list[Comparison]:
    """All metrics that at least one design has, for every stage that at least two designs reached.

    Args:
        reports: of two designs or more, as `read` gives them or merged; the first design is the baseline.

    Raises:
        ReportError: fewer than two designs, or no stage that two of them have reached.
    """
    given = list(reports)
    rows = given if all(report.kind is Kind.MERGED for report in given) else merge(given)
    designs = tuple(dict.fromkeys(row.design or "" for row in rows))
    if len(designs) < 2:
        raise ReportError(f"comparing wants two designs, got {len(designs)} ({', '.join(designs) or 'no reports'})")
    found = []
    for stage in Stage:
        there = {row.design or "": row for row in rows if row.stage is stage}
        if len(there) < 2:
            continue
        notes = tuple(
            "; ".join([*([row.note] if row.note else []), *row.choices]) or None if row is not None else None
            for row in map(there.get, designs)
        )
        columns = [_derived(there[design]) if design in there else {} for design in designs]
        for metric in METRICS:
            values = tuple(column.get(metric) for column in columns)
            if any(value is not None for value in values):
                found.append(Comparison(stage, metric, designs, values, notes))
    if not found:
        reached = "; ".join(f"{row.design}: {row.stage}" for row in rows)
        raise ReportError(f"no stage that two designs have reached ({reached})")
    return found


def _derived(row: Report) -> dict[str, float | None]:
    """The row's figures, with shares of the device and the throughput."""
    found: dict[str, float | None] = {name: getattr(row, name, None) for name in METRICS}
    for resource in PERCENT_OF:
        found[f"{resource}_percent"] = percent(getattr(row, resource), getattr(row, f"available_{resource}"))
    found["throughput_khz"] = throughput_khz(row.interval_max_cycles, row.clock_ns)
    return found
