"""Downloads: complete and right, or not there at all, whatever the network does."""

import hashlib
import json
import os
import shutil
import socket
import ssl
import threading
import time
from pathlib import Path
from urllib.error import URLError

import pytest

from course_utils.data import download as module
from course_utils.data import fetch as fetching
from course_utils.data.download import DownloadError, download
from tests.data.web import Web, serving

BODY = bytes(range(256)) * 1200  # several chunks of the reader
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def web():
    with serving() as server:
        server.files["/a.bin"] = BODY
        yield server


@pytest.fixture(autouse=True)
def pauses(monkeypatch) -> list[float]:
    """Take no pauses, but note how long they would have been; and no mirror unless a test names one."""
    monkeypatch.delenv("COURSE_MIRROR", raising=False)
    taken = []
    monkeypatch.setattr(module, "sleep", taken.append)
    return taken


def get(web: Web, path: Path, **options) -> Path:
    return download(f"{web.address}/a.bin", path, progress=False, **options)


def names(folder: Path) -> set[str]:
    """Files in a folder, without the empty lock files."""
    return {path.name for path in folder.iterdir() if path.suffix != ".lock"}


def interrupt(web: Web, path: Path, after: int) -> None:
    """Break off a download after this many bytes."""
    web.drops = [after]
    with pytest.raises(DownloadError):
        get(web, path, retries=0)
    assert names(path.parent) == {"a.bin.part", "a.bin.part.json"}
    web.requests.clear()
    web.sent.clear()


# What a download does when all goes well


def test_file_arrives_whole_and_alone(web, tmp_path):
    path = tmp_path / "new" / "folder" / "a.bin"
    assert get(web, path, sha256=SHA256) == path
    assert path.read_bytes() == BODY
    assert names(path.parent) == {"a.bin"}
    assert web.requests[0]["accept-encoding"] == "identity"  # or the bytes would not be those of the hash


def test_path_may_be_text_with_a_home_folder(web, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert get(web, "~/a.bin") == tmp_path / "a.bin"


@pytest.mark.parametrize("sha256", [None, SHA256, SHA256.upper(), SHA256[:8]])
def test_file_that_is_there_is_not_asked_for(web, tmp_path, sha256):
    (tmp_path / "a.bin").write_bytes(BODY)
    get(web, tmp_path / "a.bin", sha256=sha256)
    assert web.requests == []
    assert list(tmp_path.iterdir()) == [tmp_path / "a.bin"]  # not even a lock: the folder may be read-only


def test_file_that_is_there_but_wrong_is_replaced(web, tmp_path):
    (tmp_path / "a.bin").write_bytes(b"old")
    with pytest.warns(UserWarning, match=f"a.bin does not have the sha256 {SHA256[:8]}"):
        get(web, tmp_path / "a.bin", sha256=SHA256[:8])
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_without_a_length_the_end_of_the_connection_is_the_end(web, tmp_path):
    web.with_length = False
    assert get(web, tmp_path / "a.bin").read_bytes() == BODY


def test_file_is_on_the_disk_before_it_gets_its_name(web, tmp_path, monkeypatch):
    events = []
    for name in ("fsync", "replace"):
        original = getattr(os, name)

        def noted(*args, name=name, original=original):
            events.append(name)
            return original(*args)

        monkeypatch.setattr(os, name, noted)
    get(web, tmp_path / "a.bin")
    assert events == ["fsync", "replace"]


def test_progress_names_the_file(web, tmp_path, capsys):
    download(f"{web.address}/a.bin", tmp_path / "b.bin")
    shown = capsys.readouterr().err
    assert "b.bin" in shown and "300k/300k" in shown
    get(web, tmp_path / "c.bin")
    assert capsys.readouterr().err == ""


def test_progress_of_a_resumed_download_starts_where_it_stopped(web, tmp_path, monkeypatch):
    interrupt(web, tmp_path / "a.bin", after=100_000)
    bars = []

    class Bar(fetching.tqdm):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            bars.append((self.initial, self.total, self.unit, self.unit_scale, self.unit_divisor))

        def close(self):
            super().close()
            bars.append(self.n)

    monkeypatch.setattr(fetching, "tqdm", Bar)
    download(f"{web.address}/a.bin", tmp_path / "a.bin")
    assert bars[0] == (100_000, len(BODY), "B", True, 1024)
    assert bars[1] == len(BODY)


# Hash


def test_wrong_hash_leaves_nothing_and_says_both(web, tmp_path):
    expected = "0" * 64
    with pytest.warns(UserWarning, match="sha256"), pytest.raises(DownloadError) as error:
        get(web, tmp_path / "a.bin", sha256=expected)
    assert SHA256 in str(error.value) and expected in str(error.value)
    assert "\n" not in str(error.value)
    assert names(tmp_path) == set()
    assert len(web.requests) == 1  # the same file would come again


@pytest.mark.parametrize("sha256", ["", "abcdefg1", SHA256[:7], SHA256 + "0", f"sha256:{SHA256[:20]}"])
def test_hash_that_is_none_is_refused(web, tmp_path, sha256):
    with pytest.raises(ValueError, match="sha256: expected 8 to 64 hex digits"):
        get(web, tmp_path / "a.bin", sha256=sha256)


# Interruptions


def test_next_call_fetches_only_the_rest(web, tmp_path):
    interrupt(web, tmp_path / "a.bin", after=100_000)
    get(web, tmp_path / "a.bin", sha256=SHA256)
    assert web.ranges_asked() == ["bytes=100000-"]
    assert web.sent == [len(BODY) - 100_000]
    assert names(tmp_path) == {"a.bin"}


def test_dropped_connections_are_taken_up_again(web, tmp_path, pauses):
    web.drops = [50_000] * 5  # more often than `retries`, but each time something came
    assert get(web, tmp_path / "a.bin", retries=1, sha256=SHA256).read_bytes() == BODY
    assert web.ranges_asked() == [None, *(f"bytes={n * 50_000}-" for n in range(1, 6))]
    assert pauses == [0.5] * 5


def test_broken_transfer_without_length_is_noticed(web, tmp_path):
    """A chunked body ends with a chunk of its own."""
    web.with_length = False
    web.headers["Transfer-Encoding"] = "chunked"
    web.files["/a.bin"] = b"5\r\nhello\r\n5\r\nwor"
    with pytest.raises(DownloadError, match="IncompleteRead"):
        get(web, tmp_path / "a.bin", retries=0)
    assert not (tmp_path / "a.bin").exists()


def test_server_without_ranges_sends_all_again(web, tmp_path):
    interrupt(web, tmp_path / "a.bin", after=100_000)
    web.ranges = False
    assert get(web, tmp_path / "a.bin").read_bytes() == BODY
    assert web.sent == [len(BODY)]


def test_attempts_that_bring_nothing_new_are_counted(web, tmp_path):
    web.ranges = False
    web.drops = [100_000] * 9
    with pytest.raises(DownloadError, match=f"100000 of {len(BODY)} bytes"):
        get(web, tmp_path / "a.bin", retries=2)
    assert len(web.requests) == 3  # the first brought something, two more did not


def test_file_that_changed_on_the_server_is_fetched_anew(web, tmp_path):
    interrupt(web, tmp_path / "a.bin", after=100_000)
    web.headers["ETag"] = '"v2"'
    web.files["/a.bin"] = BODY[::-1]
    assert get(web, tmp_path / "a.bin").read_bytes() == BODY[::-1]


@pytest.mark.parametrize(
    ("headers", "if_range"),
    [
        ({"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}, "Mon, 01 Jan 2024 00:00:00 GMT"),
        ({"ETag": 'W/"v1"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}, "Mon, 01 Jan 2024 00:00:00 GMT"),
        ({"ETag": '"v1"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}, '"v1"'),
        ({"ETag": 'W/"v1"'}, None),  # it does not promise the same bytes
        ({}, None),
    ],
)
def test_rest_is_asked_for_only_of_the_same_version(web, tmp_path, headers, if_range):
    web.headers = headers
    interrupt(web, tmp_path / "a.bin", after=100_000)
    assert get(web, tmp_path / "a.bin").read_bytes() == BODY
    assert web.requests[0].get("if-range") == if_range
    assert web.ranges_asked() == ["bytes=100000-" if if_range else None]


@pytest.mark.parametrize("notes", ["", '{"source"', "[]", "{}", '{"source": "http://elsewhere", "version": "v1"}'])
def test_notes_that_do_not_fit_start_anew(web, tmp_path, notes):
    interrupt(web, tmp_path / "a.bin", after=100_000)
    (tmp_path / "a.bin.part.json").write_text(notes)
    assert get(web, tmp_path / "a.bin").read_bytes() == BODY
    assert web.ranges_asked() == [None]


def test_part_without_notes_starts_anew(web, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(b"from somewhere")
    assert get(web, tmp_path / "a.bin").read_bytes() == BODY


def test_empty_part_starts_anew(web, tmp_path):
    interrupt(web, tmp_path / "a.bin", after=0)
    assert get(web, tmp_path / "a.bin").read_bytes() == BODY
    assert web.ranges_asked() == [None]


def test_part_that_is_complete_already_becomes_the_file(web, tmp_path):
    interrupt(web, tmp_path / "a.bin", after=100_000)
    (tmp_path / "a.bin.part").write_bytes(BODY)
    assert get(web, tmp_path / "a.bin", sha256=SHA256).read_bytes() == BODY
    assert web.sent == [] and names(tmp_path) == {"a.bin"}


def test_part_that_is_too_long_starts_anew(web, tmp_path):
    interrupt(web, tmp_path / "a.bin", after=100_000)
    (tmp_path / "a.bin.part").write_bytes(BODY + b"more")
    assert get(web, tmp_path / "a.bin").read_bytes() == BODY
    assert web.ranges_asked() == [f"bytes={len(BODY) + 4}-", None]


@pytest.mark.parametrize("wrong", ["bytes 0-5/6", "", "items 100000-5/6"])
def test_wrong_range_starts_anew(web, tmp_path, wrong):
    interrupt(web, tmp_path / "a.bin", after=100_000)
    web.content_ranges = [wrong]
    assert get(web, tmp_path / "a.bin").read_bytes() == BODY
    assert web.ranges_asked() == ["bytes=100000-", None]


def test_two_who_want_the_same_file_fetch_it_once(web, tmp_path, capsys):
    web.stalls, web.pause = [1000], 0.3
    web.drops = []
    first = threading.Thread(target=get, args=(web, tmp_path / "a.bin"))
    first.start()
    while not web.requests:
        time.sleep(0.01)
    get(web, tmp_path / "a.bin")
    first.join()
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert web.ranges_asked() == [None, "bytes=1000-"]  # both by the first: it stalled, then went on
    assert capsys.readouterr().out.count("a.bin is being downloaded by another process") == 1


# Servers that fail


def test_missing_file_is_not_asked_for_again(web, tmp_path, pauses):
    with pytest.raises(DownloadError) as error:
        download(f"{web.address}/b.bin", tmp_path / "b.bin", progress=False)
    message = str(error.value)
    assert f"{web.address}/b.bin: HTTP 404 Not Found" in message
    assert str(tmp_path / "b.bin") in message and "COURSE_MIRROR" in message and "\n" not in message
    assert len(web.requests) == 1 and pauses == [] and names(tmp_path) == set()


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_failure_that_may_pass_is_waited_for(web, tmp_path, pauses, status):
    web.statuses = [status, status]
    assert get(web, tmp_path / "a.bin").read_bytes() == BODY
    assert pauses == [0.5, 1.0]


def test_pauses_grow_to_a_limit_and_end(web, tmp_path, pauses):
    web.statuses = [503] * 99
    with pytest.raises(DownloadError, match="HTTP 503"):
        get(web, tmp_path / "a.bin", retries=6)
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0] and len(web.requests) == 7


def test_default_is_four_retries(web, tmp_path, pauses):
    web.statuses = [503] * 99
    with pytest.raises(DownloadError):
        get(web, tmp_path / "a.bin")
    assert len(pauses) == 4


def test_nobody_listens(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DownloadError, match="Connection refused"):
        download(f"http://127.0.0.1:{port}/a.bin", tmp_path / "a.bin", retries=1, progress=False)
    assert names(tmp_path) == set()


def test_server_that_hangs_up_without_an_answer(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: server.accept()[0].close(), daemon=True).start()
        with pytest.raises(DownloadError, match=r"(?i)closed connection|reset"):
            download(f"http://127.0.0.1:{server.getsockname()[1]}/a", tmp_path / "a", retries=0, progress=False)


def test_server_that_talks_nonsense(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection = server.accept()[0]
            connection.recv(1000)
            connection.sendall(b"hello\r\n\r\n")
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(DownloadError, match="hello"):
            download(f"http://127.0.0.1:{server.getsockname()[1]}/a", tmp_path / "a", retries=0, progress=False)


def test_server_that_never_answers(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(DownloadError, match="no answer in time"):
        address = f"http://127.0.0.1:{server.getsockname()[1]}/a.bin"
        download(address, tmp_path / "a.bin", timeout=0.05, retries=1, progress=False)


def test_server_that_stalls_midway_is_asked_for_the_rest(web, tmp_path):
    web.stalls, web.pause = [70_000], 0.5
    assert get(web, tmp_path / "a.bin", timeout=0.1).read_bytes() == BODY
    assert web.ranges_asked() == [None, "bytes=70000-"]


def test_certificate_that_is_not_accepted_is_not_tried_again():
    reason = ssl.SSLCertVerificationError(1, "certificate verify failed")
    reason.verify_message = "self-signed certificate"
    failure = fetching._failure(URLError(reason), "https://example.org/a")
    assert "self-signed certificate" in str(failure) and not failure.may_pass


@pytest.mark.parametrize("url", ["ftp://example.org/a", "a.bin", "/tmp/a.bin", "C:\\a.bin", "data:,a"])
def test_other_addresses_are_refused(tmp_path, url):
    with pytest.raises(ValueError, match="https:, http: or file:"):
        download(url, tmp_path / "a.bin")
    with pytest.raises(ValueError, match="https:, http: or file:"):
        download("http://127.0.0.1/a.bin", tmp_path / "a.bin", mirrors=[url])


# Mirrors and local files


def test_local_file(tmp_path):
    source = tmp_path / "there" / "my file.bin"
    source.parent.mkdir()
    source.write_bytes(BODY)
    path = tmp_path / "here.bin"
    assert download(source.as_uri(), path, sha256=SHA256, progress=False).read_bytes() == BODY


def test_missing_local_file_is_not_waited_for(tmp_path, pauses):
    with pytest.raises(DownloadError, match="No such file"):
        download((tmp_path / "none").as_uri(), tmp_path / "a.bin", progress=False)
    assert pauses == []


@pytest.mark.parametrize("as_address", [False, True])
def test_mirror_folder_comes_first(web, tmp_path, monkeypatch, as_address):
    mirror = tmp_path / "mirror folder"
    mirror.mkdir()
    (mirror / "a b.bin").write_bytes(BODY)
    monkeypatch.setenv("COURSE_MIRROR", mirror.as_uri() + "/" if as_address else str(mirror))
    download(f"{web.address}/deep/a%20b.bin?raw=1", tmp_path / "a.bin", sha256=SHA256, progress=False)
    assert web.requests == []


def test_mirror_folder_may_be_relative_to_home(web, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("COURSE_MIRROR", "~")
    (tmp_path / "a.bin").write_bytes(BODY)
    get(web, tmp_path / "b.bin")
    assert web.requests == []


def test_mirror_address_comes_first(web, tmp_path, monkeypatch):
    web.files["/mirror/x.bin"] = BODY
    monkeypatch.setenv("COURSE_MIRROR", f"{web.address}/mirror/")
    download("http://127.0.0.1:1/y/x.bin", tmp_path / "a.bin", progress=False)
    assert [request["path"] for request in web.requests] == ["/mirror/x.bin"]


def test_mirror_that_lacks_the_file_is_passed_over(web, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_MIRROR", str(tmp_path))
    assert get(web, tmp_path / "sub" / "a.bin").read_bytes() == BODY


def test_further_mirrors_follow_in_order(web, tmp_path):
    web.files["/m1"] = b"tampered"
    mirrors = [f"{web.address}/{name}" for name in ("m0", "m1", "a.bin", "m3")]
    with pytest.warns(UserWarning, match="m1: its sha256"):
        download(f"{web.address}/x", tmp_path / "a.bin", sha256=SHA256, mirrors=mirrors, progress=False)
    assert [request["path"] for request in web.requests] == ["/x", "/m0", "/m1", "/a.bin"]
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_error_lists_every_source(web, tmp_path):
    with pytest.raises(DownloadError) as error:
        download(f"{web.address}/x", tmp_path / "a", mirrors=[f"{web.address}/y"], progress=False)
    assert "/x: HTTP 404" in str(error.value) and "/y: HTTP 404" in str(error.value)


def test_another_source_does_not_continue_the_part_of_the_first(web, tmp_path):
    interrupt(web, tmp_path / "a.bin", after=100_000)
    web.files["/b.bin"] = BODY[::-1]
    del web.files["/a.bin"]
    get(web, tmp_path / "a.bin", mirrors=[f"{web.address}/b.bin"])
    assert (tmp_path / "a.bin").read_bytes() == BODY[::-1]


def test_failing_source_keeps_the_part(web, tmp_path):
    interrupt(web, tmp_path / "a.bin", after=100_000)
    web.statuses = [403]
    with pytest.raises(DownloadError, match="HTTP 403"):
        get(web, tmp_path / "a.bin")
    assert (tmp_path / "a.bin.part").stat().st_size == 100_000


# Disks that fail


def test_folder_that_cannot_be_made(web, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DownloadError, match="COURSE_CACHE") as error:
        get(web, tmp_path / "file" / "a.bin")
    assert str(tmp_path / "file") in str(error.value) and "\n" not in str(error.value)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_full_disk(web, tmp_path):
    (tmp_path / "a.bin.part").symlink_to("/dev/full")
    with pytest.raises(DownloadError, match="No space left.*COURSE_CACHE"):
        get(web, tmp_path / "a.bin")
    assert not (tmp_path / "a.bin").exists()
    assert len(web.requests) == 1  # another attempt would not help


def test_too_little_room_is_seen_before_the_first_byte(web, tmp_path, monkeypatch):
    rooms = []

    def usage(folder):
        rooms.append(Path(folder))
        return shutil._ntuple_diskusage(0, 0, len(BODY) - 100_001)

    interrupt(web, tmp_path / "a.bin", after=100_000)
    monkeypatch.setattr(shutil, "disk_usage", usage)
    with pytest.raises(DownloadError, match=r"a\.bin needs 207kB more, but .* has 207kB free.*COURSE_CACHE"):
        get(web, tmp_path / "a.bin")
    assert rooms == [tmp_path]
    assert (tmp_path / "a.bin.part").stat().st_size == 100_000
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(0, 0, len(BODY) - 100_000))
    assert get(web, tmp_path / "a.bin").read_bytes() == BODY


def test_path_that_is_a_folder(web, tmp_path):
    with pytest.raises(DownloadError, match="is a folder"):
        get(web, tmp_path)


def test_notes_say_what_is_being_fetched(web, tmp_path):
    interrupt(web, tmp_path / "a.bin", after=100_000)
    notes = json.loads((tmp_path / "a.bin.part.json").read_text())
    assert notes == {"source": f"{web.address}/a.bin", "version": '"v1"'}
