"""Codes that a waveform format can hold."""

import pandas as pd
import pytest

from cgmgm_seis.errors import OutputError
from cgmgm_seis.scenario.codes import check_format_codes


@pytest.mark.parametrize(
    ("network", "station", "holding"),
    [
        ("NC", "C-019", {"mseed", "sac", "at2", "csv", "seisbench"}),
        ("BO", "AKT013", {"sac", "at2", "csv", "seisbench"}),
        ("XYZ", "A.B", {"sac", "at2", "csv", "seisbench"}),
        ("NC", "A.B", {"sac", "at2", "csv", "seisbench"}),
        ("NC", "NINECODES", {"at2", "csv", "seisbench"}),
        ("NC", "a/b", {"seisbench"}),
        ("NC", "ÄB", {"seisbench"}),
    ],
)
def test_formats_that_can_hold_codes(network, station, holding):
    table = pd.DataFrame(
        {"station_network_code": ["SY", network], "station_code": ["V0000", station]}
    )
    for name in ("mseed", "sac", "at2", "csv", "seisbench"):
        if name in holding:
            check_format_codes(table, name)
            continue
        with pytest.raises(OutputError, match=r"_code = .* must have 1 to .*seisbench holds all"):
            check_format_codes(table, name)
