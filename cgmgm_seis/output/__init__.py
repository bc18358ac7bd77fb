"""Writing results: waveform files, data sets, figures and their provenance.

Names are imported when they are first used.
"""

from typing import TYPE_CHECKING

from cgmgm_seis import lazy_names

if TYPE_CHECKING:
    from cgmgm_seis.output.outputs import write_outputs
    from cgmgm_seis.output.plots import (
        plot_comparison,
        plot_generated_and_observed,
        plot_record_section,
    )
    from cgmgm_seis.output.provenance import trained_on, versions
    from cgmgm_seis.output.seisbench_writer import DatasetWriter, new_dataset, write_labelled

__all__ = [
    "DatasetWriter",
    "new_dataset",
    "plot_comparison",
    "plot_generated_and_observed",
    "plot_record_section",
    "trained_on",
    "versions",
    "write_labelled",
    "write_outputs",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "DatasetWriter": "seisbench_writer",
        "new_dataset": "seisbench_writer",
        "plot_comparison": "plots",
        "plot_generated_and_observed": "plots",
        "plot_record_section": "plots",
        "trained_on": "provenance",
        "versions": "provenance",
        "write_labelled": "seisbench_writer",
        "write_outputs": "outputs",
    },
)
