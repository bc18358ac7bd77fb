"""Focal mechanisms through a scenario table, against ObsPy's conversions and validator."""

from io import BytesIO

import numpy as np
import obspy
import pytest
from obspy import UTCDateTime
from obspy.core.event import (
    Event,
    FocalMechanism,
    Magnitude,
    MomentTensor,
    NodalPlane,
    NodalPlanes,
    Origin,
    Tensor,
)
from obspy.imaging.beachball import aux_plane
from obspy.io.quakeml.core import _validate

from cgmgm_seis import cross, receivers, source
from cgmgm_seis.scenario.mechanisms import PLANE, TENSOR, mechanism_columns
from cgmgm_seis.scenario.streams import to_catalog

PLANES = (40.0, 60.0, -170.0), aux_plane(40.0, 60.0, -170.0)
# Pure strike slip on a vertical plane that strikes north: m_tp = M0 (Aki & Richards 2002, 4.91).
STRIKE_SLIP = dict.fromkeys(("m_rr", "m_tt", "m_pp", "m_rt", "m_rp"), 0.0) | {"m_tp": 1e16}


def event(*mechanisms):
    origin = Origin(time=UTCDateTime(2019, 10, 15), latitude=37.9, longitude=-122.0, depth=14e3)
    return Event(
        origins=[origin], magnitudes=[Magnitude(mag=4.5)], focal_mechanisms=list(mechanisms)
    )


def nodal_planes(preferred=None):
    first, second = (
        NodalPlane(**dict(zip(PLANE, map(float, plane), strict=True))) for plane in PLANES
    )
    return NodalPlanes(nodal_plane_1=first, nodal_plane_2=second, preferred_plane=preferred)


def written(one):
    """Return the event that a scenario of an event gives, after QuakeML."""
    scenario = cross(source(event=one), receivers([(37.8, -122.2), (37.7, -122.1)]))
    buffer = BytesIO()
    to_catalog(scenario).write(buffer, format="QUAKEML")
    assert _validate(BytesIO(buffer.getvalue()))
    return obspy.read_events(BytesIO(buffer.getvalue()))[0]


@pytest.mark.parametrize("preferred", [None, 1, 2])
def test_nodal_planes_pass_through(preferred):
    given = FocalMechanism(nodal_planes=nodal_planes(preferred))
    (found,) = written(event(given)).focal_mechanisms
    order = PLANES[::-1] if preferred == 2 else PLANES
    both = found.nodal_planes.nodal_plane_1, found.nodal_planes.nodal_plane_2
    for plane, expected in zip(both, order, strict=True):
        values = np.array([plane.strike, plane.dip, plane.rake]) - expected
        np.testing.assert_allclose((values + 180.0) % 360.0 - 180.0, 0.0, atol=1e-6)
    assert found.nodal_planes.preferred_plane == 1


def test_a_moment_tensor_passes_through_and_has_a_plane():
    given = FocalMechanism(moment_tensor=MomentTensor(tensor=Tensor(**STRIKE_SLIP)))
    columns = mechanism_columns(event(given))
    strike, dip, rake = (columns[name] for name in PLANE.values())
    assert dip == pytest.approx(90.0) and abs(rake) % 180.0 == pytest.approx(0.0, abs=1e-6)
    assert strike % 90.0 == pytest.approx(0.0, abs=1e-6)
    (found,) = written(event(given)).focal_mechanisms
    tensor = found.moment_tensor.tensor
    assert {name: getattr(tensor, name) for name in TENSOR} == STRIKE_SLIP
    assert found.moment_tensor.derived_origin_id == written(event(given)).origins[0].resource_id


def test_without_a_whole_mechanism_there_are_no_columns():
    half = FocalMechanism(nodal_planes=NodalPlanes(nodal_plane_1=NodalPlane(strike=40.0)))
    for one in (event(), event(FocalMechanism()), event(half)):
        assert mechanism_columns(one) == {}
        assert not written(one).focal_mechanisms
