"""The examples of the docstrings and of the API page run and give what they show."""

import doctest
import pkgutil
from importlib import import_module
from pathlib import Path

import pytest

import cgmgm_seis

MODULES = [info.name for info in pkgutil.walk_packages(cgmgm_seis.__path__, prefix="cgmgm_seis.")]
API_PAGE = Path(__file__).resolve().parents[1] / "docs" / "api.md"


@pytest.mark.parametrize("name", ["cgmgm_seis", *MODULES])
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, _ = doctest.testmod(import_module(name))
    assert failed == 0


def test_examples_of_the_api_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testfile(str(API_PAGE), module_relative=False)
    assert failed == 0 and tried > 20
