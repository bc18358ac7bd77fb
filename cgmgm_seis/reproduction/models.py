"""The models of a reproduction: the search for settings, and the trainings."""

from pathlib import Path

from cgmgm_seis.reproduction.recipe import BASELINE, PUBLISHED, PaperRecipe
from cgmgm_seis.training.recipe import Recipe
from cgmgm_seis.training.run import train
from cgmgm_seis.tuning.objective import Study
from cgmgm_seis.tuning.search import Search, tune
from cgmgm_seis.tuning.space import default_space
from cgmgm_seis.tuning.trials import TRIALS_FILE, best_trial, read_trials

CGM_GM, CGM_BASELINE, EVOLUTIONARY = "CGM-GM", "CGM-baseline", "EvolutionaryCGM"
# The models that are trained, and the condition sets of those that are searched.
CONDITIONS = {CGM_GM: PUBLISHED, CGM_BASELINE: BASELINE}
MODELS = (*CONDITIONS, EVOLUTIONARY)


def search_of(dataset: Path, recipe: PaperRecipe, device: str) -> Search:
    """Return the search: the published model and space, over several condition sets."""
    study = Study(dataset, recipe.objective, recipe.seed, device, units=recipe.units)
    space = default_space("CGMGM", {"condition_set": list(recipe.condition_sets)})
    fixed = {
        "published": True,
        "component_order": recipe.components,
        "epochs": recipe.trial_epochs,
        "patience": recipe.trial_epochs,
    }
    return Search(study, space, fixed)


def write_search(
    dataset: Path, folder: Path, recipe: PaperRecipe, device: str, progress: bool
) -> None:
    """Search, or continue a search that was interrupted."""
    search = search_of(dataset, recipe, device)
    tune(search, folder, recipe.trials, resume=True, progress=progress, retrain=False)


def model_recipe(name: str, search: Search, searched: Path, recipe: PaperRecipe) -> Recipe:
    """Return the recipe of a model.

    CGM-GM and CGM-baseline have the settings of the best trial with their conditions, or of the
    best of all if the search has none with them.

    Parameters
    ----------
    name : str
        One of `MODELS`.
    search : Search
        The search.
    searched : pathlib.Path
        Folder of its trials.
    recipe : PaperRecipe
        Settings of the reproduction.
    """
    if name == EVOLUTIONARY:
        return Recipe("EvolutionaryCGM", {"component_order": recipe.components})
    _, trials = read_trials(searched / TRIALS_FILE)
    conditions = {"condition_set": CONDITIONS[name]}
    return search.recipe({**best_trial(trials, **conditions).settings, **conditions})


def write_model(
    name: str,
    dataset: Path,
    searched: Path,
    folder: Path,
    recipe: PaperRecipe,
    device: str,
    progress: bool,
) -> None:
    """Train a model, or continue a training that was interrupted; its weights have its name."""
    chosen = model_recipe(name, search_of(dataset, recipe, device), searched, recipe)
    own = {"epochs": recipe.evolutionary_epochs}
    if name in CONDITIONS:
        own = {"epochs": recipe.epochs, "patience": recipe.patience}
    config = chosen.config(
        **own, seed=recipe.seed, device=device, units=recipe.units, name=name, docstring=_said(name)
    )
    train(chosen.new_model(recipe.seed), dataset, folder, config, resume=True, progress=progress)


def _said(name: str) -> str:
    kind = f"conditions '{CONDITIONS[name]}'" if name in CONDITIONS else "default settings"
    return f"{name}, {kind}, of a reproduction of Ren et al. (2026)."
