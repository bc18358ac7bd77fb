"""The examples of the docstrings run and give what they say."""

import doctest
import pkgutil
from importlib import import_module

import pytest

import cgmgm_seis

MODULES = [info.name for info in pkgutil.walk_packages(cgmgm_seis.__path__, prefix="cgmgm_seis.")]


@pytest.mark.parametrize("name", ["cgmgm_seis", *MODULES])
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, _ = doctest.testmod(import_module(name))
    assert failed == 0
