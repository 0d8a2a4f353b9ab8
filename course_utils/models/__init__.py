"""Networks of the course."""

from course_utils.models.build import build_model, list_models
from course_utils.models.classifiers import imagenet_classes, list_classifiers, load_classifier, normalize

__all__ = ["build_model", "imagenet_classes", "list_classifiers", "list_models", "load_classifier", "normalize"]
