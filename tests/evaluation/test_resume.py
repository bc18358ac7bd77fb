"""A killed run goes on where it was, and gives the same."""

import json
import os
from collections import Counter
from dataclasses import replace

import pandas as pd
import pytest
import torch
from parrot import QUICK, Parrot
from seisbench.data import WaveformDataset

from cgmgm_seis.errors import OutputError
from cgmgm_seis.evaluation import classifier, draws, evaluate
from cgmgm_seis.measures import picks

pytestmark = pytest.mark.usefixtures("one_thread", "quick")

# What is done once a chunk: of realizations, of picks, and a classifier.
WORK = {"_check": draws, "_picks": picks, "train": classifier}
CLASSIFIED = replace(QUICK, n_classifiers=2)


@pytest.fixture
def work(monkeypatch):
    """Count the chunks that are worked on, and die (as after kill -9) at one of them."""
    monkeypatch.setattr(draws, "CHUNK_BYTES", 4 * 3 * 72_000)  # four records
    monkeypatch.setattr(picks, "CHUNK", 6)
    found = Counter()

    def counted(name, function):
        def call(*args, **kwargs):
            if dies.get(name) == found[name]:
                raise KeyboardInterrupt
            found[name] += 1
            return function(*args, **kwargs)

        return call

    dies = {}
    for name, module in WORK.items():
        monkeypatch.setattr(module, name, counted(name, getattr(module, name)))
    return found, dies


@pytest.fixture
def recordings(catalogue):
    """A data set that the simulator is not asked to draw again."""
    dataset = WaveformDataset(catalogue)
    dataset.metadata["trace_simulated"] = False
    return dataset


@pytest.fixture(scope="module")
def once():
    """Keep the evaluation that was not interrupted."""
    return {}


@pytest.mark.parametrize(("name", "call"), [("_check", 2), ("_picks", 3), ("train", 1)])
@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_was(
    recordings, records, stub_picker, work, once, tmp_path, name, call
):
    done, dies = work

    def run(**settings):
        done.clear()
        loud = {"loud": Parrot(records, factor=1.5)}
        return evaluate(recordings, loud, replace(CLASSIFIED, **settings)), Counter(done)

    if not once:
        once["found"], once["done"] = run()
    dies[name] = call
    with pytest.raises(KeyboardInterrupt):
        run(chunk_folder=tmp_path / ".chunks")
    before = Counter(done)
    dies.clear()
    resumed, after = run(chunk_folder=tmp_path / ".chunks")
    kept = {key: once["done"][key] - after[key] for key in WORK}
    # A chunk of realizations is kept when the next one has been drawn.
    assert kept == {key: before[key] - (key == "_check" == name) for key in WORK}
    assert kept[name] > 0
    assert json.dumps(resumed.metrics) == json.dumps(once["found"].metrics)
    for table, expected in once["found"].tables.items():
        pd.testing.assert_frame_equal(resumed.tables[table], expected)


def test_a_killed_process_is_said_in_one_sentence():
    killed = pytest.raises(OutputError, match="A process was killed, perhaps because memory ran")
    with killed, draws.measuring_pool(1, workers=2) as pool:
        pool.submit(os._exit, 1).result()


def test_a_damaged_chunk_is_worked_on_again(recordings, records, stub_picker, work, tmp_path):
    done, _ = work
    config = replace(CLASSIFIED, chunk_folder=tmp_path / ".chunks", n_classifiers=1)
    whole = evaluate(recordings, {"a": Parrot(records)}, config)
    for path in (tmp_path / ".chunks").iterdir():
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    before = Counter(done)
    again = evaluate(recordings, {"a": Parrot(records)}, config)
    assert {key: done[key] - before[key] for key in WORK} == before
    assert json.dumps(again.metrics) == json.dumps(whole.metrics)


@pytest.mark.parametrize("change", ["seed", "n_realizations", "model", "records"])
def test_chunks_of_another_run_are_not_used(recordings, records, tmp_path, change):
    folder = tmp_path / ".chunks"
    evaluate(recordings, {"a": Parrot(records)}, replace(QUICK, chunk_folder=folder))
    before = {path.name for path in folder.iterdir()}
    model, config = Parrot(records), replace(QUICK, chunk_folder=folder)
    if change == "model":
        with torch.no_grad():
            next(model.parameters()).add_(1e-3)
    elif change == "records":
        config = replace(config, max_records=len(records[0]) - 1)
    else:
        config = replace(config, **{change: 5})
    evaluate(recordings, {"a": model}, config)
    assert sum(model.asked) > 0
    assert {path.name for path in folder.iterdir()} > before


def test_picks_of_another_picker_are_not_used(recordings, records, stub_picker, work, tmp_path):
    done, _ = work
    config = replace(QUICK, chunk_folder=tmp_path / ".chunks")
    evaluate(recordings, {"a": Parrot(records)}, config)
    first = Counter(done)
    stub_picker.register_buffer("other", torch.ones(1))
    evaluate(recordings, {"a": Parrot(records)}, config)
    assert done["_picks"] == 2 * first["_picks"]
    assert done["_check"] == first["_check"]
