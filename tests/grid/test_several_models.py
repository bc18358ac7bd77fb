"""Maps of several generators and ground-motion models on one grid."""

import json
import logging
from dataclasses import replace

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from cgmgm_seis import source
from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.gmm.named import NamedGMM
from cgmgm_seis.grid.beside import jobs_beside
from cgmgm_seis.grid.job import GridJob
from cgmgm_seis.grid.measures import Measures
from cgmgm_seis.grid.model_plots import model_figures
from cgmgm_seis.grid.nodes import grid_nodes
from cgmgm_seis.grid.synthesis import draw_tasks, local_engine, write_grid
from cgmgm_seis.models.cgmgm.model import CGMGM
from cgmgm_seis_cli.main import main

pytestmark = pytest.mark.usefixtures("one_thread", "unarranged")

SOURCE = source(3.9, 37.861, -122.257, 7.9)


@pytest.fixture(scope="module")
def generators(tiny_ranges, tmp_path_factory):
    """Two untrained generators of three components, and one of the east alone."""
    found = {}
    for name, order in (("first", "ZNE"), ("second", "ZNE"), ("east", "E")):
        model = CGMGM(component_order=order, griffin_lim_iterations=1, ranges=tiny_ranges)
        path = tmp_path_factory.mktemp("weights") / name
        model.save(path, card={"trained_on": "nothing"})
        found[str(path)] = name, CGMGM.load(path)
    return found


@pytest.fixture
def job(generators, tmp_path):
    """Six nodes, two realizations, three tasks, of the first generator."""
    (path, (_, model)), *_ = generators.items()
    measures = Measures("ZNE", 100.0, ("fas", "pga"), (2.0, 3.0))
    nodes = grid_nodes((-122.4, -122.0, 37.7, 38.0), (2, 3))
    return GridJob(
        *(model, path, SOURCE, nodes, measures),
        n_realizations=2,
        waveforms=False,
        folder=tmp_path / "chunks",
        task_records=4,
    )


def two(generators):
    return dict(list(generators.items())[:2])


def test_maps_hold_the_models_along_a_coordinate(job, generators, tmp_path):
    xarray = pytest.importorskip("xarray")
    alone = tmp_path / "alone"
    draw_tasks(job)
    write_grid(alone, job, parts=["maps"], ln=True)
    beside = jobs_beside(job, two(generators), [NamedGMM.of("ergodic")])
    for own in beside.values():
        assert own.tasks == job.tasks
        assert draw_tasks(own, local_engine(2))["found"] == 0
        assert draw_tasks(own)["found"] == 3
    assert draw_tasks(job)["found"] == 3
    written = dict(
        write_grid(tmp_path / "out", job, beside=beside, ln=True, keep_realizations=True)
    )
    for name in ("maps.nc", "maps.h5"):
        assert "3 models" in written[tmp_path / "out" / name]

    table = job.nodes.scenario(SOURCE, 0, 6)
    with xarray.open_dataset(tmp_path / "out/maps.h5") as maps:
        assert maps.model.values.tolist() == ["first", "second", "ergodic"]
        medians = maps.models_ln_fas_median
        assert medians.dims == ("model", "component", "frequency", "latitude", "longitude")
        np.testing.assert_array_equal(medians.sel(model="first"), maps.ln_fas_median)
        _, other = generators[list(generators)[1]]
        expected = job.measures(other.sample(table, 2, job.seed))
        label = job.labels.index("fas N 3 Hz")
        second = medians.sel(model="second", component="N", frequency=3.0)
        np.testing.assert_allclose(
            second.to_numpy().ravel(), expected[..., label].mean(axis=1), rtol=1e-5
        )
        sigma = maps.models_ln_pga_sigma.sel(model="second").to_numpy().ravel()
        np.testing.assert_allclose(sigma, expected[..., -1].std(axis=1, ddof=1), atol=1e-4)
        _, told = NamedGMM.of("ergodic").predict(table, "E", (2.0,), ())
        ergodic = medians.sel(model="ergodic")
        of_two = ergodic.sel(component="E", frequency=2.0).to_numpy().ravel()
        np.testing.assert_allclose(of_two, told.mean[:, 0], rtol=1e-6)
        # What the model does not define is not a number: 3 Hz, the vertical, and PGA.
        assert np.isfinite(ergodic).sum() == 6
        assert np.isnan(maps.models_ln_pga_median.sel(model="ergodic")).all()
        with xarray.open_dataset(tmp_path / "out/maps.nc") as linear:
            pga = linear.models_pga_median
            assert pga.dims == ("model", "latitude", "longitude")
            shown = np.exp(maps.models_ln_pga_median) * 100.0 / 9.80665
            np.testing.assert_allclose(pga, shown, rtol=1e-5)
            np.testing.assert_array_equal(linear.models_pga_sigma, maps.models_ln_pga_sigma)
            assert linear.models_pga_median.attrs["long_name"] == "PGA (%g): median"
        own = maps.drop_vars([name for name in maps if name.startswith("models_")])
        with xarray.open_dataset(alone / "maps.h5") as before:
            np.testing.assert_array_equal(own.ln_fas_sigma_within, before.ln_fas_sigma_within)
    made_by = json.loads((tmp_path / "out/provenance.json").read_text())
    assert made_by["beside"]["ergodic"]["ground_motion_model"] == "ergodic"
    assert made_by["beside"]["second"]["trained_on"] == "nothing"
    page = (tmp_path / "out/map.html").read_text()
    assert '"models": ["first", "second", "ergodic"]' in page and '"label": "FAS E 2 Hz"' in page
    for name in ("models_fas", "models_fas_ratio", "models_peaks_sigma"):
        assert (tmp_path / "out" / f"{name}.png").stat().st_size > 1000
    for own in (*beside.values(), job):
        own.discard()
    assert not job.folder.exists()


def test_panels_have_one_scale_and_ratios_are_of_the_first(job, generators, tmp_path):
    beside = jobs_beside(job, two(generators), [NamedGMM.of("ergodic")])
    for own in (job, *beside.values()):
        draw_tasks(own)
    write_grid(tmp_path / "out", job, beside=beside, parts=["maps"], ln=True)
    figures = model_figures(tmp_path / "out/maps.h5", "title")
    assert set(figures) == {
        *("models_fas", "models_fas_ratio", "models_fas_sigma"),
        *("models_peaks", "models_peaks_ratio", "models_peaks_sigma"),
    }
    first_row = [axes.collections[0] for axes in figures["models_fas"].axes[:3]]
    assert len({image.get_clim() for image in first_row}) == 1
    with h5py.File(tmp_path / "out/maps.h5") as file:
        values = file["models_ln_fas_median"][:, -1, 0]
    assert first_row[0].get_clim() == pytest.approx((values.min(), values.max()))
    ratio = figures["models_fas_ratio"].axes
    assert [axes.get_title() for axes in ratio[:2]] == ["second", "ergodic"]
    shown = ratio[1].collections[0].get_array().reshape(2, 3)
    np.testing.assert_allclose(shown, values[2] - values[0], rtol=1e-6)
    assert ratio[0].collections[0].get_clim() == ratio[1].collections[0].get_clim()


def test_what_models_lack_is_said(job, generators, caplog):
    with caplog.at_level(logging.WARNING):
        found = jobs_beside(job, generators, [NamedGMM.of("ergodic")])
    assert "east, components E, has no pga as the first generator, components ZNE" in caplog.text
    assert found["east"].labels == ["fas E 2 Hz", "fas E 3 Hz"]
    assert "ergodic does not predict fas E 3 Hz" in caplog.text


def test_models_without_a_common_measure_are_refused(job, generators):
    with pytest.raises(CgmgmError, match=r"ergodic predicts none of the measures pga"):
        jobs_beside(
            replace(job, measures=replace(job.measures, kinds=("pga",))),
            {},
            [NamedGMM.of("ergodic")],
        )
    with pytest.raises(CgmgmError, match=r"Two models are named 'ergodic'"):
        jobs_beside(job, {}, [NamedGMM.of("ergodic")] * 2)


def test_from_the_command_line(generators, tmp_path):
    first, second, _ = generators
    arguments = [
        *("grid", "--mag", "3.9", "--src", "37.861,-122.257", "--depth", "7.9", "--workers", "1"),
        *("--region", "-122.4,-122.0,37.7,38.0", "--shape", "2x3", "--measures", "fas"),
        *("--weights", first, "--weights", second, "--gmm", "ergodic", "--write", "maps"),
        *("--frequencies", "2", "--out", str(tmp_path / "out")),
    ]
    part = CliRunner().invoke(main, [*arguments, "--shard", "1/1"])
    assert part.exit_code == 0, part.output
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "Medians of 1 realization are that realization" in result.stderr
    assert result.stderr.count("1 of 1 chunks are finished and verified") == 3
    with h5py.File(tmp_path / "out/maps.nc") as file:
        assert file["model"].asstr()[:].tolist() == ["first", "second", "ergodic"]
    assert not (tmp_path / ".out.chunks").exists()
    bad = CliRunner().invoke(main, [*arguments, "--gmm", "BSSA08", "--overwrite"])
    assert bad.exit_code == 1 and "'BSSA08' is not known" in bad.stderr
