"""Quantities of ground motion that records can be written in, and their units in file formats."""

from dataclasses import dataclass

from cgmgm_seis.errors import OutputError


@dataclass(frozen=True)
class Quantity:
    """A quantity of ground motion, with its SI unit as different formats write it.

    Parameters
    ----------
    name : str
        "acceleration", "velocity" or "displacement".
    unit : str
        Unit in texts, and in the column ``trace_units`` of data sets.
    stationxml_unit : str
        Unit in StationXML.
    seisbench_unit : str
        Unit in the data format of a SeisBench data set.
    instrument_code : str
        Second letter of the channel code: N (accelerometer), or X (derived or generated).
    sac_idep : int
        Number of SAC's header variable IDEP: 6 displacement in nm, 7 velocity in nm/s,
        8 acceleration in nm/s/s.
    """

    name: str
    unit: str
    stationxml_unit: str
    seisbench_unit: str
    instrument_code: str
    sac_idep: int


QUANTITIES = {
    quantity.name: quantity
    for quantity in (
        Quantity("acceleration", "m/s^2", "m/s**2", "mps2", "N", 8),
        Quantity("velocity", "m/s", "m/s", "mps", "X", 7),
        Quantity("displacement", "m", "m", "m", "X", 6),
    )
}


def find_quantity(name: str) -> Quantity:
    """Return the quantity of a name.

    Raises
    ------
    OutputError
        If the name is unknown.

    Examples
    --------
    >>> find_quantity("acceleration").unit
    'm/s^2'
    """
    if name not in QUANTITIES:
        raise OutputError(f"quantity = '{name}' must be one of {', '.join(QUANTITIES)}.")
    return QUANTITIES[name]
