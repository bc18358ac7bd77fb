"""Shaking maps and wavefields of one earthquake at many nodes, in chunks that are never lost.

Names are imported when they are first used.
"""

from typing import TYPE_CHECKING

from cgmgm_seis import lazy_names

if TYPE_CHECKING:
    from cgmgm_seis.grid.job import GridJob
    from cgmgm_seis.grid.nodes import Nodes, grid_nodes
    from cgmgm_seis.grid.synthesis import draw_tasks, write_grid

__all__ = [
    "GridJob",
    "Nodes",
    "draw_tasks",
    "grid_nodes",
    "write_grid",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "GridJob": "job",
        "Nodes": "nodes",
        "draw_tasks": "synthesis",
        "grid_nodes": "nodes",
        "write_grid": "synthesis",
    },
)
