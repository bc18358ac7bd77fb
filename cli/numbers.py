"""Types of the numbers that options take: finite, and within bounds."""

import math
from typing import Any

import click


class Number(click.FloatRange):
    """A finite number within bounds, which `click.FloatRange` does not require."""

    name = "float"

    def __init__(self, low: float, high: float, above: bool = False) -> None:
        super().__init__(low, high, min_open=above)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Parse the text."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"'{value}' must be a number, in the range {self._describe_range()}.")
        return number


# Times of a file or a window, s; distances and depths, km; counts that a machine can work with.
SECONDS, KILOMETRES = Number(-1e5, 1e5), Number(-1e5, 1e5)
PROCESSES, MANY = click.IntRange(1, 1024), click.IntRange(1, 1_000_000)
# Most seeds of other libraries are below this, too.
LARGEST_SEED = 2**63 - 1
