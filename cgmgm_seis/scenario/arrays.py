"""Array types used by most modules."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
