"""Tianchi buildings: aerial images with the roofs as run-length encoded masks."""

import torch

from course_utils.data.file_dataset import FileDataset, Pair, images_in
from course_utils.data.files import read_image
from course_utils.data.rle import decode

_EMPTY = ("", "nan", "NaN")
_VAL_EVERY = 10


class TianchiBuildings(FileDataset):
    """Buildings from the air: 27000, 3000 and 2500 images of 512 x 512 pixels, background 0, building 1, no void.

    train_mask.csv has one line per image of the folder train: its name, a tab, its mask as `rle` says; an empty mask is
    an empty field or NaN. A first line "name, tab, mask" is skipped. The test images are in test_a. root: the folder
    with these three; by default datasets/tianchi_buildings in the cache.

    The competition has no validation split. The one made here is by name: of the images in alphabetical order every
    tenth, from the first on, is in val, the others in train. The images are crops of larger ones, and neighbours may
    stand on both sides: scores on val are a little too good.

    The labels of test are not public: its masks are void. The lines of a submission are `rle.encode(prediction == 1)`.

    The images come from Maggiori et al., Can Semantic Labeling Methods Generalize to Any City? The Inria Aerial Image
    Labeling Benchmark, IGARSS 2017.
    """

    name = "tianchi_buildings"
    classes = ("background", "building")
    colours = ((40, 40, 40), (240, 228, 66))

    def find(self) -> list[Pair]:
        if not self.labelled:
            return [Pair(image, None) for image in images_in(self.root / "test_a")]
        self.runs = self._runs()
        names = sorted(self.runs)
        chosen = set(names[::_VAL_EVERY])
        if self.split == "train":
            chosen = set(names) - chosen
        return [Pair(self.root / "train" / name, self.root / "train_mask.csv") for name in sorted(chosen)]

    def read(self, index: int) -> tuple[torch.Tensor, ...]:
        pair = self.samples[index]
        image = read_image(pair.image)
        if pair.mask is None:
            return image, self.void(image)
        try:
            mask = decode(self.runs[pair.image.name], tuple(image.shape[1:]))
        except ValueError as error:
            raise ValueError(f"{pair.mask}, mask of {pair.image.name}: {error}") from None
        return image, torch.from_numpy(mask).to(torch.int64, memory_format=torch.contiguous_format)

    def _runs(self) -> dict[str, str]:
        """The encoded mask of each image, by the name of the image."""
        path = self.root / "train_mask.csv"
        runs: dict[str, str] = {}
        problems = []
        for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
            name, tab, mask = line.partition("\t")
            if (number, name, mask) == (1, "name", "mask") or not line:
                continue
            if not tab or not name:
                problems.append(f"{path}, line {number}: expected a name, a tab and a mask, got {line[:60]!r}.")
            elif name in runs:
                problems.append(f"{path}, line {number}: a second mask for {name}. Delete one of the lines.")
            else:
                runs[name] = "" if mask.strip() in _EMPTY else mask
        if problems:
            raise ValueError("\n".join(problems))
        return runs
