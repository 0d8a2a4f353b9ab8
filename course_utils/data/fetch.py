"""One attempt to fetch a file, from where the last one stopped."""

import http.client
import json
import os
import re
import shutil
import ssl
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tqdm import tqdm

_CHUNK = 1 << 16
_PASSING = {408, 425, 429, 500, 502, 503, 504}  # HTTP statuses that may be gone at the next attempt


class DownloadError(OSError):
    """A file could not be downloaded; the message is one line that says what came and what to do."""


class SourceFailed(Exception):
    """One address did not give the file. may_pass: the next attempt may go better."""

    def __init__(self, problem: str, *, may_pass: bool):
        super().__init__(problem)
        self.may_pass = may_pass


def fetch(source: str, part: Path, *, timeout: float, progress: bool) -> None:
    """Complete the file `part` from `source`.

    If part of it is there already, from this source and unchanged since (the server's ETag or Last-Modified says so),
    only the rest is asked for; a server that knows no ranges, or has another file by now, sends all of it again.

    Raises SourceFailed when the source fails, DownloadError when there is too little room, OSError when the disk
    fails.
    """
    notes = part.with_name(part.name + ".json")
    offset, headers = _resume(source, part, notes)
    try:
        response = urlopen(Request(source, headers=headers), timeout=timeout)
    except HTTPError as error:
        error.close()
        if error.code == 416:  # there is nothing after the offset: all is there, or the notes are wrong
            notes.unlink()
            if _total(error.headers) == offset:
                return
            raise SourceFailed("the part that was there does not fit", may_pass=True) from error
        raise SourceFailed(f"HTTP {error.code} {error.reason}", may_pass=error.code in _PASSING) from error
    except (OSError, http.client.HTTPException) as error:
        raise _failure(error, source) from error
    with response:
        if getattr(response, "status", None) != 206:
            offset, total = 0, _length(response.headers)
        elif _first(response.headers) == offset:
            total = _total(response.headers)
        else:
            notes.unlink()
            raise SourceFailed("the server sent another range than asked for", may_pass=True)
        _check_room(part, offset, total)
        notes.write_text(json.dumps({"source": source, "version": _version(response.headers)}))
        with (
            part.open("ab" if offset else "wb") as file,
            tqdm(
                total=total,
                initial=offset,
                desc=part.stem,
                unit="B",
                unit_scale=True,
                unit_divisor=1024,
                disable=not progress,
            ) as bar,
        ):
            while chunk := _read(response, source):
                file.write(chunk)
                bar.update(len(chunk))
            file.flush()
            os.fsync(file.fileno())
    size = part.stat().st_size
    if total is not None and size != total:
        raise SourceFailed(f"the connection ended after {size} of {total} bytes", may_pass=True)
    notes.unlink()


def _resume(source: str, part: Path, notes: Path) -> tuple[int, dict[str, str]]:
    """How many bytes are there already, and the request headers that ask for the rest."""
    headers = {"User-Agent": "segmentation-course", "Accept-Encoding": "identity"}
    if not (part.exists() and notes.exists()):
        return 0, headers
    try:
        known = json.loads(notes.read_text())
        version = known["version"] if known["source"] == source else None
    except (ValueError, KeyError, TypeError):  # written only in part: start anew
        version = None
    offset = part.stat().st_size
    if version is None or offset == 0:
        return 0, headers
    return offset, {**headers, "Range": f"bytes={offset}-", "If-Range": version}


def _version(headers: Message) -> str | None:
    """What changes with the file on the server; a weak ETag ("W/…") does not promise the same bytes."""
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified")


def _length(headers: Message) -> int | None:
    length = headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _first(headers: Message) -> int | None:
    match = re.match(r"bytes (\d+)-", headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _total(headers: Message) -> int | None:
    match = re.search(r"/(\d+)$", headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _read(response: Any, source: str) -> bytes:
    try:
        return response.read1(_CHUNK)  # what has come, so that a broken connection loses nothing
    except (OSError, http.client.HTTPException) as error:
        raise _failure(error, source) from error


def _failure(error: Exception, source: str) -> SourceFailed:
    """In words: what went wrong on the way, and whether another attempt makes sense."""
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, TimeoutError):
        return SourceFailed("no answer in time", may_pass=True)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return SourceFailed(f"its certificate is not accepted ({reason.verify_message})", may_pass=False)
    words = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return SourceFailed(words, may_pass=not source.startswith("file:"))


def _check_room(part: Path, offset: int, total: int | None) -> None:
    free = shutil.disk_usage(part.parent).free
    if total is not None and total - offset > free:
        raise DownloadError(
            f"{part.stem} needs {tqdm.format_sizeof(total - offset, 'B')} more, but {part.parent} has "
            f"{tqdm.format_sizeof(free, 'B')} free. Make room, or name another folder for downloads in the "
            "environment variable COURSE_CACHE."
        )
