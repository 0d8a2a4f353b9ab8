"""Training: `fit` a model, `evaluate` it, go on after whatever happened."""

from course_utils.training.checkpoint import CheckpointError, CheckpointFolder, load_checkpoint
from course_utils.training.evaluation import evaluate
from course_utils.training.fitting import fit
from course_utils.training.history import History
from course_utils.training.interrupt import TrainingInterrupted
from course_utils.training.loop import TrainingDiverged

__all__ = [
    "CheckpointError",
    "CheckpointFolder",
    "History",
    "TrainingDiverged",
    "TrainingInterrupted",
    "evaluate",
    "fit",
    "load_checkpoint",
]
