"""Run the shell and Python blocks of a page in the current folder, from the first to the last.

    python tests/run_page.py PAGE PACKAGE [CODE]

The package is imported from the folder PACKAGE, such as an unpacked wheel.  Commands of the
package alone run in this process, since a new one imports for seconds; installations are left out.
CODE is run at the end, with the names of the last Python block.
"""

import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import cgmgm_seis

# Lines without anything that only a shell understands outside of quotes, and comments.
COMMANDS = re.compile(r"((cgmgm-seis ([^$*?|<>&;#`'\\\n]|'[^'\n]*')*|#[^\n]*)?\n)+")
FUNCTION = 'cgmgm-seis() { "$PYTHON" -m cgmgm_seis "$@"; }'


def run(page: Path, after: str) -> None:
    """Run a page; an error ends the process."""
    (script,) = entry_points(group="console_scripts", name="cgmgm-seis")
    main = script.load()
    blocks = re.findall(r"```(sh|python)\n(.*?)```", page.read_text(), flags=re.S)
    namespace: dict[str, object] = {}
    for number, (language, block) in enumerate(blocks):
        if language == "python":
            namespace = {"__name__": "__main__"}
            exec(compile(block, f"{page.name}, block {number}", "exec"), namespace)
            continue
        block = re.sub(r"\\\n *", "", block)  # one command a line
        if "pip install" in block:
            block = "".join(re.findall(r"cgmgm-seis [^\n]*\n", block))
        if not COMMANDS.fullmatch(block):
            environment = os.environ | {"PYTHON": sys.executable}
            shell = ["bash", "-c", f"set -e\n{FUNCTION}\n{block}"]
            subprocess.run(shell, env=environment, check=True)
            continue
        for line in block.splitlines():
            if line.startswith("cgmgm-seis"):
                print("$", line, flush=True)
                main(shlex.split(line)[1:], prog_name="cgmgm-seis", standalone_mode=False)
    exec(after, namespace)


if __name__ == "__main__":
    page, package, *code = sys.argv[1:]
    assert Path(package) in Path(cgmgm_seis.__file__).parents, cgmgm_seis.__file__
    run(Path(page), "".join(code))
