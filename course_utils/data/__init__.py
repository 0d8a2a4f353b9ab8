"""Data sets, photos, downloads and joint image/mask transforms.

`load_dataset(name, split)` gives a data set whose items are (image, mask): an image float32 (C, H, W) in [0, 1] and a
mask int64 (H, W) of class numbers, with 255 for void.
"""

from course_utils.data.photos import list_photos, load_photo
from course_utils.data.registry import list_datasets, load_dataset

__all__ = ["list_datasets", "list_photos", "load_dataset", "load_photo"]
