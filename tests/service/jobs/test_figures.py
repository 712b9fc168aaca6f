"""What a worker counted can be asked for, by those who may, where a port was named."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from typing import Any

import pytest
from pydantic import SecretStr

from tests.service.jobs.conftest import eventually, working
from waferscope.errors import ConfigError
from waferscope.service.jobs.figures import showing
from waferscope.service.parts import Parts


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def with_port(house: Parts, port: int, **more: Any) -> Parts:
    settings = house.settings.model_copy(update={"worker_metrics_port": port, **more})
    return Parts(**{**vars(house), "settings": settings})


def scrape(port: int, **headers: str) -> str:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers=headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return str(answer.read().decode())


def answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def test_a_worker_shows_what_it_predicted(house: Parts) -> None:
    port = free_port()
    with working(with_port(house, port)):
        house.figures.predictions.labels("Center", "0.0.1").inc(3)
        eventually(lambda: answers(port))
        assert 'waferscope_predictions_total{label="Center",model="0.0.1"} 3.0' in scrape(port)
    assert not answers(port)


def test_figures_of_a_worker_may_be_behind_the_token(house: Parts) -> None:
    port = free_port()
    with showing(with_port(house, port, metrics_token=SecretStr("let me see"))):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            scrape(port)
        assert "waferscope_predictions" in scrape(port, Authorization="Bearer let me see")


def test_without_a_port_nothing_is_shown_and_a_taken_one_is_refused(house: Parts) -> None:
    with showing(with_port(house, 0)):
        pass
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        with (
            pytest.raises(ConfigError, match=f"free WAFERSCOPE_WORKER_METRICS_PORT, got .*{port}"),
            showing(with_port(house, port)),
        ):
            pass
