"""One case: a command line on a damaged copy of the kit, in a process of its own with limits.

    python tests/fuzz/cases.py '{"command": ["weights", "info", "tiny"], "damage": []}'

runs one again and prints what was wrong with it; without an argument, cases are read from standard
input, one a line, and answered one a line.
"""

import gc
import io
import json
import logging
import os
import resource
import select
import shutil
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from pathlib import Path
from typing import Any
from zlib import crc32

# Limits of a case: processor time, s; growth of memory, bytes.  A case is killed after the longer
# processor time, or after a time in which it does nothing on a machine that many share.
MOST_S, KILL_S, IDLE_S, MOST_BYTES = 30.0, 90, 900.0, 2_000_000_000
# Figures are drawn whole in one case of this many; in the others, they are made and written only.
DRAWN = 10
LONGEST_MESSAGE = 1500
# The user that runs the cases if root does: a wrong path cannot do harm, and rights are tested.
NOBODY = 65534
CACHE = "cache"
# What interrupted runs of some commands leave, so that they can go on; {} is --out.
RESUMABLE = {
    **{"train": "{}", "tune": "{}", "grid": ".{}.chunks", "evaluate": ".{}.chunks"},
    **{"reproduce": "{}", "download": "{}-archive"},
}
Case = dict[str, Any]


class Cases:
    """Runs cases on a kit; a new process imports the package once and is copied for every case.

    Parameters
    ----------
    folder : pathlib.Path
        New folder for the kit and the cases.
    """

    def __init__(self, folder: Path) -> None:
        import subprocess

        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
            "OMP_NUM_THREADS": "1",
            "NUMBA_DISABLE_JIT": "1",
            "FUZZ_FOLDER": str(folder),
            "SEISBENCH_CACHE_ROOT": str(folder / CACHE),
        }
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, case: Case) -> dict[str, Any]:
        """Return the faults of a case, and its processor time in seconds."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(case) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("The process of the cases has ended.")
        found: dict[str, Any] = json.loads(answer)
        return found

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


# ---- the process that is copied ---------------------------------------------------------------


def main() -> None:
    """Run the case of the command line, or those of standard input."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as own:
        folder = Path(os.environ.get("FUZZ_FOLDER", own))
        os.environ.setdefault("SEISBENCH_CACHE_ROOT", str(folder / CACHE))
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        kit = _prepare(folder)
        if len(sys.argv) > 1:
            answer = run_case(json.loads(sys.argv[1]), kit, folder)
            print(*answer["faults"] or ["no fault"], "", answer["output"], sep="\n")
            return
        for line in sys.stdin:
            print(json.dumps(run_case(json.loads(line), kit, folder)), flush=True)


def _prepare(folder: Path) -> Path:
    """Make the kit in another process, and import what the commands use in this one."""
    kit = folder / "kit"
    child = None if kit.is_dir() else os.fork()
    if child == 0:
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            from kit import make_kit

            make_kit(folder / "new-kit").rename(kit)
        except BaseException:
            traceback.print_exc(file=sys.stdout)
            os._exit(1)
        os._exit(0)
    import_all()
    keep_here()
    make_cheaper()
    if child and os.waitpid(child, 0)[1]:
        raise RuntimeError("The kit cannot be made.")
    # What copies of this process do not change is not copied.
    gc.collect()
    gc.freeze()
    return kit


def import_all() -> None:
    """Import every module of the package and what it imports when it is used."""
    import encodings
    import multiprocessing.synchronize  # noqa: F401
    import pkgutil
    from importlib import import_module

    import damage  # noqa: F401
    import matplotlib
    import matplotlib.backends.backend_pdf
    import torch._dynamo
    import torch.utils.tensorboard  # noqa: F401

    matplotlib.use("agg")
    import cgmgm_seis
    import cgmgm_seis_cli

    # The user of the cases may be unable to read Python's own folder.
    for package in (cgmgm_seis, cgmgm_seis_cli, encodings):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith(("__main__", "mbcs", "oem")):
                import_module(module.name)
    # What is looked up or read once: tables of travel times, ObsPy's readers and writers.
    import obspy

    from cgmgm_seis.scenario.travel_times import bay_area_travel_times

    bay_area_travel_times()
    obspy.read().write(io.BytesIO(), "MSEED")
    obspy.read_events().write(io.BytesIO(), "QUAKEML")
    obspy.read_inventory().write(io.BytesIO(), "STATIONXML")
    logging.disable(logging.NOTSET)


def run_case(case: Case, kit: Path, folder: Path) -> dict[str, Any]:
    """Run a case in a copy of this process; return its faults and its output."""
    place = Path(tempfile.mkdtemp(prefix="case-", dir=folder))
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            answer = _run_here(case, kit, place)
            with os.fdopen(writing, "w") as pipe:
                json.dump(answer, pipe)
            status = 0
        except BaseException:
            traceback.print_exc()
        os._exit(status)
    os.close(writing)
    text = _read(reading, IDLE_S)
    os.close(reading)
    if text is None:
        os.kill(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    shutil.rmtree(place, ignore_errors=True)
    answer: dict[str, Any] = json.loads(text) if text else {"faults": [], "output": ""}
    if text is None:
        answer["faults"].append(f"it did not end within {IDLE_S:g} s")
    elif not text:
        answer["faults"].append(f"the process ended with status {status}")
    if (seconds := usage.ru_utime + usage.ru_stime) > MOST_S:
        answer["faults"].append(f"it took {seconds:.0f} s of processor time")
    answer["seconds"] = seconds
    return answer


def _read(pipe: int, most_s: float) -> str | None:
    """Return what a process writes until it ends, or None if it takes too long."""
    parts = []
    while select.select([pipe], [], [], most_s)[0]:
        if not (part := os.read(pipe, 1 << 16)):
            return b"".join(parts).decode()
        parts.append(part)
    return None


# ---- in the copy ------------------------------------------------------------------------------


def _run_here(case: Case, kit: Path, place: Path) -> dict[str, Any]:
    from click.testing import CliRunner
    from damage import damage, give_away

    from cgmgm_seis_cli.main import main as command

    work = place / "work"
    shutil.copytree(kit, work)
    (work / CACHE).mkdir()
    (work / "locked").mkdir()
    for name, kind, seed in case["damage"]:
        # What is damaged already may not be readable for a second damage.
        with suppress(Exception):
            damage(next(work.glob(name)), kind, seed)
    if os.geteuid() == 0:
        place.chmod(0o755)
        give_away(work, NOBODY)
    (work / "locked").chmod(0o555)
    _confine(work)
    if crc32(json.dumps(case["damage"] or case["command"]).encode()) % DRAWN:
        draw_nothing()
    before = _content(work)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = CliRunner().invoke(command, case["command"], prog_name="cgmgm-seis")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    faults = _faults(result, bool(case.get("trace")))
    if result.exit_code and (left := _difference(before, _content(work), case["command"])):
        faults.append(f"it failed and left {', '.join(left[:5])}")
    if memory * 1024 > MOST_BYTES:
        faults.append(f"it took {memory / 1e6:.1f} GB of memory")
    return {"faults": faults, "output": result.output[-3000:], "status": result.exit_code}


def _faults(result: Any, trace: bool) -> list[str]:
    """Return what is wrong with the end of a command: no sentence, or a bad one."""
    if result.exception and not isinstance(result.exception, SystemExit):
        lines = "".join(traceback.format_exception(*result.exc_info)).splitlines()
        fault = f"{type(result.exception).__name__}: {_origin(lines)}"
        return [fault, *(lines[-25:] if trace else ())]
    last = result.stderr.strip().splitlines()[-1:]
    if not result.exit_code:
        return []
    if not last or not last[0].startswith("Error: "):
        return ["it failed without a sentence"]
    if len(last[0]) > LONGEST_MESSAGE:
        return [f"its sentence has {len(last[0])} characters"]
    return ["it wanted too much memory"] if "memory of this machine" in last[0] else []


def _confine(work: Path) -> None:
    """Take rights, memory and time from this process."""
    os.chdir(work)
    os.environ["HOME"] = str(work)
    use_cache(work / CACHE)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + 2 * MOST_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_BYTES, MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (KILL_S, KILL_S))
    prefix = Path(sys.prefix)
    if os.geteuid() == 0 and all(path.stat().st_mode & 1 for path in (prefix, *prefix.parents)):
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def use_cache(folder: Path) -> None:
    """Let SeisBench, which is imported, keep its files in a folder."""
    import seisbench

    seisbench.cache_root = folder
    seisbench.cache_model_root = folder / "models" / "v3"
    seisbench.cache_data_root = folder / "datasets"


def keep_here() -> None:
    """Let nothing leave this machine, or this process, or go on without end."""
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def connect_here(own: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1"):
            raise OSError(101, "Network is unreachable")
        connect(own, address)

    def look_up_here(host: Any, *arguments: Any, **options: Any) -> Any:
        if host not in (None, "", "127.0.0.1", "localhost", "::1", "0.0.0.0"):
            raise socket.gaierror(-3, "Temporary failure in name resolution")
        return look_up(host, *arguments, **options)

    socket.socket.connect = connect_here  # type: ignore[method-assign]
    socket.getaddrinfo = look_up_here
    # A server would answer forever.
    import uvicorn

    uvicorn.Server.run = lambda *_, **__: None  # type: ignore[method-assign]
    for module in [*sys.modules.values()]:
        if module.__name__.startswith("cgmgm_seis") and hasattr(module, "process_pool"):
            module.process_pool = Here  # type: ignore[attr-defined]
    # Panels are arranged for longer than all else takes.
    from matplotlib.figure import Figure

    Figure.set_layout_engine = lambda *_, **__: None  # type: ignore[method-assign]


def make_cheaper(replace: Callable[[Any, str, Any], None] = setattr) -> None:
    """Shorten what takes long when all is well and is the same in all cases."""
    from cgmgm_seis.evaluation import classifier
    from cgmgm_seis.models.cgmgm.spectrogram import Spectrogram
    from cgmgm_seis.models.evolutionary.evolution import Evolution

    replace(classifier, "EPOCHS", 2)
    replace(classifier, "STEPS", 20)
    retrieve, framed = Spectrogram._retrieve, Evolution._framed
    known: dict[tuple, Any] = {}

    def retrieve_soon(own: Any, *arguments: Any) -> Any:
        *given, iterations, momentum, limits = arguments
        return retrieve(own, *given, min(iterations, 2), momentum, limits)

    def framed_once(own: Any, envelope: Any, delay_s: Any) -> Any:
        key = envelope, len(delay_s), own.n_fft, own.sampling_rate
        if key not in known:
            known[key] = framed(own, envelope, delay_s)
        return known[key]

    replace(Spectrogram, "_retrieve", retrieve_soon)
    replace(Evolution, "_framed", framed_once)
    Evolution(6000)


def draw_nothing(replace: Callable[[Any, str, Any], None] = setattr) -> None:
    """Let figures be empty: they are made and written, but not drawn."""
    from matplotlib.figure import Figure

    replace(Figure, "draw", lambda *_, **__: None)


class Here(Executor):
    """A pool without processes, which would import everything again."""

    def __init__(self, workers: int, initializer: Any = None, arguments: tuple = ()) -> None:
        if initializer is not None:
            initializer(*arguments)

    def submit(self, function: Any, /, *arguments: Any, **options: Any) -> Future:
        """Return what a function returned or raised."""
        future: Future = Future()
        try:
            future.set_result(function(*arguments, **options))
        except BaseException as error:
            future.set_exception(error)
        return future


def _content(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Return what stands in a folder: size, time and rights of every path."""
    found = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        is_file = not path.is_dir() or path.is_symlink()
        kind = (status.st_size, status.st_mtime_ns) if is_file else (0, 0)
        found[str(path.relative_to(folder))] = (*kind, status.st_mode)
    return found


def _difference(before: dict, after: dict, command: list[str]) -> list[str]:
    """Return the paths that a failed command made, changed or removed, but for what it may."""
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    outs = [
        word.partition("=")[2] or following
        for word, following in zip(command, [*command[1:], ""], strict=True)
        if word.partition("=")[0] in ("--out", "--archive")
    ]
    kept = next((form for name, form in RESUMABLE.items() if name in command[:2]), None)
    may = {os.path.normpath(kept.format(out)) for out in outs} if kept else set()
    return sorted(name for name in changed if not _within(name, may))


def _within(name: str, folders: set[str]) -> bool:
    return any(str(place) in folders for place in (Path(name), *Path(name).parents))


def _origin(lines: list[str]) -> str:
    """Return the last line of the package in a traceback, and the message."""
    own = [line.strip() for line in lines if "cgmgm_seis" in line and "File" in line]
    own += [line.strip() for line in lines if "/cli/" in line and not own]
    return f"{lines[-1][:200]} at {own[-1] if own else lines[-3].strip()}"


if __name__ == "__main__":
    main()
