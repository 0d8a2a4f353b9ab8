"""The classes of the cells data set, for those who want their names alone."""

CLASSES = ("background", "cell")
