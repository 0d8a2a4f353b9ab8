"""Downloads that can be trusted: resumed after a break, checked by hash, complete or not there at all."""

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256 as new_sha256
from pathlib import Path
from time import sleep
from urllib.parse import quote, unquote, urlsplit

from filelock import FileLock, Timeout

from course_utils.data.fetch import DownloadError, SourceFailed, fetch

_HEX = set("0123456789abcdef")


def download(
    url: str,
    path: str | os.PathLike,
    *,
    sha256: str | None = None,
    mirrors: Sequence[str] = (),
    timeout: float = 30.0,
    retries: int = 4,
    progress: bool = True,
) -> Path:
    """Fetch `url` into the file `path`, unless it is there already, and return the path.

    The bytes first go to `path` + ".part", so a download that was broken off goes on where it stopped; only when all
    is there and the hash is right does it become `path`.

    url, mirrors: addresses of the same file (https:, http: or file:), tried in this order. Before them comes the
    folder or address in the environment variable COURSE_MIRROR, if it is set, with the file name of `url`.
    sha256: the hash in hex, or at least its first 8 digits (as in the names of torchvision's weights).
    timeout: seconds without an answer or a new byte after which an attempt is broken off.
    retries: attempts in a row without a new byte that are made again, after a growing pause.

    Raises DownloadError, which says what came and what to do; ValueError for an argument that makes no sense.
    """
    path = Path(path).expanduser()
    expected = _checked_hash(sha256)
    sources = [*_mirror_sources(url), url, *mirrors]
    for source in sources:
        if urlsplit(source).scheme not in ("https", "http", "file"):
            raise ValueError(f"url: expected an address with https:, http: or file:, got {source!r}.")
    if _is_complete(path, expected):
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path):
            if not _is_complete(path, expected):
                _download(sources, path, expected, timeout=timeout, retries=retries, progress=progress)
    except DownloadError:
        raise
    except OSError as error:
        raise DownloadError(
            f"Cannot write {path}: {error.strerror or error}. Make room or permit writing there, or name another "
            "folder for downloads in the environment variable COURSE_CACHE."
        ) from error
    return path


def file_sha256(path: Path) -> str:
    """The sha256 of a file, 64 hex digits."""
    digest = new_sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _download(sources: list[str], path: Path, expected: str, *, timeout: float, retries: int, progress: bool) -> None:
    if path.exists():
        warnings.warn(
            f"{path} does not have the sha256 {expected}: damaged or out of date, it is downloaded again.",
            stacklevel=3,
        )
    part = path.with_name(path.name + ".part")
    problems = []
    for source in sources:
        try:
            _fetch_patiently(source, part, timeout=timeout, retries=retries, progress=progress)
            _verify(source, part, expected)
        except SourceFailed as error:
            problems.append(f"{source}: {error}")
            continue
        os.replace(part, path)
        return
    raise DownloadError(
        f"Could not download {path.name}. {'; '.join(problems)}. Check the network and try again: what has come so "
        f"far is kept. Or put the file at {path} yourself, or name a folder that has it in COURSE_MIRROR."
    )


def _fetch_patiently(source: str, part: Path, *, timeout: float, retries: int, progress: bool) -> None:
    """Fetch, and after a failure that may pass fetch again, until `retries` times in a row nothing more has come."""
    failures, most = 0, _size(part)
    while True:
        try:
            return fetch(source, part, timeout=timeout, progress=progress)
        except SourceFailed as error:
            if _size(part) > most:
                failures, most = 0, _size(part)
            failures += 1
            if not error.may_pass or failures > retries:
                raise
        sleep(min(0.5 * 2 ** (failures - 1), 8.0))


def _verify(source: str, part: Path, expected: str) -> None:
    actual = file_sha256(part)
    if not actual.startswith(expected):
        part.unlink()
        problem = f"its sha256 is {actual}, expected {expected}: another file or an altered one, deleted"
        warnings.warn(f"{source}: {problem}.", stacklevel=4)
        raise SourceFailed(problem, may_pass=False)


def _is_complete(path: Path, expected: str) -> bool:
    if not path.exists():
        return False
    if path.is_dir():
        raise DownloadError(f"path: expected a file name, but {path} is a folder. Add the name of the file.")
    return not expected or file_sha256(path).startswith(expected)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Of two processes that want the same file, let one wait for the other."""
    lock = FileLock(f"{path}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"{path.name} is being downloaded by another process: waiting for it …")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _mirror_sources(url: str) -> list[str]:
    mirror = os.environ.get("COURSE_MIRROR")
    if not mirror:
        return []
    if "://" not in mirror:
        mirror = Path(mirror).expanduser().resolve().as_uri()
    name = unquote(urlsplit(url).path).rsplit("/", 1)[-1]
    return [f"{mirror.rstrip('/')}/{quote(name)}"]


def _checked_hash(sha256: str | None) -> str:
    """The hash in lower case, or an empty string (with which every hash starts) for none."""
    if sha256 is None:
        return ""
    text = sha256.lower()
    if not 8 <= len(text) <= 64 or not set(text) <= _HEX:
        raise ValueError(f"sha256: expected 8 to 64 hex digits, got {sha256!r}.")
    return text


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
