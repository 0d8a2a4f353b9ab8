"""ISBI 2012: membranes of nerve cells under the electron microscope, the data of the U-Net paper."""

from course_utils.data.file_dataset import FileDataset, Pair
from course_utils.data.files import label_table

_SLICES = {"train": range(0, 20), "val": range(20, 25), "test": range(25, 30)}


class Isbi2012(FileDataset):
    """The 30 labelled slices of the ISBI 2012 challenge: grey images (1, 512, 512), membrane 0, cell 1, no void.

    The files are train/image/N.png and train/label/N.png for N = 0 to 29, in the order of the slices; in a label 255 is
    cell and 0 membrane. root: the folder with train (or one that has it in data/membrane or unet-*/data/membrane, as
    the download unpacks); by default datasets/isbi2012 in the cache.

    The labels of the challenge's own test slices are not public and it has no validation split. The split made here is
    by blocks, since neighbouring slices look alike: train is slices 0 to 19, val 20 to 24, test 25 to 29. Scores on it
    are not those of the challenge.

    The images stay grey, with one channel, as the U-Net takes them. For a network that expects colours give
    `transform=lambda image, mask: (image.expand(3, -1, -1), mask)`.

    Arganda-Carreras et al., Crowdsourcing the creation of image segmentation algorithms for connectomics, 2015.
    """

    name = "isbi2012"
    classes = ("membrane", "cell")
    colours = ((0, 0, 0), (230, 230, 230))
    channels = 1
    labels = label_table({0: 0, 255: 1})

    def find(self) -> list[Pair]:
        folder = self.root / "train"
        pairs = [Pair(folder / "image" / f"{i}.png", folder / "label" / f"{i}.png") for i in _SLICES[self.split]]
        return pairs if any(pair.image.exists() for pair in pairs) else []
