"""Errors of the toolkit: one sentence each, with the value and what is allowed."""


class CgmgmError(Exception):
    """Base class; the command line prints it as one line and exits with status 1."""


class ScenarioError(CgmgmError):
    """A scenario table, event or inventory is incomplete or malformed."""


class RangeError(ScenarioError):
    """A scenario value lies outside the range the model was trained on."""


class WeightsError(CgmgmError):
    """A weights file is missing, damaged, unsafe or belongs to another model."""


class DatasetError(CgmgmError):
    """A data set lacks columns or holds records that cannot be used."""


class TrainingError(CgmgmError):
    """Training cannot start, continue or has diverged."""


class OutputError(CgmgmError):
    """Results cannot be written where they were asked for."""
