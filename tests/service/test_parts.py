"""The parts: opened by their settings, closed together."""

from __future__ import annotations

import asyncio
from pathlib import Path

from waferscope.service.parts import open_parts
from waferscope.service.settings import Settings


def test_opening_makes_folders_but_no_database(tmp_path: Path) -> None:
    house = open_parts(Settings(home=tmp_path / "home"))
    assert (tmp_path / "home").is_dir()
    assert not (tmp_path / "home" / "records.db").exists()
    asyncio.run(house.close())


def test_nothing_is_made_where_all_is_elsewhere(tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path / "home",
        records_url="postgresql://nobody@127.0.0.1:9/none",
        blobs_url=(tmp_path / "blobs").as_uri(),
        cache_url="redis://127.0.0.1:9/0",
    )
    house = open_parts(settings)
    assert not (tmp_path / "home").exists()
    asyncio.run(house.close())


def test_everything_is_closed(settings: Settings) -> None:
    house = open_parts(settings)
    house.records.ping()
    assert house.queue.state("job_none") is None
    asyncio.run(house.close())
    assert house.records.engine.pool.checkedin() == 0  # type: ignore[attr-defined]
