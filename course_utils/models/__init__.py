"""Networks of the course."""

from course_utils.models.build import build_model, list_models
from course_utils.models.classifiers import imagenet_classes, list_classifiers, load_classifier, normalize
from course_utils.models.trained import list_trained, load_trained

__all__ = [
    "build_model",
    "imagenet_classes",
    "list_classifiers",
    "list_models",
    "list_trained",
    "load_classifier",
    "load_trained",
    "normalize",
]
