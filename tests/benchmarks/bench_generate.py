"""Measure the memory of `cgmgm-seis generate` by the number of stations, and where its time goes.

    python tests/benchmarks/bench_generate.py [STATIONS ..]

Runs every command in a process of its own.  The memory is the peak of the process; the times are
those of the processor, in a run with the bundled stations, which is what a new user starts with.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from math import cos, sin
from pathlib import Path
from time import process_time
from typing import Any

STATIONS = (500, 2000, 10_000)
FORMATS = ("mseed", "sac", "seisbench", "csv")
COMMAND = ["generate", "--mag", "4", "--src", "37.9,-122.1", "--overwrite", "-q"]


def main(numbers: list[int]) -> None:
    """Print both tables."""
    with tempfile.TemporaryDirectory() as name:
        stages = [sys.executable, __file__, "stages", *COMMAND, "--out", f"{name}/out"]
        subprocess.run(stages, check=True)
        print(f"{'stations':>10} {'format':>10} {'peak':>9} {'processor':>10}")
        for number in numbers:
            path = Path(name, f"{number}.csv")
            # On a spiral around the epicentre, 5 to 25 km away.
            path.write_text("latitude,longitude\n" + "".join(places(number)))
            for file_format in FORMATS if number == numbers[0] else FORMATS[:1]:
                words = [*COMMAND, "--stations", str(path), "--format", file_format]
                megabytes, seconds = usage([*words, "--out", f"{name}/out"])
                print(
                    f"{number:10} {file_format:>10} {megabytes:6.0f} MB {seconds:8.0f} s",
                    flush=True,
                )


def places(number: int) -> Iterator[str]:
    """Yield lines of latitude and longitude, degrees."""
    for k in range(number):
        distance = 0.05 + 0.18 * k / number
        yield f"{37.9 + distance * sin(k):.5f},{-122.1 + distance * cos(k):.5f}\n"


def usage(words: list[str]) -> tuple[float, float]:
    """Run a command; return its peak memory, MB, and seconds of processor time."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cgmgm_seis", *words], stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(words)} failed.")
    # macOS counts bytes, Linux kB.
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return used.ru_maxrss / unit, used.ru_utime + used.ru_stime


# ---- in the process of a command -----------------------------------------------------------


def stages(words: list[str]) -> None:
    """Run a command and print the processor time of its parts."""
    seconds: dict[str, float] = {}

    def timed(place: Any, name: str, stage: str) -> None:
        function = getattr(place, name)
        setattr(place, name, lambda *a, **k: clocked(seconds, stage, lambda: function(*a, **k)))

    from cgmgm_seis_cli.main import main
    from cgmgm_seis_cli.parameters import quick_imports

    with quick_imports():
        import matplotlib.backends.backend_agg
        import matplotlib.figure

        from cgmgm_seis.models import weights
        from cgmgm_seis.models.evolutionary import model  # noqa: F401
        from cgmgm_seis.models.sampling import SamplingModel
        from cgmgm_seis.output import measures_table, outputs, plots

    seconds["imports"] = process_time()
    timed(weights, "load_model", "weights")
    timed(measures_table, "measures_table", "measures")
    timed(plots, "plot_record_section", "figure")
    timed(matplotlib.figure.Figure, "savefig", "file of the figure")
    timed(outputs.Outputs, "write_waveforms", "waveforms")
    timed(outputs.Outputs, "write_metadata", "other files")
    drawn = SamplingModel.sample_parts

    def parts(*args: Any, **kwargs: Any) -> Iterator[Any]:
        found = drawn(*args, **kwargs)
        while (part := clocked(seconds, "generation", lambda: next(found, None))) is not None:
            yield part

    SamplingModel.sample_parts = parts
    with redirect_stdout(StringIO()):
        main(words, standalone_mode=False)
    total = process_time()
    # Records are drawn and measured while they are written.
    seconds["waveforms"] -= seconds["generation"] + seconds["measures"]
    seconds["other files"] -= seconds["file of the figure"]
    seconds["the rest"] = total - sum(seconds.values())
    print(f"{total:.1f} s of processor time:")
    for stage, value in seconds.items():
        print(f"{100 * value / total:6.0f} %  {value:5.2f} s  {stage}")


def clocked(seconds: dict[str, float], stage: str, function: Callable[[], Any]) -> Any:
    """Call a function and add its processor time to a stage."""
    begin = process_time()
    try:
        return function()
    finally:
        seconds[stage] = seconds.get(stage, 0.0) + process_time() - begin


if __name__ == "__main__":
    if sys.argv[1:2] == ["stages"]:
        stages(sys.argv[2:])
    else:
        main([int(word) for word in sys.argv[1:]] or list(STATIONS))
