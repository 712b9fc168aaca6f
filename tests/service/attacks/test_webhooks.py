"""Webhooks as a way into the network (SSRF): they go where an admin allowed, and nowhere else."""

from __future__ import annotations

import pytest

from tests.service.conftest import People
from waferscope.service.settings import Settings

INSIDE = [
    "http://127.0.0.1/",
    "http://127.0.0.1:8000/api/v1/users",
    "http://localhost/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://0.0.0.0/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://metadata.google.internal/",
    "http://10.0.0.1/",
    "http://192.168.0.1/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "ftp://hooks.example/",
    "javascript:alert(1)",
    "//hooks.example/",
    "hooks.example",
]
DISGUISED = [
    "https://hooks.example@127.0.0.1/",
    "https://user:password@hooks.example/",
    "https://hooks.example:22/",
    "https://hooks.example.attacker.example/",
    "https://attacker.example/hooks.example",
    "https://attacker.example#hooks.example",
    "https://attacker.example?hooks.example",
    "https://hooks.example\\@attacker.example/",
    "https://hooks.example%2eattacker.example/",
    "https://hooks.example\t.attacker.example/",
    "https://hooks.example\r\nHost: attacker.example/",
    "https://hooks.example%00.attacker.example/",
    "https://hooks.example.",
    "https://ｈｏｏｋｓ.example/",
    "https://hooks。example/",
    "https://[hooks.example]/",
    "https:///hooks.example",
    "https://hooks.example:99999/",
]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"webhook_hosts": ("hooks.example",)})


@pytest.mark.parametrize("url", [*INSIDE, *DISGUISED], ids=ascii)
def test_a_webhook_to_another_host_is_refused(people: People, url: str) -> None:
    admin = people("admin")
    answer = admin.post("/webhooks", json={"url": url, "events": ["batch.done"]})
    assert answer.status_code in {403, 422}, answer.text
    assert admin.get("/webhooks").json()["items"] == []


def test_a_webhook_to_the_allowed_host_is_made(people: People) -> None:
    body = {"url": "https://hooks.example/in?a=1", "events": ["batch.done"]}
    assert people("engineer").post("/webhooks", json=body).status_code == 201


def test_the_service_fetches_nothing_that_a_user_names(people: People) -> None:
    client = people("annotator")
    for name in ("http://127.0.0.1:9/lot.stdf", "file:///etc/passwd", "s3://bucket/lot.stdf"):
        answer = client.post(
            "/uploads",
            params={"file_name": name[:200]},
            content=name.encode(),
            headers={"Content-Type": "application/octet-stream"},
        )
        assert answer.status_code == 422, answer.text
        assert "root:" not in answer.text
