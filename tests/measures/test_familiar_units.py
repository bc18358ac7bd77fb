"""Units of measures, and intensity beside the values of ShakeMap's own tests."""

import numpy as np
import pytest

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.grid.measures import KINDS
from cgmgm_seis.measures.familiar_units import MEASURES, find_measure
from cgmgm_seis.measures.macroseismic_intensity import mmi


def test_every_measure_of_a_map_has_a_unit():
    assert set(KINDS) < set(MEASURES)
    assert all(measure.name == name for name, measure in MEASURES.items())


@pytest.mark.parametrize(
    ("name", "si", "familiar"),
    [("pga", 9.80665, 100.0), ("psa", 0.0980665, 1.0), ("pgv", 0.031, 3.1), ("eas", 0.002, 0.2)],
)
def test_familiar_units(name, si, familiar):
    measure = find_measure(name)
    np.testing.assert_allclose(measure.familiar([si, 2.0 * si]), [familiar, 2.0 * familiar])
    np.testing.assert_allclose(measure.familiar_of_ln(np.log(si)), familiar)


def test_an_unknown_measure_is_an_error():
    with pytest.raises(CgmgmError, match="Measure 'pgd' must be one of fas, eas, pga"):
        find_measure("pgd")


def test_intensity_agrees_with_shakemap():
    # tests/shakelib/gmice/wgrw12_test.py of ShakeMap 4, which has 9.81 m/s2 for g.
    motion = np.array([0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5])
    pga = [3.31708696, 4.05662491, 5.76917533, 6.88298631, 7.53452397, 7.9967973, 8.35536434]
    np.testing.assert_allclose(mmi(pga=9.81 * motion), pga, rtol=1e-7)
    pgv = [3.78, 4.48136824, 6.05, 7.00125479, 7.55770316, 7.95250957, 8.25874521]
    np.testing.assert_allclose(mmi(pgv=motion), pgv, rtol=1e-7)
    # Below intensity 2 from the inverse in the same file: 2.0 is 0.0615 cm/s, and 0.141 %g.
    np.testing.assert_allclose(mmi(pgv=0.0006153407), 2.0, atol=0.01)
    np.testing.assert_allclose(mmi(pga=0.0014134045 * 9.81), 2.0, atol=0.01)


def test_intensity_is_bounded_and_keeps_what_is_unknown():
    pgv = [0.0, 1e-9, 100.0, np.inf, np.nan]
    np.testing.assert_array_equal(mmi(pgv=pgv), [1.0, 1.0, 10.0, 10.0, np.nan])
    # PGV decides where both are given.
    assert float(mmi(pga=0.0, pgv=0.1)) == float(mmi(pgv=0.1))
    with pytest.raises(CgmgmError, match="needs pga or pgv"):
        mmi()


@pytest.mark.parametrize("name", ["pga", "pgv"])
def test_intensity_increases_with_the_motion(name):
    steps = np.diff(mmi(**{name: np.logspace(-6, 2, 4001)}))
    assert steps.min() > -0.01 and steps.max() < 0.02
