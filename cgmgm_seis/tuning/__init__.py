"""Search for the best settings of a generator: spaces, objectives, trials, and two engines.

Names are imported when they are first used.
"""

from typing import TYPE_CHECKING

from cgmgm_seis import lazy_names

if TYPE_CHECKING:
    from cgmgm_seis.tuning.objective import Study
    from cgmgm_seis.tuning.search import Search, tune
    from cgmgm_seis.tuning.space import SearchSpace, default_space, read_space

__all__ = [
    "Search",
    "SearchSpace",
    "Study",
    "default_space",
    "read_space",
    "tune",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Search": "search",
        "SearchSpace": "space",
        "Study": "objective",
        "default_space": "space",
        "read_space": "space",
        "tune": "search",
    },
)
