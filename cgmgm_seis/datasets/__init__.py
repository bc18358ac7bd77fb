"""Importing, reading and splitting data sets in SeisBench format.

Names are imported when they are first used.
"""

from typing import TYPE_CHECKING

from cgmgm_seis import lazy_names

if TYPE_CHECKING:
    from cgmgm_seis.datasets.archive import Processing, import_records
    from cgmgm_seis.datasets.benchmarks import import_benchmark
    from cgmgm_seis.datasets.designsafe import import_designsafe
    from cgmgm_seis.datasets.generated import read_output
    from cgmgm_seis.datasets.records import read_observed
    from cgmgm_seis.datasets.splitting import (
        event_split,
        region_split,
        split_dataset,
        station_split,
    )
    from cgmgm_seis.datasets.summary import Summary, summarise
    from cgmgm_seis.datasets.summary_plots import plot_summary
    from cgmgm_seis.datasets.windows import read_records, restore_codes

__all__ = [
    "Processing",
    "Summary",
    "event_split",
    "import_benchmark",
    "import_designsafe",
    "import_records",
    "plot_summary",
    "read_observed",
    "read_output",
    "read_records",
    "region_split",
    "restore_codes",
    "split_dataset",
    "station_split",
    "summarise",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Processing": "archive",
        "Summary": "summary",
        "event_split": "splitting",
        "import_benchmark": "benchmarks",
        "import_designsafe": "designsafe",
        "import_records": "archive",
        "plot_summary": "summary_plots",
        "read_observed": "records",
        "read_output": "generated",
        "read_records": "windows",
        "region_split": "splitting",
        "restore_codes": "windows",
        "split_dataset": "splitting",
        "station_split": "splitting",
        "summarise": "summary",
    },
)
