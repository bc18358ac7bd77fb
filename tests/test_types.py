"""What a type checker sees of the public names in a user's script."""

import re
import sys
from pathlib import Path
from subprocess import run

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = """
from cgmgm_seis import EvolutionaryCGM, from_points, load_model
from cgmgm_seis.models import CGMGM, GroundMotionModel

model = EvolutionaryCGM.from_pretrained("bay_area_evolutionary")
scenario = from_points(4.5, (37.938, -122.057), [(37.876, -122.236)])
reveal_type(model)
reveal_type(scenario)
reveal_type(load_model("bay_area"))
reveal_type(CGMGM.load("weights"))
reveal_type(model.sample(scenario, n_realizations=3))
model.generate(scenario, n_realizations="3")
"""
REVEALED = (
    "cgmgm_seis.models.evolutionary.model.EvolutionaryCGM",
    "pandas.core.frame.DataFrame",
    "cgmgm_seis.models.base.GroundMotionModel",
    "cgmgm_seis.models.cgmgm.model.CGMGM",
    "numpy.ndarray",
)


@pytest.mark.slow
def test_a_type_checker_sees_real_types_and_a_wrong_argument(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    # With the settings of the checkout, whose cache makes it a matter of seconds.
    done = run([sys.executable, "-m", "mypy", script], cwd=ROOT, capture_output=True, text=True)
    found = re.findall(r'script.py:\d+: note: Revealed type is "(.*?)"', done.stdout)
    assert len(found) == len(REVEALED), done.stdout + done.stderr
    for text, expected in zip(found, REVEALED, strict=True):
        assert text.startswith(expected)
    assert 'incompatible type "str"; expected "int"' in done.stdout
