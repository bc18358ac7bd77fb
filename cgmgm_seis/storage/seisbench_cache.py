"""The folder that SeisBench writes to when it is imported."""

import atexit
import json
import logging
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from cgmgm_seis.errors import OutputError

logger = logging.getLogger("cgmgm_seis")

VARIABLE = "SEISBENCH_CACHE_ROOT"
# One file of a pair of weights: name, kind and version.
PAIR_FILE = re.compile(r"(?P<name>.+)\.(?P<kind>json|pt)(?:\.v(?P<version>.+))?")
# The temporary folder, if there is one.
_temporary: list[str] = []


def ensure_cache() -> None:
    """Give SeisBench a temporary folder if it can neither read nor write its own.

    SeisBench keeps a file of settings in ``SEISBENCH_CACHE_ROOT``, by default ``~/.seisbench``, and
    cannot be imported where the home folder is missing, read-only or full.  The temporary folder
    is deleted at the end of the process, as that of Matplotlib is in the same situation.
    """
    if "seisbench" in sys.modules:
        return
    try:
        root = Path(os.environ.get(VARIABLE, Path.home() / ".seisbench"))
    except RuntimeError:  # the user has no home folder, which SeisBench needs in any case
        return
    reason = fault_of(root)
    if reason:
        folder = tempfile.mkdtemp(prefix="seisbench-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ[VARIABLE] = folder
        _temporary.append(folder)
        logger.warning(
            "SeisBench cannot use %s (%s); %s is used until this process ends; set %s to a folder "
            "that you can write to.",
            root,
            reason,
            folder,
            VARIABLE,
        )


def check_kept() -> None:
    """Raise `OutputError` if what is written to SeisBench's folder would not be kept."""
    if _temporary:
        raise OutputError(
            "Nothing can be installed, because SeisBench's folder is a temporary one; set "
            f"{VARIABLE} to a folder that you can write to."
        )


def fault_of(root: Path) -> str:
    """Return why SeisBench cannot use a folder, or an empty text."""
    settings = root / "config.json"
    try:
        if settings.is_file():
            json.loads(settings.read_bytes())
        else:
            root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=root) as file:
                # A full disk is noticed when something is written.
                file.write(b"{}")
    except OSError as error:
        return error.strerror or str(error)
    except ValueError:
        return f"{settings.name} is damaged"
    return ""
