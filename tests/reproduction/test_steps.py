"""Steps: whole or absent, continued after a kill, made again if missing, refused if different."""

import multiprocessing
import os
import signal

import pytest

from cgmgm_seis.errors import CgmgmError, OutputError, TrainingError
from cgmgm_seis.reproduction.steps import Step, run_steps
from cgmgm_seis.storage.run_lock import is_ours


def counted(kill=False, **settings):
    """Two steps that count lines; the first may kill the process after its first line."""

    def first(work):
        work.content.mkdir(exist_ok=True)
        work.scratch.mkdir(exist_ok=True)
        lines = work.content / "lines"
        for number in range(len(lines.read_text()) if lines.exists() else 0, 3):
            with lines.open("a") as file:
                file.write(str(number))
            if kill:
                os.kill(os.getpid(), signal.SIGKILL)

    def second(work):
        work.content.mkdir()
        text = (work.inputs["first"] / "lines").read_text()
        (work.content / "copy").write_text(f"{text}, {settings.get('second', '')}")

    return [
        Step("first", "count", (), {"seed": settings.get("seed", 0)}, first),
        Step("second", "copy", ("first",), {"second": settings.get("second", "")}, second),
    ]


def run(out, **settings):
    return run_steps(out, counted(**settings))


def names(out):
    return sorted(path.name for path in out.iterdir() if not is_ours(path.name))


def test_all_steps_and_nothing_else(tmp_path, caplog):
    caplog.set_level("INFO", "cgmgm_seis")
    folders = run(tmp_path / "out")
    assert names(tmp_path / "out") == ["01-first", "02-second"]
    assert (folders["second"] / "copy").read_text() == "012, "
    assert caplog.messages == ["Step 1 of 2: count.", "Step 2 of 2: copy."]


def test_a_killed_step_continues(tmp_path):
    out = tmp_path / "out"
    process = multiprocessing.get_context("spawn").Process(
        target=run, args=(out,), kwargs={"kill": True}
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    (left,) = names(out)
    assert left.startswith(".01-first.") and left.endswith(".unfinished")
    assert (out / left / "content" / "lines").read_text() == "0"
    folders = run(out)
    assert (folders["first"] / "lines").read_text() == "012"
    assert names(out) == ["01-first", "02-second"]


def test_what_was_left_of_other_settings_is_not_used(tmp_path):
    out = tmp_path / "out"
    process = multiprocessing.get_context("spawn").Process(
        target=run, args=(out,), kwargs={"kill": True, "seed": 1}
    )
    process.start()
    process.join()
    folders = run(out, seed=2)
    assert (folders["first"] / "lines").read_text() == "012"
    assert names(out) == ["01-first", "02-second"]


def test_a_missing_step_is_made_again(tmp_path, caplog):
    caplog.set_level("INFO", "cgmgm_seis")
    folders = run(tmp_path / "out")
    (folders["second"] / "copy").write_text("kept")
    (folders["first"] / "lines").unlink()
    (folders["first"] / "step.json").unlink()
    folders["first"].rmdir()
    caplog.clear()
    run(tmp_path / "out")
    assert (folders["first"] / "lines").read_text() == "012"
    assert (folders["second"] / "copy").read_text() == "kept"
    assert caplog.messages == ["Step 1 of 2: count.", "Step 2 of 2: 02-second is there."]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed": 1}, "01-first was made with settings.seed = 0, not 1; delete it"),
        ({"second": "x"}, "02-second was made with settings.second = , not x; delete it"),
    ],
)
def test_other_settings_are_refused_before_anything_runs(tmp_path, settings, message):
    folders = run(tmp_path / "out")
    if "second" in settings:
        for path in folders["first"].iterdir():
            path.unlink()
        folders["first"].rmdir()
    with pytest.raises(OutputError, match=message):
        run(tmp_path / "out", **settings)
    assert folders["first"].exists() == ("seed" in settings)


def test_what_a_step_needs_counts(tmp_path):
    """A step whose input was made again with other settings is not taken for finished."""
    folders = run(tmp_path / "out")
    for path in folders["first"].iterdir():
        path.unlink()
    folders["first"].rmdir()
    with pytest.raises(OutputError, match=r"02-second was made with needs.first.settings.seed = 0"):
        run(tmp_path / "out", seed=1)


def test_a_failing_step_keeps_what_it_has(tmp_path):
    def fail(work):
        work.content.mkdir(exist_ok=True)
        (work.content / "half").touch()
        raise OutputError("No.")

    with pytest.raises(OutputError, match="No"):
        run_steps(tmp_path / "out", [Step("one", "fail", (), {}, fail)])
    (left,) = names(tmp_path / "out")
    assert left.startswith(".01-one.")


@pytest.mark.parametrize("wrapped", [False, True])
def test_an_interruption_says_how_to_continue(tmp_path, wrapped):
    def stop(work):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            if wrapped:
                raise TrainingError("Interrupted; --resume continues.") from error
            raise

    with pytest.raises(CgmgmError, match=r"^Interrupted in step 1 of 1; the same command contin"):
        run_steps(tmp_path / "out", [Step("one", "stop", (), {}, stop)])


def test_only_one_process_writes(tmp_path):
    """The lock of another run of the same folder is seen."""

    def again(work):
        run(tmp_path / "out")

    with pytest.raises(OutputError, match="out is being written by"):
        run_steps(tmp_path / "out", [Step("one", "run again", (), {}, again)])
