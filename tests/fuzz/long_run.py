"""Run many cases, and go on where an earlier run ended.

    python tests/fuzz/long_run.py FOLDER [NUMBER [SEED]]

The folder keeps the files that cases use, the cases, and their answers, one a line.  Cases whose
answer had a fault are run again by the next call, so that faults can be mended in between.
"""

import json
import shlex
import sys
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from cases import Case, Cases
from strategies import command_lines, damaged_files, drawn


def again(case: Case) -> str:
    """Return the command that runs a case again."""
    return f"python tests/fuzz/cases.py {shlex.quote(json.dumps(case))}"


def cases_of(folder: Path, number: int, seed: int) -> list[str]:
    """Return the cases of a seed as lines of JSON; half are damaged files, every other one."""
    path = folder / f"cases-{number}-{seed}.jsonl"
    if not path.exists():
        halves = (drawn(kind, number // 2, seed) for kind in (command_lines, damaged_files))
        both = chain.from_iterable(zip_longest(*halves))
        path.write_text("".join(f"{json.dumps(case)}\n" for case in both if case))
    return path.read_text().splitlines()


def answers_of(path: Path) -> dict[str, dict[str, Any]]:
    """Return the last answer of every case."""
    lines = path.read_text().splitlines() if path.exists() else []
    return {row["case"]: row for row in map(json.loads, lines)}


def main() -> None:
    """Run the cases that have no answer yet, or one with a fault."""
    folder = Path(sys.argv[1]).resolve()
    number, seed = map(int, [*sys.argv[2:], *("10000", "1")[len(sys.argv) - 2 :]])
    folder.mkdir(parents=True, exist_ok=True)
    lines, path = cases_of(folder, number, seed), folder / "answers.jsonl"
    answers = answers_of(path)
    waiting = [line for line in lines if answers.get(line, {"faults": [""]})["faults"]]
    print(f"{len(lines)} different cases of {number}; {len(waiting)} are to be run.", flush=True)
    failed = 0
    with path.open("a") as kept:
        running = Cases(folder / "work")
        for done, line in enumerate(waiting, 1):
            answer = running.run(json.loads(line))
            kept.write(json.dumps({"case": line, **answer}) + "\n")
            kept.flush()
            failed += bool(answer["faults"])
            if answer["faults"]:
                print(f"{done}:", *answer["faults"], again(json.loads(line)), sep="\n", flush=True)
        running.close()
    print(f"{len(waiting)} cases were run, {failed} had a fault.")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
