"""Answers in the manner of IRIS Syngine: generated records as MiniSEED or a zip of SAC files."""

import zipfile
from io import BytesIO
from typing import Any

import numpy as np
from obspy import Stream, Trace, UTCDateTime

from cgmgm_seis import __version__
from cgmgm_seis.models.base import GroundMotionModel
from cgmgm_seis.output.provenance import trained_on
from cgmgm_seis.output.sac import sac_header
from cgmgm_seis.scenario.streams import channel_code
from cgmgm_seis.serve.syngine_request import Wanted
from cgmgm_seis.storage.obspy_bytes import to_bytes

VERSION = "1.0.0"
# SAC's IDEP of an unknown quantity: Syngine's files are in metres, SAC's quantities in nanometres.
_UNKNOWN = 5


def model_information(model: GroundMotionModel) -> dict[str, Any]:
    """Return the description of a model that ``info`` and ``models`` answer.

    ``slip`` and ``sliprate`` are empty: the models have no source time function.
    """
    window = model.window
    return {
        "name": model.weights_name,
        "generator": model.name,
        "weights_version": model.weights_version,
        "trained_on": trained_on(model.card),
        "is_stochastic": True,
        "components": window.component_order,
        "dt": 1.0 / window.sampling_rate,
        "sampling_rate": window.sampling_rate,
        "npts": window.n_samples,
        "length": window.duration_s,
        "start_offset_s": window.start_offset_s,
        "ranges": model.ranges,
        "slip": [],
        "sliprate": [],
    }


def records(wanted: Wanted) -> Stream:
    """Draw the records of a request.

    Returns
    -------
    obspy.Stream
        Traces by receiver and component, float32, times the scale.
    """
    n_components = len(wanted.model.component_order)
    drawn = wanted.model.generate(wanted.scenario, seed=wanted.seed, quantity=wanted.quantity)
    answer = Stream()
    for row, (start, end) in enumerate(wanted.spans):
        origin = UTCDateTime(wanted.scenario["source_origin_time"].iloc[row])
        record = _oriented(drawn[row * n_components : (row + 1) * n_components], wanted.components)
        location = wanted.scenario["station_location_code"].iloc[row]
        for trace in record:
            _resample(trace, wanted)
            # The last sample lies before the end, as in the parts of a window.
            trace.trim(origin + start, origin + end - 0.75 * wanted.dt)
            trace.data = np.asarray(trace.data * wanted.scale, np.float32)
            trace.stats.location = location
        answer += record
    return answer


def _oriented(record: Stream, components: str) -> Stream:
    """Return some components of a record, also the radial and transverse ones."""
    by_letter = {trace.stats.component: trace for trace in record}
    if set("RT") & set(components):
        rotated = Stream([by_letter["N"].copy(), by_letter["E"].copy()]).rotate("NE->RT")
        by_letter |= {trace.stats.component: trace for trace in rotated}
    return Stream([by_letter[component] for component in components])


def _resample(trace: Trace, wanted: Wanted) -> None:
    """Interpolate a trace with a Lanczos kernel if another sampling interval is wanted."""
    rate = 1.0 / wanted.dt
    stats = trace.stats
    if abs(rate / stats.sampling_rate - 1.0) < 1e-6:
        return
    trace.interpolate(rate, method="lanczos", a=wanted.kernel_width)
    stats.channel = channel_code("Z", rate, wanted.quantity)[:-1] + stats.component


def note(wanted: Wanted) -> str:
    """Return one line that says what made an answer, and what of the request it does not use."""
    model = wanted.model
    high_pass = " high-passed at 0.1 Hz" if wanted.quantity == "displacement" else ""
    return (
        f"cgmgm-seis {__version__}: generated, not recorded, by {model.name}, weights "
        f"{model.weights_name} version {model.weights_version}, seed {wanted.seed}; "
        f"{wanted.magnitude_note}; {wanted.quantity}{high_pass}, SI units times {wanted.scale:g}"
    )


def content(wanted: Wanted, stream: Stream) -> tuple[bytes, str, str]:
    """Return the bytes, the media type and the file name of an answer."""
    stem = wanted.label or "Syngine"
    if not wanted.sac:
        mseed = to_bytes(stream, "MSEED", encoding="FLOAT32")
        return mseed, "application/vnd.fdsn.mseed", f"{stem}.mseed"
    p, s = wanted.model.onsets(wanted.scenario)
    n_components = len(wanted.components)
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("Syngine.log", note(wanted) + "\n")
        for number, trace in enumerate(stream):
            row = number // n_components
            header = sac_header(trace, wanted.scenario.iloc[row], float(p[row]), float(s[row]))
            trace.stats.sac = header | {"idep": _UNKNOWN}
            prefix = f"{wanted.label}_" if wanted.label else ""
            archive.writestr(f"{prefix}{trace.id}.sac", to_bytes(trace, "SAC"))
    return buffer.getvalue(), "application/zip", f"{stem}.zip"
