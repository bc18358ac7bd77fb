"""The package uses nothing that only one operating system has."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(
    [*ROOT.glob("cgmgm_seis/**/*.py"), *ROOT.glob("cli/*.py"), ROOT / "tests" / "first_steps.py"]
)
# Modules, and attributes of os, signal and multiprocessing, that Windows or macOS lacks.
UNIX_MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios"}
UNIX_NAMES = {
    *("fork", "forkpty", "geteuid", "getloadavg", "getpgid", "getuid", "killpg", "mkfifo", "nice"),
    *("O_DIRECTORY", "sched_getaffinity", "setsid", "statvfs", "symlink", "sync", "wait4"),
    *("SIGALRM", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGUSR1", "SIGUSR2"),
}
MODE = re.compile("[rwaxt+]+")


def faults(code):
    """Yield the lines of code that need a certain system, and why."""
    tree = ast.parse(code)
    spared = set(imports_with_another_way(tree))
    for node in ast.walk(tree):
        if node in spared:
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names = names or [name.name for name in node.names]
            yield from ((node.lineno, name) for name in names if name in UNIX_MODULES)
        elif isinstance(node, ast.Attribute) and node.attr in UNIX_NAMES:
            if isinstance(node.value, ast.Name) and node.value.id in ("os", "signal"):
                yield node.lineno, f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if node.value.startswith(("/dev/", "/proc/", "/tmp/")) or node.value == "fork":
                yield node.lineno, node.value
        elif isinstance(node, ast.Call) and needs_encoding(node):
            yield node.lineno, "a text file without encoding"


def imports_with_another_way(tree):
    """Yield the imports in a try statement that handles their ImportError."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Try) and any(
            "ImportError" in ast.unparse(handler.type or ast.Constant(""))
            for handler in node.handlers
        ):
            yield from (part for part in node.body if isinstance(part, ast.Import))


def needs_encoding(call):
    """Return whether a call opens a text file in the encoding of the system."""
    if any(word.arg in (None, "encoding") for word in call.keywords):
        return False
    if isinstance(call.func, ast.Name):
        return call.func.id == "open" and is_text(call.args[1:])
    name = getattr(call.func, "attr", "")
    return name in ("read_text", "write_text") or (name == "open" and is_text(call.args))


def is_text(arguments):
    """Return whether arguments are those of open for a text file; the open of others has others."""
    mode = getattr(arguments[0], "value", None) if arguments else "r"
    return isinstance(mode, str) and MODE.fullmatch(mode) is not None


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import fcntl", "fcntl"),
        ("from resource import getrusage", "resource"),
        ("os.kill(1, signal.SIGKILL)", "signal.SIGKILL"),
        ("os.sched_getaffinity(0)", "os.sched_getaffinity"),
        ("open('/dev/null', 'rb')", "/dev/null"),
        ("get_context('fork')", "fork"),
        ("Path(name).read_text()", "a text file without encoding"),
        ("path.write_text(text)", "a text file without encoding"),
        ("(folder / name).open()", "a text file without encoding"),
        ("path.open('w')", "a text file without encoding"),
        ("open(path, 'a')", "a text file without encoding"),
    ],
)
def test_faults_are_found(code, why):
    assert list(faults(code)) == [(1, why)]


@pytest.mark.parametrize(
    "code",
    [
        "path.read_text(encoding='utf-8')",
        "(folder / name).open('rb')",
        "os.getpid()",
        "await read_text(request, limits)",
        "rasterio.open(path, 'w')",
        "try:\n    import fcntl\nexcept (ImportError, OSError):\n    pass",
    ],
)
def test_what_all_systems_have_is_no_fault(code):
    assert not list(faults(code))


def test_the_package_runs_everywhere():
    assert len(FILES) > 200
    assert not [
        (path.relative_to(ROOT).as_posix(), *fault)
        for path in FILES
        for fault in faults(path.read_text(encoding="utf-8"))
    ]
