"""The command that writes examples."""

import os

from click.testing import CliRunner

from cgmgm_seis_cli.main import main


def test_files_are_listed_and_never_overwritten(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["example", "pleasant-hill"])
    assert result.exit_code == 0
    names = [line.split(":")[0] for line in result.stdout.splitlines()]
    assert names == [
        f"pleasant-hill/{name}" for name in ("event.xml", "stations.xml", "waveforms", "README.txt")
    ]
    text = (tmp_path / "pleasant-hill" / "README.txt").read_text()
    assert "public domain" in text and "cgmgm-seis dataset from-records" in text
    result = CliRunner().invoke(main, ["example", "pleasant-hill"])
    assert result.exit_code == 1
    assert result.stderr == "Error: pleasant-hill already exists; give the example a new folder.\n"


def test_a_name_that_is_no_text_is_printed_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["example", "pleasant-hill", "--out", os.fsdecode(b"a\xff")])
    assert result.exit_code == 0
    assert result.stdout_bytes.startswith(b"a\xff/event.xml: ")
