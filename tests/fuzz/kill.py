"""Kill commands at random moments, run them again to the end, and compare with an undisturbed run.

    python tests/fuzz/kill.py [NUMBER_OF_KILLS [COMMAND ..]]

A command runs in a copy of this process, and is ended by SIGKILL just before one of its operations
on files, or after a random part of its processor time.  The moments come from a fixed seed.
"""

import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cases import CACHE, draw_nothing, import_all, keep_here, make_cheaper, use_cache
from kit import COMPARE, DRAW, MAP, REGION, SMALL, SOURCE, TINY, make_kit, run

SEED = 1
TRAIN = f"{TINY} --components Z --device cpu --out new"
EVOLUTIONARY = "--latent 2 --width 4 --device cpu --batch-size 8 --out new"
# Records of realistic size, for trainings with the settings of the paper.
SIMULATED = "dataset simulate --events 14 --stations-per-event 2 --workers 1 --out simulated"
# Commands that take long on real data, and what is added to run them again after a kill.
COMMANDS = {
    "train cgmgm": (f"train dataset --model cgmgm --epochs 3 {TRAIN}", "--resume"),
    "train evolutionary": (f"train dataset --epochs 2 {EVOLUTIONARY}", "--resume"),
    "tune": (
        f"tune dataset {SMALL} --space space.json --trials 2 --components Z --out new",
        "--resume",
    ),
    "evaluate": (f"evaluate dataset --weights tiny --weights evo {COMPARE} --out new", ""),
    "evaluate a flatfile": (
        "evaluate flat.csv --weights tiny -n 2 --no-gmms --workers 1 --device cpu --out new",
        "",
    ),
    "grid": (
        f"{MAP} --region=-122.3,-122,37.8,38 --shape 5x5 -n 2 --weights tiny "
        "--format seisbench --out new",
        "",
    ),
    "grid given": (f"{MAP} {REGION} --given stationlist.json --weights evo --out new", ""),
    "generate": (f"generate {SOURCE} -n 3 --weights tiny --out new", ""),
    "generate a data set": (f"{DRAW} -n 3 --format seisbench --weights evo --out new", ""),
    "simulate": ("dataset simulate --events 3 --stations-per-event 4 --workers 1 --out new", ""),
    "from-records": (
        "dataset from-records --events event.xml --inventory stations.xml --waveforms waveforms "
        "--out new",
        "",
    ),
    "import-designsafe": ("dataset import-designsafe report_EW.csv --out new", ""),
    "from-seisbench": ("dataset from-seisbench dataset --out new", ""),
    "download": (
        "dataset download --client {server} --start 2019-10-14 --end 2019-10-16 --min-mag 2 "
        "--region=-123,-121,37,39 --pause 0 --channels HN? --out new",
        "",
    ),
    "split": ("dataset split dataset --overwrite", ""),
    "gmm": ("gmm fit dataset --frequencies 5 --out new.npz", ""),
    "reproduce": (
        "reproduce simulated --quick --recipe paper.json --workers 1 --device cpu --out new",
        "",
    ),
    "pack": ("weights pack tiny --license CC0-1.0 --out new.zip", ""),
}
# Entries that hold times: of JSON files and tables.
TIMES = {"created", "seconds", "training_minutes", "minutes", "generated_at", "date"}
OVERWRITE = re.compile(rb'(, "| )--overwrite"?')
STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?|[\d.e-]+ minutes")


class Runner:
    """Runs commands on fresh copies of the kit, each in a copy of this process.

    Parameters
    ----------
    folder : pathlib.Path
        New folder for the kit and the runs.
    replace : callable
        Replaces attributes in this process, as `setattr` or a MonkeyPatch does.
    """

    def __init__(self, folder: Path, replace: Callable[[Any, str, Any], None] = setattr) -> None:
        self.kit, self.work, self.folder = folder / "kit", folder / "work", folder
        import_all()
        make_cheaper(replace)
        draw_nothing(replace)  # figures show tables, which are compared
        if not self._in_confined_copy(self._make_files) == 0:
            raise RuntimeError("The kit cannot be made.")
        self.url = self._serve()

    def _make_files(self) -> None:
        make_kit(self.kit)
        run(SIMULATED)

    def _in_confined_copy(self, function: Callable[[], Any]) -> int:
        """Run a function in a copy of this process that keeps to itself; return its status."""

        def confined() -> None:
            from cgmgm_seis.storage import files

            use_cache(self.folder / CACHE)
            keep_here()
            # Second runs begin at once.
            files.UNLOCKED_S = 0.0
            function()

        return _in_copy(confined)

    def _serve(self) -> str:
        """Start an FDSN server in this process, and return its address."""
        import obspy
        from fdsn_server import FDSNServer

        catalog = obspy.read_events(self.kit / "event.xml")
        inventory = obspy.read_inventory(self.kit / "stations.xml").select(channel="HN?")
        stream = obspy.read(str(self.kit / "waveforms" / "*.mseed")).select(channel="HN?")
        return FDSNServer(catalog, inventory, stream).url

    def fresh(self) -> None:
        """Put a new copy of the kit in the place of the work."""
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self.kit, self.work)

    def run(self, line: str, moment: Callable[[], None] = lambda: None) -> tuple[int, str]:
        """Run a command; return its status, negative if it was killed, and what it wrote."""
        log = self.folder / "log"

        def command() -> None:
            from cgmgm_seis_cli.main import main

            os.chdir(self.work)
            for number in (1, 2):
                os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
            words = line.format(server=self.url).split()
            moment()
            main(words, prog_name="cgmgm-seis")

        return self._in_confined_copy(command), log.read_text(
            errors="replace"
        ) if log.exists() else ""


def _in_copy(function: Callable[[], Any]) -> int:
    """Run a function in a copy of this process; return its status, negative if it was killed."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            function()
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
        except BaseException:
            import traceback

            traceback.print_exc()
        sys.stdout.flush()
        os._exit(status)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


# ---- moments ----------------------------------------------------------------------------------

WRITING = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "shutil.copyfile", "open")


def counted(place: Path, act: Callable[[int], None]) -> Callable[[], None]:
    """Return a function after which every operation that changes a folder calls `act`."""

    def begin() -> None:
        count = 0

        def hook(event: str, arguments: tuple) -> None:
            nonlocal count
            if event not in WRITING or not arguments:
                return
            if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & 3):
                return
            if str(arguments[0]).startswith(str(place)) or not str(arguments[0]).startswith("/"):
                count += 1
                act(count)

        sys.addaudithook(hook)

    return begin


def at_operation(place: Path, number: int) -> Callable[[], None]:
    """Return a function that lets a process kill itself before an operation on files."""

    def act(count: int) -> None:
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return counted(place, act)


def after(seconds: float) -> Callable[[], None]:
    """Return a function that lets a process be killed after some processor time."""

    def begin() -> None:
        # Without a handler, the signal ends the process as SIGKILL does, at once.
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, seconds)

    return begin


# ---- comparison -------------------------------------------------------------------------------


def content(folder: Path) -> dict[str, bytes]:
    """Return the files and folders in a folder: their bytes, without the times in them."""
    return {
        str(path.relative_to(folder)): b"" if path.is_dir() else _timeless(path)
        for path in sorted(folder.rglob("*"))
    }


def _timeless(path: Path) -> bytes:
    raw = path.read_bytes()
    if path.suffix == ".json":
        return json.dumps(_without_times(json.loads(raw))).encode()
    if path.suffix == ".csv":
        rows = [line.split(",") for line in raw.decode().splitlines()]
        kept = [k for k, name in enumerate(rows[0]) if name not in TIMES] if rows else []
        return "\n".join(",".join(row[k] for k in kept if k < len(row)) for row in rows).encode()
    if path.suffix == ".pt":
        import torch

        return repr(_plain(torch.load(path, weights_only=True))).encode()
    if path.suffix in (".xml", ".html"):
        return STAMP.sub(b"TIME", raw)
    # The history of maps tells the options of the command, whose length moves all that follows.
    return _parts(path) if path.suffix == ".nc" else raw


def _parts(path: Path) -> bytes:
    """Return the attributes and values of a netCDF file, without links between its variables."""
    import h5py

    with h5py.File(path) as file:
        parts = [("", sorted(file.attrs.items()))]
        for name, variable in file.items():
            own = {key: str(x) for key, x in variable.attrs.items() if not key.endswith("_LIST")}
            parts.append((name, own, variable[()].tolist()))
    return repr(parts).encode()


def _without_times(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _without_times(part) for key, part in tree.items() if key not in TIMES}
    return [_without_times(part) for part in tree] if isinstance(tree, list) else tree


def _plain(tree: Any) -> Any:
    import torch

    if isinstance(tree, dict):
        return {key: _plain(part) for key, part in tree.items() if key not in TIMES}
    if isinstance(tree, list | tuple):
        return [_plain(part) for part in tree]
    if isinstance(tree, torch.Tensor):
        return tree.numpy().tobytes() if tree.dtype != torch.bfloat16 else repr(tree)
    return tree


def difference(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    """Return the names of what differs between two contents."""
    return sorted(
        f"{name} ({'missing' if name not in other else 'more' if name not in one else 'differs'})"
        for name in {**one, **other}
        if one.get(name) != other.get(name)
    )


# ---- the whole --------------------------------------------------------------------------------


class Command:
    """A command, what an undisturbed run of it gives, and how long that takes."""

    def __init__(self, runner: Runner, name: str) -> None:
        self.runner, self.name = runner, name
        self.line, self.again = COMMANDS[name]
        runner.fresh()
        before = os.times()
        operations = runner.folder / "operations"

        def note(count: int) -> None:
            Path(operations).write_text(str(count))

        status, output = runner.run(self.line, counted_quietly(runner.work, operations))
        after = os.times()
        if status:
            raise RuntimeError(f"{self.line}: {output}")
        self.seconds = sum(after[2:4]) - sum(before[2:4])
        self.operations = int(operations.read_text())
        self.expected = content(runner.work)

    def kill(self, moment: Callable[[], None]) -> tuple[bool, list[str]]:
        """Kill a run and run it again; return whether it was killed, and what was wrong."""
        self.runner.fresh()
        status, output = self.runner.run(self.line, moment)
        if status == 0:
            return False, difference(self.expected, content(self.runner.work))
        if status > 0:
            return False, [f"the run failed: {output[-500:]}"]
        status, output = self.runner.run(f"{self.line} {self.again}")
        if status and "already exists" in output:  # it was killed when its output was complete
            status, output = self.runner.run(f"{self.line} --overwrite")
        if status:
            return True, [f"the second run failed: {output[-500:]}"]
        found = content(self.runner.work)
        # Reports and provenance tell the options of the command.
        same = {name: OVERWRITE.sub(b"", raw) for name, raw in found.items()}
        return True, difference(self.expected, same)


def counted_quietly(place: Path, file: Path) -> Callable[[], None]:
    """Return a function after which the number of operations is kept in a file."""

    def act(count: int) -> None:
        number = os.open(file, os.O_WRONLY | os.O_CREAT)
        os.pwrite(number, f"{count:08d}".encode(), 0)
        os.close(number)

    return counted(place, act)


def moments(command: Command, rng: random.Random) -> tuple[str, Callable[[], None]]:
    """Return a random moment of a command, in words and as a function."""
    if rng.random() < 0.7:
        number = rng.randint(1, command.operations)
        return f"operation {number} of {command.operations}", at_operation(
            command.runner.work, number
        )
    seconds = rng.uniform(0.0, command.seconds)
    return f"{seconds:.2f} of {command.seconds:.2f} s", after(seconds)


def main() -> None:
    """Kill the commands in turn."""
    kills, names = int(sys.argv[1]) if len(sys.argv) > 1 else 100, sys.argv[2:] or [*COMMANDS]
    rng, began, killed, failed = random.Random(SEED), time.monotonic(), 0, []
    with tempfile.TemporaryDirectory(prefix="kill-") as own:
        runner = Runner(Path(own))
        each = -(-kills // len(names))
        for name in names:
            command = Command(runner, name)
            print(f"{name}: {command.seconds:.1f} s, {command.operations} operations", flush=True)
            for _ in range(each):
                words, moment = moments(command, rng)
                was_killed, faults = command.kill(moment)
                killed += was_killed
                if faults:
                    failed.append(f"{name}, killed at {words}: {'; '.join(faults)}")
                    print(failed[-1], flush=True)
    print(f"{killed} kills in {time.monotonic() - began:.0f} s, {len(failed)} faults.")
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
