"""OpenQuake's engine reads the ground-motion fields: losses against a calculation by hand."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from cgmgm_seis import receivers
from cgmgm_seis.errors import OutputError
from cgmgm_seis.grid.html import write_html
from cgmgm_seis.grid.maps import open_map_file
from cgmgm_seis.grid.measures import Measures
from cgmgm_seis.grid.nodes import Nodes
from cgmgm_seis.grid.openquake import OpenQuakeFiles, check_sites

PGA = Measures("ZNE", 100.0, ("pga",))

# Two kinds of building lose as much of their value as the ground's acceleration is of g.
FUNCTION = """<vulnerabilityFunction id="{}" dist="LN">
<imls imt="{}">0.0001 1</imls><meanLRs>0.0001 1</meanLRs><covLRs>0 0</covLRs>
</vulnerabilityFunction>"""
NRML = '<nrml xmlns="http://openquake.org/xmlns/nrml/0.5">{}</nrml>'
JOB = """[general]
description = losses of a portfolio
calculation_mode = scenario_risk
gmfs_file = gmf_data.csv
sites_csv = sitemesh.csv
exposure_file = exposure.xml
structural_vulnerability_file = vulnerability.xml
export_dir = results
"""


def test_losses_are_those_of_the_fields(tmp_path):
    """Sites in no order, three events, PGA and SA(0.3) of five columns: to 5 digits of the CSV."""
    pytest.importorskip("openquake.engine", reason="OpenQuake's engine is not installed")
    (tmp_path / "stations.csv").write_text("lon,lat\n-122,38\n-122.4,37.7\n-122.3,37.9\n")
    nodes = Nodes.of(receivers(tmp_path / "stations.csv"))
    measures = Measures("ZNE", 100.0, ("pga", "pgv", "psa"), periods=(0.1, 0.3, 1.0))
    shape = (3, 3, measures.n_series)
    values = np.random.default_rng(0).uniform(-4.0, 1.0, shape).astype(np.float32)
    with OpenQuakeFiles(tmp_path, nodes, measures) as files:
        files.write(0, values[:2])
        files.write(2, values[2:])
    write_portfolio(tmp_path)
    own = {"HOME": str(tmp_path), "OQ_DATADIR": str(tmp_path / "oqdata"), "OQ_DISTRIBUTE": "no"}
    done = subprocess.run(
        [sys.executable, "-m", "openquake.commands", "run", "job.ini", "--exports", "csv"],
        cwd=tmp_path,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (table,) = (tmp_path / "results").glob("risk_by_event_*.csv")
    losses = pd.read_csv(table, comment="#").set_index("event_id")["loss"].sort_index()
    pga, psa = (values[..., measures.slices[kind]].astype(float) for kind in ("pga", "psa"))
    wanted = (1000.0 * np.exp(pga[0, :, 0]) + 5000.0 * np.exp(psa[2, :, 1])) / 9.80665
    np.testing.assert_allclose(losses, wanted, rtol=2e-5)


def test_sites_at_one_place_are_refused_by_name(tmp_path):
    """The engine refuses sites that are equal to five digits."""
    path = tmp_path / "sites.csv"
    rows = ["NC,A,37.9,-122.1", "NC,C,37.8,-122.1", "BK,B,37.900001,-122.100002"]
    path.write_text("\n".join(["network,station,lat,lon", *rows]))
    with pytest.raises(OutputError, match=r"sites NC\.A and BK\.B .* 1 of the 3 sites must"):
        OpenQuakeFiles(tmp_path, Nodes.of(receivers(path)), PGA)
    path.write_text(path.read_text().replace("37.900001", "37.90001"))
    check_sites(Nodes.of(receivers(path)))


def test_names_of_sites_are_read_back(tmp_path):
    """No codes with commas, none that are formulas or numbers; longitudes of 360 degrees."""
    path = tmp_path / "sites.csv"
    path.write_text(
        'net,sta,lat,lon\nSY,"a,b",37.9,237.9\nSY,=1+1,37.8,-122\nSY,n3,-0.000001,0\nBK,B,37,-122\n'
    )
    nodes = Nodes.of(receivers(path))
    with OpenQuakeFiles(tmp_path, nodes, PGA) as files:
        files.write(0, np.zeros((4, 1, PGA.n_series), np.float32))
    sites = pd.read_csv(tmp_path / "sitemesh.csv")
    assert sites["custom_site_id"].tolist() == ["n0", "n1", "n2", "n3"]
    assert sites["lon"].tolist() == [-122.1, -122.0, 0.0, -122.0]
    assert sites["lat"].tolist() == [37.9, 37.8, 0.0, 37.0]


def write_portfolio(folder):
    """Write a stiff building near the first site, a soft one near the third, and the job."""
    (folder / "job.ini").write_text(JOB)
    (folder / "exposure.csv").write_text(
        "id,lon,lat,taxonomy,number,structural\n"
        "a,-122.01,38.0,stiff,1,1000\nb,-122.3,37.91,soft,1,5000\n"
    )
    (folder / "exposure.xml").write_text(
        NRML.format(
            '<exposureModel id="portfolio" category="buildings"><description/><conversions>'
            '<costTypes><costType name="structural" type="aggregated" unit="USD"/></costTypes>'
            "</conversions><assets>exposure.csv</assets></exposureModel>"
        )
    )
    (folder / "vulnerability.xml").write_text(
        NRML.format(
            '<vulnerabilityModel id="losses" assetCategory="buildings" lossCategory="structural">'
            f"<description/>{FUNCTION.format('stiff', 'PGA')}{FUNCTION.format('soft', 'SA(0.3)')}"
            "</vulnerabilityModel>"
        )
    )


def test_the_page_of_a_map_is_not_ended_by_a_code(tmp_path):
    code = "<!--<script></script>"
    (tmp_path / "stations.csv").write_text(
        f"net,sta,lon,lat\nXX,{code},-122,38\nXX,B,-122.4,37.7\n"
    )
    nodes = Nodes.of(receivers(tmp_path / "stations.csv"))
    about = {"source_latitude_deg": 37.8, "source_longitude_deg": -122.2}
    with open_map_file(tmp_path / "maps.h5", nodes, PGA, 0, about, ln=True):
        pass
    write_html(tmp_path / "map.html", tmp_path / "maps.h5", "</title><script>")
    page = (tmp_path / "map.html").read_text()
    assert page.count("<title>") == 1 and "<h1>&lt;/title&gt;&lt;script&gt;</h1>" in page
    data = page.partition('<script type="application/json" id="data">')[2].partition("</script>")[0]
    assert "<" not in data
    content = json.loads(data)
    assert content["codes"] == [f"XX.{code}", "XX.B"]
