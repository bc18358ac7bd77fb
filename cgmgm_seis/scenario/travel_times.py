"""First P and S arrival times of a layered Earth, interpolated in a precomputed table.

TauP takes tens of milliseconds per source-receiver pair, so the times of a region are computed
once as a (depth x distance) table.  The table is stored in the weights of every model.
"""

import tempfile
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.resources import files
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import RegularGridInterpolator
from tqdm.auto import tqdm

from cgmgm_seis.errors import ScenarioError, reason_of
from cgmgm_seis.storage.files import check_regular
from cgmgm_seis.storage.text import decoded

# Phases that may arrive first: upgoing, turning in the crust, or along the Moho.
PHASES = {"P": ["p", "P", "Pn"], "S": ["s", "S", "Sn"]}


@dataclass(frozen=True)
class TravelTimeTable:
    """First P and S arrivals on a regular grid of source depth and epicentral distance.

    Parameters
    ----------
    times : numpy.ndarray
        Shape (2, depth, distance), seconds after the origin time; P first, then S.  Depths and
        distances start at zero.
    depth_step_km, distance_step_km : float
        Grid spacing in kilometres.

    Examples
    --------
    >>> p, s = bay_area_travel_times().at(8.0, 30.0)
    >>> print(f"{p:.1f} {s:.1f}")
    5.6 10.4
    """

    times: NDArray[np.float64]
    depth_step_km: float
    distance_step_km: float

    @classmethod
    def from_velocity_model(
        cls,
        path: str | Path,
        max_depth_km: float = 25.0,
        max_distance_km: float = 200.0,
        depth_step_km: float = 1.0,
        distance_step_km: float = 1.0,
        progress: bool = False,
    ) -> "TravelTimeTable":
        """Compute the table with TauP (Crotwell et al. 1999) from a ``.nd`` velocity model.

        Parameters
        ----------
        path : str or pathlib.Path
            Velocity model in TauP's named-discontinuities format: depth (km), Vp (km/s),
            Vs (km/s) and density (g/cm3).  A model that does not reach the Earth's centre, such
            as a crustal model, is extended with `bay_area_velocity_model` below 120 km.
        max_depth_km, max_distance_km, depth_step_km, distance_step_km : float
            Extent and spacing of the grid.
        progress : bool
            Show a progress bar.

        Raises
        ------
        ScenarioError
            If the file is not a velocity model, or no P or S wave arrives at a node.
        """
        from obspy.geodetics import kilometer2degrees
        from obspy.taup import TauPyModel
        from obspy.taup.seismic_phase import SeismicPhase
        from obspy.taup.taup_create import build_taup_model

        depths = np.arange(0.0, max_depth_km + depth_step_km / 2, depth_step_km)
        distances = np.arange(0.0, max_distance_km + distance_step_km / 2, distance_step_km)
        radians = np.radians(kilometer2degrees(distances))
        times = np.full((2, len(depths), len(distances)), np.inf)
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / "earth.nd"
            try:
                check_regular(Path(path))
                if (text := decoded(Path(path).read_bytes())) is None:
                    raise ValueError("it is not a text file")
                whole.write_text(_whole_earth(text), encoding="utf-8")
                # TauP prints its progress even with verbose=False.
                with redirect_stdout(StringIO()):
                    build_taup_model(str(whole), folder, verbose=False)
            except Exception as error:  # TauP passes on any error of its parser
                raise ScenarioError(
                    f"{path} is not a readable velocity model (.nd): {reason_of(error)}; "
                    "each line must contain depth, Vp, Vs and density."
                ) from error
            earth = TauPyModel(str(whole.with_suffix(".npz"))).model
        for i, depth in enumerate(tqdm(depths, disable=not progress, desc="TauP depths")):
            corrected = earth.depth_correct(depth)
            for wave, names in enumerate(PHASES.values()):
                rays = [_first_times(SeismicPhase(name, corrected), radians) for name in names]
                times[wave, i] = np.min(rays, axis=0)
                if not np.isfinite(times[wave, i]).all():
                    distance = distances[int(np.argmax(~np.isfinite(times[wave, i])))]
                    raise ScenarioError(
                        f"{path} has no {'PS'[wave]} from {depth:g} km depth at {distance:g} km; "
                        "every node of the table needs an arrival."
                    )
        return cls(times, depth_step_km, distance_step_km)

    @classmethod
    def covering(
        cls,
        path: str | Path,
        max_depth_km: float,
        max_distance_km: float,
        progress: bool = False,
    ) -> "TravelTimeTable":
        """Compute a table that covers a data set, within seconds of computing time.

        The table has at most 60 depths and 300 distances, with steps of at least 1 km; see
        `from_velocity_model`.
        """
        depth_step = max(np.ceil(max_depth_km / 60.0), 1.0)
        distance_step = max(np.ceil(max_distance_km / 300.0), 1.0)
        return cls.from_velocity_model(
            path,
            depth_step * max(np.ceil(max_depth_km / depth_step), 1.0),
            distance_step * max(np.ceil(max_distance_km / distance_step), 1.0),
            float(depth_step),
            float(distance_step),
            progress,
        )

    def at(self, depth_km: ArrayLike, distance_km: ArrayLike) -> tuple[Any, Any]:
        """Interpolate the P and S times.

        Parameters
        ----------
        depth_km, distance_km : array_like
            Source depth and epicentral distance, kilometres, broadcast against each other.
            Sources above sea level are treated as surface sources; outside of the grid the
            times are extrapolated linearly.

        Returns
        -------
        tuple of numpy.ndarray or float
            P and S times in seconds after the origin time.
        """
        depth, distance = np.broadcast_arrays(np.maximum(depth_km, 0.0), distance_km)
        points = np.stack([depth, distance], axis=-1)
        axes = (
            self.depth_step_km * np.arange(self.times.shape[1]),
            self.distance_step_km * np.arange(self.times.shape[2]),
        )
        interpolate = RegularGridInterpolator(
            axes, np.moveaxis(self.times, 0, -1), bounds_error=False, fill_value=None
        )
        # The interpolator adds an axis to scalars; the empty index converts them back.
        both = interpolate(points).reshape(points.shape)
        return both[..., 0][()], both[..., 1][()]

    def save(self, path: str | Path) -> None:
        """Write the table as a compressed NumPy file."""
        np.savez_compressed(
            path,
            times=self.times.astype(np.float32),
            steps_km=np.array([self.depth_step_km, self.distance_step_km]),
        )

    @classmethod
    def load(cls, path: str | Path) -> "TravelTimeTable":
        """Read a table written by `save`."""
        with np.load(path, allow_pickle=False) as file:
            depth_step, distance_step = file["steps_km"].tolist()
            return cls(file["times"].astype(float), depth_step, distance_step)


def _first_times(phase: Any, radians: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the first arrival times of a phase, infinite where it does not arrive.

    Times are interpolated between the rays traced by TauP with cubic Hermite polynomials, whose
    slopes are the ray parameters: a thousand times faster than shooting a ray to every distance.
    """
    first = np.full(radians.shape, np.inf)
    rays = zip(phase.dist, phase.time, phase.ray_param, strict=True)
    for (x0, t0, p0), (x1, t1, p1) in pairwise(rays):
        step = x1 - x0
        inside = (radians >= min(x0, x1)) & (radians <= max(x0, x1))
        if step and inside.any():
            u = (radians[inside] - x0) / step
            times = (1 + 2 * u) * (1 - u) ** 2 * t0 + u**2 * (3 - 2 * u) * t1
            times += step * u * (1 - u) * ((1 - u) * p0 - u * p1)
            first[inside] = np.minimum(first[inside], times)
    return first


def _whole_earth(text: str) -> str:
    """Return a velocity model that is extended to the Earth's centre if it ends above it."""
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    lines = [line for line in lines if line]
    layers = [line.split() for line in lines if not line[0].isalpha()]
    last = max(float(layer[0]) for layer in layers)
    if last > 3000.0:
        return text
    deep = bay_area_velocity_model().read_text(encoding="utf-8").splitlines()
    start = next(k for k, line in enumerate(deep) if line.startswith("120.00 8.05"))
    below = [line for line in deep[start:] if line[0].isalpha() or float(line.split()[0]) > last]
    top = f"{last:g} {deep[start].split(maxsplit=1)[1]}"
    mantle = [] if "mantle" in lines else ["mantle"]
    return "\n".join([*lines, *mantle, top, *below]) + "\n"


def bay_area_velocity_model() -> Path:
    """Return the path of GIL7, a 1-D model of the Bay Area (Stidham et al. 1999), as a .nd file.

    Below 120 km, deeper than any local ray, it contains rounded values of a global model.
    """
    return Path(str(files("cgmgm_seis.scenario") / "data" / "gil7.nd"))


def bay_area_travel_times() -> TravelTimeTable:
    """Return the bundled table of GIL7 for depths of 0 to 25 km and distances of 0 to 200 km."""
    return TravelTimeTable.load(Path(str(files("cgmgm_seis.scenario") / "data" / "gil7_times.npz")))
