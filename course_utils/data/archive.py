"""Unpacking of archives that come from elsewhere: nothing lands outside the folder, all of it lands or nothing."""

import os
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath
from typing import IO
from uuid import uuid4

_CHUNK = 1 << 16
_SMALL = 64 << 20  # bytes that any archive may unpack to

Entry = tuple[str, IO[bytes] | None]  # name in the archive, and its bytes or None for a folder


class ArchiveError(ValueError):
    """An archive is damaged or not to be trusted; the message is one line that says why."""


def extract(
    archive: str | os.PathLike,
    folder: str | os.PathLike,
    *,
    max_bytes: int = 20 << 30,
    max_ratio: int = 200,
) -> Path:
    """Unpack a zip or tar archive (plain or compressed) into a new folder and return its path.

    Everything goes to a folder beside it first, which gets its name at the end: after a failure nothing is left. Only
    files and folders are unpacked, with the modes of new files; links, devices and names that lead out of the folder
    are refused.

    max_bytes, max_ratio: refuse an archive that unpacks to more bytes than this, or to more than this many times its
    own size (and more than 64 MiB).

    Raises ArchiveError for such an archive or a damaged one, FileExistsError if the folder exists, OSError when the
    disk fails.
    """
    archive, folder = Path(archive), Path(folder)
    if os.path.lexists(folder):
        raise FileExistsError(f"folder: {folder} exists already. Delete it or name another one.")
    limit = min(max_bytes, max(max_ratio * archive.stat().st_size, _SMALL))
    unpacked = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}.part")
    try:
        unpacked.mkdir(parents=True)
        _unpack(archive, unpacked, limit)
        unpacked.rename(folder)
    except OSError as error:
        problem = f"Cannot unpack {archive} into {folder}: {error.strerror}. Make room there or name another folder."
        raise OSError(error.errno, problem) from error
    finally:
        if unpacked.is_dir():
            shutil.rmtree(unpacked)
    return folder


def _unpack(archive: Path, folder: Path, limit: int) -> None:
    written = 0
    with _reading(archive):
        entries = _entries(archive)
    while True:
        with _reading(archive):
            name, stream = next(entries, (None, None))
        if name is None:
            return
        target = folder.joinpath(*_safe_parts(archive, name))
        try:
            (target if stream is None else target.parent).mkdir(parents=True, exist_ok=True)
            if stream is None:
                continue
            file = target.open("xb")
        except (FileExistsError, NotADirectoryError):
            raise ArchiveError(f"{archive} has two entries for {name!r}. Do not use it.") from None
        with file:
            while True:
                with _reading(archive):
                    chunk = stream.read(_CHUNK)
                if not chunk:
                    break
                written += len(chunk)
                if written > limit:
                    raise ArchiveError(
                        f"{archive} unpacks to more than {limit} bytes. If you trust it, allow more with max_bytes "
                        "and max_ratio."
                    )
                file.write(chunk)


def _safe_parts(archive: Path, name: str) -> list[str]:
    """The folders and file name that an entry's name stands for, all of them inside."""
    text = name.replace("\\", "/")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    leads_out = text.startswith("/") or PureWindowsPath(name).drive or ".." in parts
    if leads_out or "\0" in text:
        raise ArchiveError(f"{archive} has an entry {name!r} that leads out of the folder. Do not use it.")
    return parts


def _entries(archive: Path) -> Iterator[Entry]:
    if tarfile.is_tarfile(archive):  # first, for a tar that ends with a zip looks like a zip
        return _tar_entries(archive)
    if zipfile.is_zipfile(archive):
        return _zip_entries(archive)
    raise ArchiveError(
        f"{archive} is no zip or tar archive, or only the start of one. Delete it and download it again."
    )


def _zip_entries(archive: Path) -> Iterator[Entry]:
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            if info.is_dir():
                yield info.filename, None
                continue
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
                raise _not_a_file(archive, info.filename)
            with file.open(info) as stream:
                yield info.filename, stream


class _Member(tarfile.TarInfo):
    """An entry of a tar. Only a block of zeros ends the archive; tarfile would stop at a damaged header as well."""

    @classmethod
    def fromtarfile(cls, file: tarfile.TarFile) -> "_Member":
        try:
            return super().fromtarfile(file)
        except tarfile.EOFHeaderError:
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from error


def _tar_entries(archive: Path) -> Iterator[Entry]:
    with tarfile.open(archive, tarinfo=_Member) as file:
        for member in file:
            if member.isdir():
                yield member.name, None
            elif member.isfile():
                with file.extractfile(member) as stream:
                    yield member.name, stream
            else:
                raise _not_a_file(archive, member.name)
        while file.fileobj.read(_CHUNK):  # to the end, where the checksum of the compressed data stands
            pass


def _not_a_file(archive: Path, name: str) -> ArchiveError:
    return ArchiveError(f"{archive} has an entry {name!r} that is a link or a device. Do not use it.")


@contextmanager
def _reading(archive: Path) -> Iterator[None]:
    """Turn whatever a damaged archive makes zipfile, tarfile and the decompressors raise into one error."""
    try:
        yield
    except ArchiveError:
        raise
    except Exception as error:
        raise ArchiveError(
            f"{archive} cannot be read: {error or type(error).__name__}. Delete it and download it again."
        ) from error
