"""The manifests that docs/grid.md gives for Kubernetes."""

import subprocess
from pathlib import Path

import pytest

from cgmgm_seis_cli.grid import grid

DOCS = Path(__file__).parents[2] / "docs"


def arguments(command, **variables):
    """Return what bash hands to cgmgm-seis grid."""
    script = f"cgmgm-seis() {{ shift; printf '%s\\n' \"$@\"; }}; {command}"
    done = subprocess.run(
        ["bash", "-c", script], env=variables, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_parts_of_the_indexed_job_make_the_map_that_the_second_job_writes():
    yaml = pytest.importorskip("yaml")
    documents = yaml.safe_load_all((DOCS / "grid_kubernetes.yaml").read_text())
    _, scenario, parts, folder = documents
    commands = [
        job["spec"]["template"]["spec"]["containers"][0]["args"][0] for job in (parts, folder)
    ]
    n_parts = parts["spec"]["completions"]
    shards, scenarios = [], []
    for index in range(n_parts):
        words = arguments(commands[0], JOB_COMPLETION_INDEX=str(index), **scenario["data"])
        settings = grid.make_context("grid", words).params
        shards.append(settings.pop("shard"))
        scenarios.append(settings)
    whole = grid.make_context("grid", arguments(commands[1], **scenario["data"])).params
    assert shards == [(k + 1, n_parts) for k in range(n_parts)]
    assert whole.pop("shard") is None and all(one == whole for one in scenarios)


def test_entrypoint_of_the_ray_job_is_a_command():
    yaml = pytest.importorskip("yaml")
    _, job = yaml.safe_load_all((DOCS / "grid_kuberay.yaml").read_text())
    settings = grid.make_context("grid", arguments(job["spec"]["entrypoint"])).params
    assert settings["ray_address"] == "auto" and settings["n_realizations"] == 100
