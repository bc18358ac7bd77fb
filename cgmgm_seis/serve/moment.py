"""Moment magnitude of the sources that Syngine's interface describes."""

import math
from collections.abc import Sequence

from cgmgm_seis.serve.limits import RequestError
from cgmgm_seis.serve.parameters import Parameters

# Syngine's scalar moment of a double couple without one, N m.
DEFAULT_MOMENT = 1e19
# Largest isotropic part of an earthquake's moment tensor, a share of its scalar moment.
MOST_ISOTROPIC = 0.1
SOURCES = ("magnitude", "sourcemomenttensor", "sourcedoublecouple")


def moment_magnitude(moment: float) -> float:
    """Return the moment magnitude of a scalar moment in N m (Hanks & Kanamori 1979).

    Mw = 2/3 log10(M0) - 10.7 with M0 in dyne cm.

    Examples
    --------
    >>> round(moment_magnitude(1e19), 3)
    6.633
    """
    return 2.0 / 3.0 * math.log10(moment * 1e7) - 10.7


def scalar_moment(tensor: Sequence[float]) -> float:
    """Return the scalar moment of a moment tensor, its Frobenius norm over the root of 2.

    Parameters
    ----------
    tensor : sequence of float
        Mrr, Mtt, Mpp, Mrt, Mrp, Mtp, N m.

    Examples
    --------
    >>> round(scalar_moment([0.0, 3e15, -3e15, 0.0, 0.0, 0.0]) / 1e15, 6)
    3.0
    """
    # hypot does not overflow.
    return math.hypot(*tensor, *tensor[3:]) / math.sqrt(2.0)


def requested_magnitude(parameters: Parameters) -> tuple[float, str]:
    """Return the moment magnitude of a request and a sentence that says where it is from.

    Raises
    ------
    RequestError
        If there is not exactly one source, or one that the models cannot represent: a force or
        an explosion.
    """
    if "sourceforce" in parameters:
        raise RequestError(
            "sourceforce cannot be answered, because the models generate earthquakes only; give "
            "magnitude, sourcemomenttensor or sourcedoublecouple."
        )
    given = [name for name in SOURCES if name in parameters]
    if len(given) != 1:
        raise RequestError(
            f"The request has {len(given)} of {', '.join(SOURCES)}; give exactly one."
        )
    if given[0] == "magnitude":
        magnitude = parameters.required("magnitude")
        return magnitude, f"Mw {magnitude:g} as given"
    if given[0] == "sourcemomenttensor":
        tensor = parameters.numbers("sourcemomenttensor", (6,))
        moment = scalar_moment(tensor)
        isotropic = abs(sum(value / 3.0 for value in tensor[:3]))
        if moment and isotropic > MOST_ISOTROPIC * moment:
            raise RequestError(
                f"sourcemomenttensor has an isotropic part of {isotropic:.3g} N m; it must be at "
                f"most {MOST_ISOTROPIC:g} of the scalar moment, {moment:.3g} N m, because the "
                "models generate earthquakes only."
            )
    else:
        couple = parameters.numbers("sourcedoublecouple", (3, 4))
        moment = couple[3] if len(couple) == 4 else DEFAULT_MOMENT
    if not 0.0 < moment < math.inf:
        raise RequestError(f"The scalar moment is {moment:g} N m; it must be finite and above 0.")
    magnitude = moment_magnitude(moment)
    return magnitude, (
        f"Mw {magnitude:.3f} of M0 {moment:.4g} N m (Hanks & Kanamori 1979); the mechanism is not "
        "used"
    )
