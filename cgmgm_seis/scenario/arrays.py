"""Types of arrays that most modules use."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
