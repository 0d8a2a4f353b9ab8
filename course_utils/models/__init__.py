"""Networks of the course."""

from course_utils.models.classifiers import imagenet_classes, list_classifiers, load_classifier, normalize

__all__ = ["imagenet_classes", "list_classifiers", "load_classifier", "normalize"]
