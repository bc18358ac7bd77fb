"""Focal mechanisms of events as columns of a scenario table, and back.

No generator uses them: they are passed on to the QuakeML and the data sets that are written.
"""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
from obspy.core.event import (
    Event,
    FocalMechanism,
    MomentTensor,
    NodalPlane,
    NodalPlanes,
    ResourceIdentifier,
    Tensor,
)

# A nodal plane, degrees, and the moment tensor in the convention of Harvard (up, south, east), N m.
PLANE = {part: f"source_focal_mechanism_{part}_deg" for part in ("strike", "dip", "rake")}
TENSOR = {
    f"m_{part}": f"source_moment_tensor_m{part}_nm" for part in ("rr", "tt", "pp", "rt", "rp", "tp")
}


def mechanism_columns(event: Event) -> dict[str, float]:
    """Return the columns in `PLANE` and `TENSOR` of an event's preferred or first mechanism.

    The plane is the preferred nodal plane, or else the first one, or else one of the moment tensor.
    """
    mechanism = event.preferred_focal_mechanism() or next(iter(event.focal_mechanisms), None)
    if mechanism is None:
        return {}
    moment = mechanism.moment_tensor
    columns = _columns(TENSOR, moment.tensor if moment else None)
    planes = mechanism.nodal_planes
    if planes:
        both = [planes.nodal_plane_1, planes.nodal_plane_2]
        for plane in reversed(both) if planes.preferred_plane == 2 else both:
            if found := _columns(PLANE, plane):
                return found | columns
    if columns:
        return _plane_of_tensor([columns[column] for column in TENSOR.values()]) | columns
    return {}


def focal_mechanism(
    row: Mapping[Hashable, Any], name: ResourceIdentifier, origin: ResourceIdentifier
) -> FocalMechanism | None:
    """Return the mechanism of a scenario row, or None without its columns."""
    plane, tensor = _values(PLANE, row), _values(TENSOR, row)
    if not plane and not tensor:
        return None
    mechanism = FocalMechanism(resource_id=name)
    if plane:
        from obspy.imaging.beachball import aux_plane

        other = dict(zip(PLANE, map(float, aux_plane(*plane.values())), strict=True))
        mechanism.nodal_planes = NodalPlanes(
            nodal_plane_1=NodalPlane(**plane),
            nodal_plane_2=NodalPlane(**other),
            preferred_plane=1,
        )
    if tensor:
        mechanism.moment_tensor = MomentTensor(
            resource_id=ResourceIdentifier(f"{name.id}/tensor"),
            derived_origin_id=origin,
            tensor=Tensor(**tensor),
        )
    return mechanism


def _columns(names: Mapping[str, str], part: NodalPlane | Tensor | None) -> dict[str, float]:
    """Return the columns of a plane or a tensor, or none if a value is missing."""
    values = {column: getattr(part, name, None) for name, column in names.items()}
    known = {column: float(value) for column, value in values.items() if value is not None}
    return known if len(known) == len(names) else {}


def _values(names: Mapping[str, str], row: Mapping[Hashable, Any]) -> dict[str, float]:
    """Return the values of a plane or a tensor by name, or none if one is missing in the row."""
    values = {name: row.get(column) for name, column in names.items()}
    known = {name: float(value) for name, value in values.items() if pd.notna(value)}
    return known if len(known) == len(names) else {}


def _plane_of_tensor(parts: list[float]) -> dict[str, float]:
    """Return a nodal plane of the double couple of a moment tensor."""
    from obspy.imaging.beachball import MomentTensor as BeachballTensor
    from obspy.imaging.beachball import mt2plane

    plane = mt2plane(BeachballTensor(*parts, 0))
    return {column: float(getattr(plane, part)) for part, column in PLANE.items()}
