"""VOC 2012 in the layout of the development kit, with masks in palette colours, in colours and in grey."""

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils.data import load_dataset
from course_utils.data.voc2012 import Voc2012
from tests.data.files import colours, greys, write_image

LABELS = [*range(21), 255]
NAMES = {"train": ["2007_000032", "2007_000039"], "val": ["2009_000001"], "test": ["2008_000006", "2008_000011"]}


def voc_palette():
    """The 256 colours as the development kit computes them: bits of the index go to red, green and blue in turn."""
    palette = np.zeros((256, 3), np.uint8)
    for index in range(256):
        for bit in range(8):
            palette[index, bit % 3] |= (index >> bit & 1) << (7 - bit // 3)
    return palette


def values(seed, labels=LABELS):
    return greys(seed, labels, (5, 7))


def save_with_palette(path, mask, palette):
    image = Image.fromarray(mask)
    image.putpalette(palette.ravel().tolist())
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


@pytest.fixture
def root(tmp_path):
    top = tmp_path / "VOCdevkit" / "VOC2012"
    (top / "ImageSets" / "Segmentation").mkdir(parents=True)
    for split, names in NAMES.items():
        (top / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("\n".join(names) + "\n")
        for name in names:
            seed = int(name[-2:])
            write_image(top / "JPEGImages" / f"{name}.jpg", colours(seed, (5, 7)))
            if split != "test":
                save_with_palette(top / "SegmentationClass" / f"{name}.png", values(seed), voc_palette())
    write_image(top / "JPEGImages" / "2010_000001.jpg", colours(0))  # of the detection task, without a mask
    return tmp_path


def first_mask(root):
    return root / "VOCdevkit" / "VOC2012" / "SegmentationClass" / "2007_000032.png"


def test_the_palette_is_vocs():
    assert np.array_equal(voc_palette()[:21], np.array(Voc2012.colours, np.uint8))
    assert tuple(voc_palette()[255]) == (224, 224, 192)


def test_images_and_masks_belong_together(root):
    for split in ("train", "val"):
        dataset = load_dataset("voc2012", split, root=root)
        assert [pair.image.stem for pair in dataset.samples] == NAMES[split] and dataset.labelled
        for name, (image, mask) in zip(NAMES[split], dataset, strict=True):
            assert image.shape == (3, 5, 7)
            assert np.array_equal(mask.numpy(), values(int(name[-2:])))


@pytest.mark.parametrize("place", ["VOCdevkit", "VOCdevkit/VOC2012"])
def test_the_root_may_be_further_in(root, place):
    assert len(load_dataset("voc2012", "train", root=root / place)) == 2


def test_mask_in_colours(root):
    write_image(first_mask(root), voc_palette()[values(7)])
    _, mask = load_dataset("voc2012", "train", root=root)[0]
    assert mask.dtype == torch.int64 and np.array_equal(mask.numpy(), values(7))


def test_mask_in_grey(root):
    write_image(first_mask(root), values(7))
    assert np.array_equal(load_dataset("voc2012", "train", root=root)[0][1].numpy(), values(7))


def test_palette_in_another_order(root):
    """As programs save it that keep only the colours that occur."""
    order = np.random.default_rng(0).permutation(256)
    indices = np.argsort(order).astype(np.uint8)[values(7)]
    save_with_palette(first_mask(root), indices, voc_palette()[order])
    assert np.array_equal(load_dataset("voc2012", "train", root=root)[0][1].numpy(), values(7))


def test_colours_that_stand_for_no_class(root):
    pixels = voc_palette()[values(7)]
    pixels[0, 0], pixels[1, 1] = (1, 2, 3), (255, 255, 255)
    write_image(first_mask(root), pixels)
    with pytest.raises(ValueError) as raised:
        load_dataset("voc2012", "train", root=root)[0]
    assert str(raised.value).startswith(f"{first_mask(root)}: 2 pixels have colours that stand for no class, such as ")
    assert "(1, 2, 3), (255, 255, 255)" in str(raised.value)


def test_palette_with_other_colours(root):
    save_with_palette(first_mask(root), values(7, [0, 3]), np.full((256, 3), 9, np.uint8))
    with pytest.raises(ValueError, match=r"2007_000032\.png: the values 0, 3 in 35 pixels stand for no class"):
        load_dataset("voc2012", "train", root=root)[0]


def test_index_out_of_range(root):
    save_with_palette(first_mask(root), values(7, [0, 21]), voc_palette())
    with pytest.raises(ValueError, match=r"the values 21 in 17 pixels stand for no class; expected 0 to 20, 255\."):
        load_dataset("voc2012", "train", root=root)[0]


def test_test_images_have_void_masks(root):
    dataset = load_dataset("voc2012", "test", root=root)
    assert not dataset.labelled and len(dataset) == 2
    for image, mask in dataset:
        assert image.shape == (3, 5, 7) and mask.shape == (5, 7) and (mask == 255).all()


def test_the_test_images_are_a_download_of_their_own(root):
    (root / "VOCdevkit" / "VOC2012" / "ImageSets" / "Segmentation" / "test.txt").unlink()
    with pytest.raises(FileNotFoundError, match="expected ImageSets/Segmentation/test.txt and JPEGImages there"):
        load_dataset("voc2012", "test", root=root)


def test_empty_list(root):
    (root / "VOCdevkit" / "VOC2012" / "ImageSets" / "Segmentation" / "val.txt").write_text("\n")
    with pytest.raises(ValueError, match="voc2012: the split 'val' is empty"):
        load_dataset("voc2012", "val", root=root)


def test_listed_image_that_is_missing(root):
    (root / "VOCdevkit" / "VOC2012" / "JPEGImages" / "2007_000039.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"2007_000039\.jpg is missing"):
        load_dataset("voc2012", "train", root=root)[1]


def test_mask_of_another_size(root):
    save_with_palette(first_mask(root), values(7).T.copy(), voc_palette())
    with pytest.raises(ValueError, match=r"2007_000032\.png: mask: its size 7 x 5 is not that of the image, 5 x 7"):
        load_dataset("voc2012", "train", root=root)[0]
