"""The paper in one call: its steps, from the data to a report with its figures."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cgmgm_seis.datasets.summary import summarise
from cgmgm_seis.datasets.summary_plots import plot_summary
from cgmgm_seis.errors import OutputError
from cgmgm_seis.evaluation.config import EvaluationConfig
from cgmgm_seis.evaluation.generators import load_generators
from cgmgm_seis.evaluation.gmm_table import fit_nonergodic
from cgmgm_seis.evaluation.report import write_evaluation
from cgmgm_seis.evaluation.run import evaluate
from cgmgm_seis.reproduction.data import data_identity, write_data
from cgmgm_seis.reproduction.maps import write_maps
from cgmgm_seis.reproduction.models import (
    CGM_BASELINE,
    CGM_GM,
    EVOLUTIONARY,
    MODELS,
    write_model,
    write_search,
)
from cgmgm_seis.reproduction.recipe import PaperRecipe
from cgmgm_seis.reproduction.report import write_report
from cgmgm_seis.reproduction.steps import Step, Work, run_steps
from cgmgm_seis.scenario.window import Window
from cgmgm_seis.storage.folders import check_place, is_free

RECIPE_FILE = "recipe.json"
DATA, SUMMARY, SEARCH, EVALUATION, MAPS, REPORT = (
    *("data", "summary", "search", "evaluation", "maps", "report"),
)
NON_ERGODIC, GMM_FILE = "non-ergodic", "FAS.npz"


def reproduce(
    dataset: str | Path,
    out: str | Path,
    recipe: PaperRecipe | None = None,
    device: str = "auto",
    workers: int | None = None,
    progress: bool = True,
) -> dict[str, Path]:
    """Reproduce the paper on a data set; a second run makes only what is missing.

    Parameters
    ----------
    dataset : str or pathlib.Path
        The data report (its folder or its file), or a data set in SeisBench format.
    out : str or pathlib.Path
        Folder of the steps.
    recipe : PaperRecipe, optional
        Settings; by default those of the paper, which take days.
    device : str
        "cpu", "cuda", "mps" or "auto".
    workers : int, optional
        Number of processes of the evaluation and the maps.
    progress : bool
        Show progress bars where stderr is a terminal.

    Returns
    -------
    dict
        Name of every step to its folder.

    Raises
    ------
    OutputError
        If `out` has something else in it, or steps with other settings.
    CgmgmError
        If a step fails.
    """
    out, recipe = Path(out), recipe or PaperRecipe()
    check_place(out)
    if not (is_free(out) or (out / RECIPE_FILE).is_file()):
        raise OutputError(
            f"{out} already exists and is not a reproduction ({RECIPE_FILE} is missing); give a "
            "new folder."
        )
    steps = _Paper(Path(dataset), recipe, device, workers, progress).steps()
    return run_steps(out, steps, {RECIPE_FILE: recipe.as_json()})


@dataclass(frozen=True)
class _Paper:
    """The steps of a reproduction, with its arguments."""

    dataset: Path
    recipe: PaperRecipe
    device: str
    workers: int | None
    progress: bool

    def steps(self) -> list[Step]:
        """Return the steps in their order."""
        files = data_identity(self.dataset, self.recipe.components)
        data = self._some("components", "units", "seed", "start_offset_s")
        training = self._some("epochs", "patience")
        maps = ("frequencies", "region", "shape", "magnitude", "latitude", "longitude", "depth_km")
        return [
            Step(DATA, "read the data", (), {**data, "name": self.name, "files": files}, self.data),
            Step(SUMMARY, "summarise the data", (DATA,), {}, self.summary),
            Step(
                SEARCH,
                "search for the settings of CGM-GM",
                (DATA,),
                self._some("condition_sets", "trials", "trial_epochs", "objective"),
                self.search,
            ),
            self._training(CGM_GM, (DATA, SEARCH), training),
            self._training(CGM_BASELINE, (DATA, SEARCH), training),
            self._training(EVOLUTIONARY, (DATA,), self._some("evolutionary_epochs")),
            Step(
                NON_ERGODIC,
                "fit the non-ergodic ground-motion model",
                (DATA,),
                self._some("frequencies"),
                self.gmm,
            ),
            Step(
                EVALUATION,
                "compare the models with the records",
                (DATA, *MODELS),
                self._some(*EVALUATED),
                self.evaluation,
            ),
            Step(
                MAPS,
                "map one earthquake",
                (*MODELS, NON_ERGODIC),
                self._some(*maps, "map_realizations"),
                self.maps,
            ),
            Step(
                REPORT,
                "write the report",
                (SUMMARY, SEARCH, *MODELS, NON_ERGODIC, EVALUATION, MAPS),
                {},
                self.report,
            ),
        ]

    def _some(self, *names: str) -> dict[str, Any]:
        """Return some settings of the recipe."""
        return {name: asdict(self.recipe)[name] for name in names}

    def _training(self, name: str, needs: tuple[str, ...], settings: Mapping[str, Any]) -> Step:
        def run(work: Work) -> None:
            write_model(
                name,
                self._data(work),
                work.inputs.get(SEARCH, work.content),
                work.content,
                self.recipe,
                self.device,
                self.progress,
            )

        return Step(name, f"train {name}", needs, settings, run)

    def _data(self, work: Work) -> Path:
        """Return the folder of the data set, which has its name."""
        return work.inputs[DATA] / self.name

    @property
    def name(self) -> str:
        """Name of the data set, that of the report's folder or file."""
        path = self.dataset.absolute()
        return path.stem if path.is_file() else path.name

    # ---- what the steps do -----------------------------------------------------------------

    def data(self, work: Work) -> None:
        """Import or link the data."""
        write_data(self.dataset, work.content / self.name, self.recipe, self.progress)

    def summary(self, work: Work) -> None:
        """Write what the data set contains, as text and as a page."""
        window = Window(self.recipe.components)
        found = summarise(self._data(work), window, self.recipe.seed, self.recipe.units)
        work.content.mkdir(exist_ok=True)
        (work.content / "summary.txt").write_text(f"{found}\n", encoding="utf-8")
        plot_summary(found).savefig(work.content / "summary.png")

    def search(self, work: Work) -> None:
        """Run the trials."""
        write_search(self._data(work), work.content, self.recipe, self.device, self.progress)

    def gmm(self, work: Work) -> None:
        """Fit the non-ergodic model."""
        config = EvaluationConfig(units=self.recipe.units)
        model = fit_nonergodic(
            self._data(work), self.recipe.components, self.recipe.frequencies, config
        )
        work.content.mkdir(exist_ok=True)
        model.save(work.content / GMM_FILE)

    def evaluation(self, work: Work) -> None:
        """Evaluate all models at once."""
        config = EvaluationConfig(
            **self._some(*EVALUATED),
            units=self.recipe.units,
            seed=self.recipe.seed,
            workers=self.workers,
            chunk_folder=work.scratch,
            progress=self.progress,
        )
        generators = load_generators([str(path) for path in _weights(work)], self.device)
        write_evaluation(
            work.content, evaluate(self._data(work), generators, config), overwrite=True
        )

    def maps(self, work: Work) -> None:
        """Map the models beside each other."""
        write_maps(
            _weights(work),
            work.inputs[NON_ERGODIC] / GMM_FILE,
            work.content,
            work.scratch,
            self.recipe,
            self.device,
            self.workers,
            self.progress,
        )

    def report(self, work: Work) -> None:
        """Write one page of everything."""
        write_report(work.content, work.inputs, self.name, self.recipe)


# Settings of the recipe that are those of an evaluation.
EVALUATED = ("n_realizations", "max_records", "picker", "n_classifiers", "tsne", "scaling")


def _weights(work: Work) -> list[Path]:
    """Return the paths of the trained weights."""
    return [work.inputs[name] / name for name in MODELS]
