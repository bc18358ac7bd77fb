"""Maps as GeoTIFF, one file a measure, for geographic information systems."""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.grid.nodes import Nodes, check_regular
from cgmgm_seis.grid.statistics import LINEAR_STATISTICS, STATISTICS
from cgmgm_seis.measures.familiar_units import MEASURES

CRS = "EPSG:4326"


def check_geotiff(nodes: Nodes) -> None:
    """Raise an error if GeoTIFF cannot hold the nodes, or rasterio is not installed.

    Raises
    ------
    CgmgmError
        With what is missing.
    """
    check_regular(nodes, "GeoTIFF")
    try:
        import rasterio  # noqa: F401
    except ImportError as error:
        raise CgmgmError(
            "GeoTIFF needs rasterio; install it with pip install 'cgmgm-seis[geotiff]'."
        ) from error


def write_geotiff(folder: Path, maps: Path) -> str:
    """Write the maps of a regular grid, one file a measure, a band for every statistic.

    Bands have descriptions and units; those of a measure at several periods or frequencies, or of
    several components, are in one file.

    Parameters
    ----------
    folder : pathlib.Path
        The folder to write.
    maps : pathlib.Path
        ``maps.nc``, see `cgmgm_seis.grid.maps.MapFile`.

    Returns
    -------
    str
        Description of the files, one line.
    """
    import rasterio

    folder.mkdir()
    with h5py.File(maps) as file:
        latitude, longitude = file["latitude"][:], file["longitude"][:]
        width, height = (np.ptp(x) / (len(x) - 1) for x in (longitude, latitude))
        # Nodes are the middles of pixels, and the first row is the northernmost.
        corner = longitude[0] - 0.5 * width, latitude[-1] + 0.5 * height
        profile = {
            "driver": "GTiff",
            "dtype": "float32",
            "height": len(latitude),
            "width": len(longitude),
            "crs": CRS,
            "transform": rasterio.Affine(width, 0.0, corner[0], 0.0, -height, corner[1]),
            "nodata": np.nan,
            "compress": "deflate",
        }
        written = []
        for kind in MEASURES:
            bands = list(_bands(file, kind))
            if not bands:
                continue
            written.append(f"{kind}.tif")
            with rasterio.open(folder / written[-1], "w", count=len(bands), **profile) as image:
                image.update_tags(**{name: file.attrs[name] for name in ("title", "source")})
                for number, (name, place, description) in enumerate(bands, 1):
                    image.write(file[name][place][::-1], number)
                    image.set_band_description(number, description)
                    image.set_band_unit(number, file[name].attrs["units"])
    return f"GeoTIFF (EPSG:4326): {', '.join(written)}, a band for every statistic"


def _bands(file: h5py.File, kind: str) -> Iterator[tuple[str, tuple[int, ...], str]]:
    """Yield the variable, the place on its axes and the description of every map of a measure."""
    for key in STATISTICS:
        name = f"{kind}_{LINEAR_STATISTICS.get(key, (key,))[0]}"
        # A single realization has no scatter.
        if name not in file or (key.startswith("sigma") and file.attrs["n_realizations"] == 1):
            continue
        values = file[name]
        axes = [file[values.dims[number][0].name] for number in range(values.ndim - 2)]
        for place in np.ndindex(*values.shape[:-2]):
            at = [_text(axis, k) for axis, k in zip(axes, place, strict=True)]
            yield name, place, ", ".join([values.attrs["long_name"], *at])


def _text(axis: h5py.Dataset, k: int) -> str:
    """Return a value of an axis with its unit."""
    if h5py.check_string_dtype(axis.dtype):
        return f"component {axis.asstr()[k]}"
    return f"{axis[k]:g} {axis.attrs['units']}"
