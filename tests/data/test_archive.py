"""Unpacking: all of an archive in the folder, or an error and nothing anywhere."""

import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data import archive as module
from course_utils.data.archive import ArchiveError, extract

FILES = {"a.txt": b"hello", "deep/er/b.bin": bytes(range(256)) * 270, "deep/empty": b""}
TARS = {"tar": "", "tar.gz": "gz", "tar.bz2": "bz2", "tar.xz": "xz"}
KINDS = ["zip", *TARS]


def pack(path: Path, files: dict[str, bytes], *, folders: tuple[str, ...] = ()) -> Path:
    """Write an archive of the kind that the path's ending names."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in folders:
                archive.writestr(f"{name}/", b"")
            for name, content in files.items():
                archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        return path
    with tarfile.open(path, f"w:{TARS[path.name.split('.', 1)[1]]}") as archive:
        for name in folders:
            add(archive, name, tarfile.DIRTYPE)
        for name, content in files.items():
            add(archive, name, content=content)
    return path


def add(archive: tarfile.TarFile, name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"", **fields) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, len(content)
    for field, value in fields.items():
        setattr(member, field, value)
    archive.addfile(member, io.BytesIO(content))


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every file and (as None) every folder below a folder."""
    return {
        path.relative_to(folder).as_posix(): None if path.is_dir() else path.read_bytes() for path in folder.rglob("*")
    }


def refused(archive: Path, reason: str, **options) -> str:
    """Check that the archive is refused for this reason and leaves nothing behind; return the message."""
    before = contents(archive.parent)
    with pytest.raises(ArchiveError, match=reason) as error:
        extract(archive, archive.parent / "out", **options)
    assert contents(archive.parent) == before
    assert str(archive) in str(error.value) and "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("kind", KINDS)
def test_everything_is_unpacked(tmp_path, kind):
    archive = pack(tmp_path / f"a.{kind}", FILES, folders=("hollow", "deep"))
    folder = tmp_path / "not" / "yet" / "there"
    assert extract(str(archive), str(folder)) == folder
    assert contents(folder) == {**FILES, "deep": None, "deep/er": None, "hollow": None}
    assert os.listdir(folder.parent) == ["there"]


@pytest.mark.parametrize("kind", KINDS)
def test_names_may_start_with_a_dot_and_use_backslashes(tmp_path, kind):
    archive = pack(tmp_path / f"a.{kind}", {"./a": b"1", "b\\c": b"2", ".hidden": b"3", "d//..e": b"4"}, folders=(".",))
    files = contents(extract(archive, tmp_path / "out"))
    assert files == {"a": b"1", "b": None, "b/c": b"2", ".hidden": b"3", "d": None, "d/..e": b"4"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name", ["../x", "/x", "a/../../x", "..", "..\\x", "a\\..\\..\\x", "\\x", "C:x", "C:\\x", "c:/x", "//host/share/x"]
)
def test_names_that_lead_out_are_refused(tmp_path, kind, name):
    refused(pack(tmp_path / f"a.{kind}", {"good": b"1", name: b"2"}), "leads out of the folder")


@pytest.mark.parametrize("kind", KINDS)
def test_folders_that_lead_out_are_refused(tmp_path, kind):
    refused(pack(tmp_path / f"a.{kind}", {}, folders=("../x",)), "leads out of the folder")


NAMES = st.lists(st.sampled_from(["..", ".", "", "a", "b", "C:", "/", "\\", "~", "a.", "\u00e9", " "]), max_size=6).map(
    "/".join
) | st.text(st.sampled_from("./\\ab:~"), min_size=1, max_size=8)


@given(kind=st.sampled_from(["zip", "tar"]), name=NAMES.filter(bool))
def test_no_name_leads_out(tmp_path_factory, kind, name):
    place = tmp_path_factory.mktemp("place")
    archive = pack(place / f"a.{kind}", {"first": b"1", name: b"2"})
    before = contents(place)
    try:
        extract(archive, place / "x" / "out")
    except ArchiveError:
        assert {**contents(place), "x": None} == {**before, "x": None}
        return
    unpacked = contents(place / "x" / "out")
    files = sorted(content for content in unpacked.values() if content is not None)
    assert files == [b"1", b"2"] or (name.endswith("/") and files == [b"1"])
    assert set(contents(place)) == set(before) | {"x", "x/out"} | {f"x/out/{path}" for path in unpacked}


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE],
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        add(archive, "good", content=b"1")
        add(archive, "bad", kind, linkname="good")
    refused(tmp_path / "a.tar", "'bad' that is a link or a device")


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_in_a_zip_are_refused(tmp_path, mode):
    info = zipfile.ZipInfo("bad")
    info.create_system, info.external_attr = 3, (mode | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    refused(tmp_path / "a.zip", "'bad' that is a link or a device")


def test_files_in_a_zip_may_have_a_mode(tmp_path):
    info = zipfile.ZipInfo("a")
    info.create_system, info.external_attr = 3, (stat.S_IFREG | 0o600) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, b"1")
    assert contents(extract(tmp_path / "a.zip", tmp_path / "out")) == {"a": b"1"}


def test_file_modes_are_those_of_new_files(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        add(archive, "program", content=b"1", mode=0o6777)
        add(archive, "closed", tarfile.DIRTYPE, mode=0)
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "file").touch()
    folder = extract(tmp_path / "a.tar", tmp_path / "out")
    assert (folder / "program").stat().st_mode == (tmp_path / "new" / "file").stat().st_mode
    assert (folder / "closed").stat().st_mode == folder.stat().st_mode == (tmp_path / "new").stat().st_mode


@pytest.mark.parametrize(
    "files", [[("a", b"1"), ("a", b"2")], [("a", b"1"), ("a/b", b"2")], [("a/b", b"1"), ("a", b"2")], [(".", b"1")]]
)
def test_two_entries_of_one_name_are_refused(tmp_path, files):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, content in files:
            add(archive, name, content=content)
    refused(tmp_path / "a.tar", "has two entries for")


@pytest.mark.parametrize("kind", KINDS)
def test_archives_that_swell_are_refused(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(module, "_SMALL", 1000)
    archive = pack(tmp_path / f"a.{kind}", {f"{n}": bytes(20_000) for n in range(50)})
    size = archive.stat().st_size
    refused(archive, "unpacks to more than 999999 bytes.*max_bytes", max_bytes=999_999, max_ratio=10_000)
    ratio = 999_999 // size
    if kind != "tar":  # which is larger than what is in it
        refused(archive, f"unpacks to more than {ratio * size} bytes", max_ratio=ratio)
    extract(archive, tmp_path / "out", max_bytes=1_000_000, max_ratio=ratio + 1)


def test_small_archives_may_swell(tmp_path):
    archive = pack(tmp_path / "a.zip", {"zeros": bytes(1 << 20)})
    assert archive.stat().st_size * 200 < 1 << 20
    extract(archive, tmp_path / "out")


def test_limits_are_sane_without_being_named(tmp_path, monkeypatch):
    """20 GiB, and 200 times its size."""
    limits = []
    monkeypatch.setattr(module, "_unpack", lambda archive, folder, limit: limits.append(limit))
    archive = tmp_path / "a.zip"
    for number, size in enumerate((10, 1 << 20, 1 << 40)):
        with archive.open("wb") as file:
            file.truncate(size)  # takes no room on the disk
        extract(archive, tmp_path / f"{number}")
    assert limits == [64 << 20, 200 << 20, 20 << 30]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30)
@given(share=st.floats(0, 1, exclude_max=True))
def test_truncated_archives_are_refused(tmp_path_factory, kind, share):
    place = tmp_path_factory.mktemp("place")
    archive = pack(place / f"a.{kind}", FILES)
    whole = archive.read_bytes()
    # A tar is padded with zeros behind its end, which may be missing.
    needed = len(whole.rstrip(b"\0")) if kind == "tar" else len(whole)
    archive.write_bytes(whole[: int(share * needed)])
    refused(archive, "cannot be read|only the start of one")


def test_tar_that_ends_between_two_files_is_refused(tmp_path):
    archive = pack(tmp_path / "a.tar", FILES)
    archive.write_bytes(archive.read_bytes()[:1024])  # header and content of a.txt
    refused(archive, "empty header")


def test_tar_with_a_damaged_header_is_refused(tmp_path):
    archive = pack(tmp_path / "a.tar", FILES)
    damaged = bytearray(archive.read_bytes())
    damaged[1024] ^= 1  # the name of the second file
    archive.write_bytes(damaged)
    refused(archive, "bad checksum")


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.bz2", "tar.xz"])
@settings(max_examples=30)
@given(data=st.data())
def test_tampered_archives_never_unpack_to_something_else(tmp_path_factory, kind, data):
    place = tmp_path_factory.mktemp("place")
    archive = pack(place / f"a.{kind}", FILES)
    damaged = bytearray(archive.read_bytes())
    place_of_damage = data.draw(st.integers(0, len(damaged) - 1))
    damaged[place_of_damage] ^= data.draw(st.integers(1, 255))
    archive.write_bytes(damaged)
    try:
        extract(archive, place / "out")
    except ArchiveError as error:
        assert "Do not use it" in str(error) or "Delete it and download it again" in str(error)
        assert os.listdir(place) == [archive.name]
    else:  # the damage was to a date, a comment or a name
        unpacked = [content for content in contents(place / "out").values() if content is not None]
        assert sorted(unpacked) == sorted(FILES.values())


def test_checksum_behind_the_end_of_a_compressed_tar_is_checked(tmp_path):
    archive = pack(tmp_path / "a.tar.gz", FILES)
    damaged = bytearray(archive.read_bytes())
    damaged[-8] ^= 1
    archive.write_bytes(damaged)
    refused(archive, "CRC check failed")


def test_locked_zip_is_refused(tmp_path):
    archive = pack(tmp_path / "a.zip", {"a": b"1"})
    damaged = bytearray(archive.read_bytes())
    damaged[damaged.index(b"PK\1\2") + 8] |= 1  # the flag of an encrypted entry
    damaged[6] |= 1
    archive.write_bytes(damaged)
    refused(archive, "encrypted")


def test_tar_that_ends_with_a_zip_is_a_tar(tmp_path):
    inner = pack(tmp_path / "inner.zip", {"x": b"1"}).read_bytes()
    archive = pack(tmp_path / "a.tar", {"inner.zip": inner})
    assert contents(extract(archive, tmp_path / "out")) == {"inner.zip": inner}


@pytest.mark.parametrize("content", [b"", b"<html>Not found</html>", b"PK\3\4", bytes(2000)])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "a.zip").write_bytes(content)
    if content == bytes(2000):  # nothing but the zeros that end a tar: an empty one
        assert contents(extract(tmp_path / "a.zip", tmp_path / "out")) == {}
    else:
        refused(tmp_path / "a.zip", "no zip or tar archive, or only the start of one")


def test_missing_archive(tmp_path):
    with pytest.raises(FileNotFoundError):
        extract(tmp_path / "none.zip", tmp_path / "out")


@pytest.mark.parametrize("there", ["folder", "file", "link to nothing"])
def test_folder_that_exists_is_left_alone(tmp_path, there):
    archive, folder = pack(tmp_path / "a.zip", FILES), tmp_path / "out"
    {"folder": folder.mkdir, "file": folder.touch, "link to nothing": lambda: folder.symlink_to("none")}[there]()
    with pytest.raises(FileExistsError, match="exists already. Delete it or name another one"):
        extract(archive, folder)
    assert sorted(os.listdir(tmp_path)) == ["a.zip", "out"]


def test_folder_that_cannot_be_made(tmp_path):
    archive = pack(tmp_path / "a.zip", FILES)
    with pytest.raises(OSError, match=r"Cannot unpack .*a.zip into .*out: Not a directory. Make room there"):
        extract(archive, archive / "out")


def test_full_disk_leaves_nothing(tmp_path, monkeypatch):
    archive = pack(tmp_path / "a.zip", FILES)

    class Full(io.BytesIO):
        def write(self, _):
            raise OSError(28, "No space left on device")

    real_open = Path.open
    monkeypatch.setattr(Path, "open", lambda path, mode="r": Full() if mode == "xb" else real_open(path, mode))
    with pytest.raises(OSError, match="Cannot unpack .*: No space left on device. Make room there") as error:
        extract(archive, tmp_path / "out")
    assert error.value.errno == 28
    assert os.listdir(tmp_path) == ["a.zip"]
