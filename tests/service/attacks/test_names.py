"""Names that lead elsewhere: in uploads, in archives, in addresses, and in answers."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from tests.service.conftest import People
from tests.service.uploads.files import stdf_lot

BENT = [
    "../../../../tmp/bent.stdf",
    "..\\..\\bent.stdf",
    "/etc/bent.stdf",
    "C:\\bent.stdf",
    "....//....//bent.stdf",
    "%2e%2e%2fbent.stdf",
    "bent\x00.stdf",
    "bent\r\nSet-Cookie: a=b.stdf",
    'bent"; filename="other.exe',
    ".",
    "..",
    "~/bent.stdf",
    "con.stdf",
    "x" * 190 + ".stdf",
]


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def check_answer(client: TestClient, upload_id: str, data: bytes) -> None:
    """The file comes back whole, under a name that a browser may save and a proxy may pass."""
    fetched = client.get(f"/uploads/{upload_id}/file")
    assert fetched.status_code == 200
    assert fetched.content == data
    header = fetched.headers["Content-Disposition"]
    assert header.startswith("attachment; ")
    plain = header.split('filename="')[1].split('"')[0]
    assert not set(plain) & set("/\\\r\n\0")
    assert plain not in {"", ".", ".."}
    assert "set-cookie" not in fetched.headers
    assert fetched.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", BENT, ids=ascii)
@pytest.mark.parametrize("form", [True, False], ids=["form", "raw"])
def test_a_file_under_a_bent_name_lands_where_all_do(
    people: People, tmp_path: Path, name: str, form: bool
) -> None:
    client, data = people("annotator"), stdf_lot(1)
    outside = files_in(tmp_path.parent) - files_in(tmp_path)
    if form:
        sent = client.post("/uploads", files={"file": (name, data)})
    else:
        sent = client.post(
            "/uploads",
            params={"file_name": name},
            content=data,
            headers={"Content-Type": "application/octet-stream"},
        )
    assert sent.status_code in {201, 422}, sent.text
    if sent.status_code == 201:
        check_answer(client, sent.json()["id"], data)
    assert not [one for one in files_in(tmp_path) if "bent" in one.rsplit("/", 1)[-1]]
    inside = {one for one in files_in(tmp_path.parent) if not one.startswith(tmp_path.name)}
    assert not [one for one in inside - outside if "bent" in one]
    assert not Path("/tmp/bent.stdf").exists()


def bent_archive(names: list[str]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as packed:
        for number, name in enumerate(names):
            packed.writestr(name, stdf_lot(1, lot=f"L{number}"))
        link = zipfile.ZipInfo("link.stdf")
        link.external_attr = 0o120777 << 16  # a symbolic link
        packed.writestr(link, "/etc/passwd")
    return sink.getvalue()


def test_members_of_an_archive_are_read_and_never_unpacked(people: People, tmp_path: Path) -> None:
    names = ["../../../../tmp/bent.stdf", "/tmp/bent2.stdf", "..\\bent3.stdf"]
    answer = people("annotator").post("/uploads", files={"file": ("a.zip", bent_archive(names))})
    assert answer.status_code in {201, 422}, answer.text
    assert "root:" not in answer.text
    assert not [one for one in files_in(tmp_path) if "bent" in one]
    assert not list(Path("/tmp").glob("bent*"))


@pytest.mark.parametrize("path", ["/wafers/{}", "/uploads/{}/file", "/lots/{}", "/predictions/{}"])
@pytest.mark.parametrize(
    "given",
    ["..", "../users", "../../etc/passwd", "....//", "/etc/passwd", "\0", "a\nb", "%2e%2e%2f"],
    ids=ascii,
)
def test_ids_are_ids_and_no_paths(people: People, path: str, given: str) -> None:
    answer = people("viewer").get(path.format(quote(given, safe="")))
    assert answer.status_code in {403, 404, 422}, answer.text
    assert "root:" not in answer.text
