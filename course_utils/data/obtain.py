"""`course data get`: fetch a data set that may be downloaded freely, and unpack it."""

from __future__ import annotations

import os
from hashlib import md5 as new_md5
from pathlib import Path

from course_utils.data.archive import extract
from course_utils.data.cache import cache_dir
from course_utils.data.catalogue import CATALOGUE, Archive
from course_utils.data.download import download
from course_utils.data.fetch import DownloadError
from course_utils.data.folders import require, root_folder


def obtain(name: str, root: str | os.PathLike | None = None, *, progress: bool = True) -> Path:
    """Download and unpack a data set that has an archive into its root folder; return where its layout begins.

    The archive is deleted once it is unpacked. Raises DownloadError, ArchiveError, FileExistsError if the folder is
    there already, and FileNotFoundError if the archive has not got what it should have.
    """
    archive, folder = CATALOGUE[name].archive, root_folder(name, root)
    if os.path.lexists(folder):
        raise FileExistsError(
            f"{folder} exists already, but has not all of {name}. Delete it or name another folder with --root."
        )
    file = download(archive.url, cache_dir() / "downloads" / archive.filename, progress=progress)
    _check_md5(file, archive)
    extract(file, folder)
    start = require(name, "train", folder)
    file.unlink()
    return start


def _check_md5(file: Path, archive: Archive) -> None:
    if archive.md5 is None:
        return
    digest = new_md5(usedforsecurity=False)
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    if digest.hexdigest() != archive.md5:
        file.unlink()
        raise DownloadError(
            f"{archive.url}: its md5 is {digest.hexdigest()}, expected {archive.md5}: another file or an altered one, "
            "deleted. Try again, or name a folder that has the right one in COURSE_MIRROR."
        )
