"""What the commands write today is what they wrote when the goldens were made."""

import json

import numpy as np
import pytest
from data.make_goldens import GOLDENS, goldens

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.slow
def test_commands_write_what_they_wrote(tmp_path):
    found, expected = goldens(tmp_path), json.loads(GOLDENS.read_text())
    assert found.keys() == expected.keys()
    # Rounding differs between processors, by less than 1e-5 of the root mean square, which is the
    # second number; another draw differs by far more.
    wrong = {
        name: (found[name], values)
        for name, values in expected.items()
        if not np.allclose(found[name], values, rtol=5e-3, atol=1e-5 * values[1] + 1e-12)
    }
    assert not wrong
