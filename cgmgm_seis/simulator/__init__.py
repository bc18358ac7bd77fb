"""A simulated Bay Area: earthquakes, spatial terms and seismograms.

Names are imported when they are first used.
"""

from typing import TYPE_CHECKING

from cgmgm_seis import lazy_names

if TYPE_CHECKING:
    from cgmgm_seis.simulator.catalogue import simulate, simulate_catalogue
    from cgmgm_seis.simulator.earthquakes import draw_catalogue
    from cgmgm_seis.simulator.region import true_fields
    from cgmgm_seis.simulator.scatter import bay_area_scatter
    from cgmgm_seis.simulator.seismograms import simulate_records, true_arrival_times
    from cgmgm_seis.simulator.sites import bay_area_sites, site_table
    from cgmgm_seis.simulator.sources import bay_area_sources
    from cgmgm_seis.simulator.spectra import Coefficients, bay_area

__all__ = [
    "Coefficients",
    "bay_area",
    "bay_area_scatter",
    "bay_area_sites",
    "bay_area_sources",
    "draw_catalogue",
    "simulate",
    "simulate_catalogue",
    "simulate_records",
    "site_table",
    "true_arrival_times",
    "true_fields",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Coefficients": "spectra",
        "bay_area": "spectra",
        "bay_area_scatter": "scatter",
        "bay_area_sites": "sites",
        "bay_area_sources": "sources",
        "draw_catalogue": "earthquakes",
        "simulate": "catalogue",
        "simulate_catalogue": "catalogue",
        "simulate_records": "seismograms",
        "site_table": "sites",
        "true_arrival_times": "seismograms",
        "true_fields": "region",
    },
)
