"""The recipe of a reproduction: files, types, and what is refused."""

import json

import pytest

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.reproduction import QUICK, PaperRecipe, read_paper_recipe


@pytest.mark.parametrize("recipe", [PaperRecipe(), QUICK])
def test_a_recipe_comes_back(tmp_path, recipe):
    (tmp_path / "recipe.json").write_bytes(recipe.as_json())
    assert read_paper_recipe(tmp_path / "recipe.json") == recipe


def test_the_paper(tmp_path):
    """Numbers of the paper and of its code."""
    recipe = PaperRecipe()
    assert (recipe.components, recipe.trials, recipe.epochs) == ("E", 30, 5000)
    assert recipe.shape == (100, 100) and recipe.n_realizations == 100
    assert recipe.frequencies == (2.0, 5.0, 10.0, 15.0)


def test_a_file_changes_some_settings(tmp_path):
    content = {"trials": 3, "magnitude": 4, "shape": [5, 6], "start_offset_s": -15}
    (tmp_path / "mine.json").write_text(json.dumps(content))
    recipe = read_paper_recipe(tmp_path / "mine.json", QUICK)
    assert recipe == QUICK.changed(content)
    assert (recipe.trials, recipe.magnitude, recipe.shape) == (3, 4.0, (5, 6))
    assert recipe.start_offset_s == -15.0 and recipe.epochs == QUICK.epochs


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"trial": 3}, "'trial' must be one of the settings of a recipe"),
        ({"trials": 0}, "trials = 0 of a recipe must be at least 1"),
        ({"trials": "3"}, "trials = '3' of a recipe must be of type int"),
        ({"trials": True}, "trials = True of a recipe must be of type int"),
        ({"tsne": 1}, "tsne = 1.0 of a recipe must be of type bool"),
        ({"max_records": "all"}, "max_records = 'all' of a recipe must be of type int or null"),
        ({"shape": [10]}, r"shape = \[10\] of a recipe must be 2 numbers"),
        ({"shape": []}, "shape = .* must be a list with entries of type int"),
        ({"condition_sets": ["place"]}, "Condition set 'place' must be one of coordinates"),
        ({"components": "Z"}, "components = 'Z' of a recipe must have N or E"),
        ([], "is not a recipe; it must be a JSON object"),
    ],
)
def test_what_is_refused(tmp_path, content, message):
    (tmp_path / "mine.json").write_text(json.dumps(content))
    with pytest.raises(CgmgmError, match=message):
        read_paper_recipe(tmp_path / "mine.json")
