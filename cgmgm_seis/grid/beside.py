"""Jobs of other generators and of ground-motion models, mapped beside a generator."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from cgmgm_seis.errors import CgmgmError
from cgmgm_seis.gmm.named import NamedGMM
from cgmgm_seis.grid.job import GridJob
from cgmgm_seis.grid.measures import Measures
from cgmgm_seis.grid.predictions import PredictionJob
from cgmgm_seis.grid.tasks import NodeTasks
from cgmgm_seis.models.base import GroundMotionModel

logger = logging.getLogger(__name__)


def jobs_beside(
    job: GridJob,
    generators: Mapping[str, tuple[str, GroundMotionModel]],
    gmms: Sequence[NamedGMM],
) -> dict[str, NodeTasks]:
    """Return the jobs of other models for the source, nodes and measures of a job.

    Parameters
    ----------
    job : GridJob
        The job of the first generator.
    generators : mapping
        Name or path of the weights to the name and the model, the first generator among them.
    gmms : sequence of NamedGMM
        The ground-motion models.

    Returns
    -------
    dict
        Name to job.  A measure that a model does not have, or defines in another way than the
        first generator does, is left out with a warning.

    Raises
    ------
    CgmgmError
        If two models have one name, or a model has none of the measures.
    """
    found: dict[str, NodeTasks] = {}
    for weights, (name, model) in generators.items():
        if model is not job.model:
            found[name] = replace(
                job,
                model=model,
                weights=weights,
                measures=_common(job.measures, model, name),
                waveforms=False,
                movie=False,
            )
    for gmm in gmms:
        if gmm.short in found or gmm.short == job.model.weights_name:
            raise CgmgmError(
                f"Two models are named '{gmm.short}'; every model of a map needs a name of its own."
            )
        prediction = PredictionJob(
            *(gmm, job.source, job.nodes, job.measures),
            *(job.n_realizations, job.folder, job.task_records),
        )
        _say_what_is_missing(prediction, job.measures)
        found[gmm.short] = prediction
    if found and job.n_realizations == 1:
        logger.warning(
            "Medians of 1 realization are that realization; give -n 20 or more to compare models."
        )
    return found


def _common(measures: Measures, model: GroundMotionModel, name: str) -> Measures:
    """Return the measures of a model that are defined as those of the first generator."""
    own = replace(
        measures, component_order=model.component_order, sampling_rate=model.sampling_rate
    )
    kinds = [
        kind
        for kind in measures.axes
        if own.definition(kind) == measures.definition(kind)
        and set(replace(own, kinds=(kind,)).labels) & set(measures.labels)
    ]
    if lacking := [kind for kind in measures.axes if kind not in kinds]:
        logger.warning(
            "%s, components %s, has no %s as the first generator, components %s, defines it.",
            *(name, model.component_order, ", ".join(lacking), measures.component_order),
        )
    if not kinds:
        raise CgmgmError(
            f"{name} has none of the measures {', '.join(measures.axes)} of the first generator."
        )
    return replace(own, kinds=kinds)


def _say_what_is_missing(job: PredictionJob, measures: Measures) -> None:
    """Warn of series that a model does not predict, and of nodes outside its range."""
    name = job.gmm.short
    labels, told = job.predict(job.nodes.extremes(job.source))
    predicted = [label for label in labels if label in measures.labels]
    if not predicted:
        raise CgmgmError(
            f"{name} predicts none of the measures {', '.join(measures.labels)}; it is a model of "
            f"{', '.join(job.gmm.kinds)}."
        )
    # Series of one kind, and of one component, differ in the frequency or period at their end.
    stems = {label.rpartition(" ")[0].rpartition(" ")[0] for label in predicted}
    lacking = [
        label
        for label in measures.labels
        if label.rpartition(" ")[0].rpartition(" ")[0] in stems and label not in predicted
    ]
    if lacking:
        logger.warning("%s does not predict %s.", name, ", ".join(lacking))
    if told.extrapolated.any():
        logger.warning("%s is extrapolated: the scenario is outside the range of its data.", name)
