"""Vendor reports as typed values and as pandas tables.

    >>> from nonresnet_hls import reports
    >>> rows = reports.merge(reports.read("hls_projects/resnet20"))      # doctest: +SKIP
    >>> reports.frame(rows)[["design", "stage", "lut", "bram_18k"]]      # doctest: +SKIP

`read` and `scan` find and read, `merge` makes one row per design and stage, `frame`, `module_frame`,
`fifo_frame` and `compare` make tables.
"""

from nonresnet_hls.reports.discover import Scan, read, scan
from nonresnet_hls.reports.values import COLUMNS, RESOURCES, Fifo, Kind, Module, Report, Stage

__all__ = ["COLUMNS", "RESOURCES", "Fifo", "Kind", "Module", "Report", "Scan", "Stage", "read", "scan"]
