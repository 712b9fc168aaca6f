"""``waferscope admin``: people, keys, backup and check, for whoever runs the machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from waferscope.cli import console
from waferscope.cli.service import require_service

if TYPE_CHECKING:
    from waferscope.service.parts import Parts

app = typer.Typer(
    help="Run an installation.\n\nExample: waferscope admin check", no_args_is_help=True
)


@app.callback()
def _group() -> None:
    """Run an installation: on its machine, with its settings, without logging in.

    Example: waferscope admin check
    """


def _open(*, migrated: bool = True) -> Parts:
    require_service()
    from waferscope.service.migrate import require_newest
    from waferscope.service.parts import open_parts
    from waferscope.service.settings import load_settings

    house = open_parts(load_settings())
    if migrated:
        require_newest(house.records.engine)
    return house


@app.command("create-user")
def create_user(
    name: Annotated[str, typer.Argument(help="What the user logs in with.")],
    role: Annotated[str, typer.Option(help="viewer, annotator, engineer or admin.")] = "viewer",
    email: Annotated[str | None, typer.Option(help="Where the user is reached.")] = None,
) -> None:
    """Create a user; the last line printed is the one-time password.

    Example: waferscope admin create-user ada --role engineer
    """
    house = _open()
    from waferscope.service.auth.identity import SYSTEM
    from waferscope.service.people import make_user

    with house.records.writing() as session:
        made = make_user(session, SYSTEM, name=name, role=role, email=email)
    console.print_line(f"user {made.name}, role {made.role}, one-time password:")
    console.print_line(made.one_time_password or "")


@app.command("reset-password")
def reset_password(
    name: Annotated[str, typer.Argument(help="Name of the user.")],
) -> None:
    """Give a user a one-time password and end every login; the last line printed is it.

    Example: waferscope admin reset-password ada
    """
    house = _open()
    from waferscope.service.auth.identity import SYSTEM
    from waferscope.service.people import renew_password

    with house.records.writing() as session:
        made = renew_password(session, SYSTEM, name)
    console.print_line(f"user {made.name}, one-time password:")
    console.print_line(made.one_time_password or "")


@app.command("create-key")
def create_key(
    user: Annotated[str, typer.Argument(help="Name of the user whom the key acts for.")],
    name: Annotated[str, typer.Option(help="What the key is for.")] = "command line",
    role: Annotated[str, typer.Option(help="At most the role of the user.")] = "annotator",
    scope: Annotated[
        list[str] | None,
        typer.Option(help="What it opens, as wafers or wafers:read; all if left out. Repeatable."),
    ] = None,
    days: Annotated[int, typer.Option(help="How many days it is good for.", min=1)] = 365,
) -> None:
    """Create an API key; the last line printed is it.

    Example: waferscope admin create-key ada --scope wafers --scope lots:read
    """
    house = _open()
    from waferscope.service.auth.identity import SYSTEM
    from waferscope.service.people import make_key

    wanted = {"name": name, "role": role, "scopes": scope or ["*"], "days": days}
    with house.records.writing() as session:
        made = make_key(session, SYSTEM, user, wanted)
    console.print_line(f"key {made.id} of {user}, good until {made.expires_at}:")
    console.print_line(made.key or "")


@app.command("backup")
def backup(
    path: Annotated[Path, typer.Argument(help="File to be written; it must not be there yet.")],
) -> None:
    """Write records, jobs and blobs into one file, while the service goes on.

    Example: waferscope admin backup waferscope-backup.tar
    """
    house = _open()
    from waferscope.service.upkeep.backup import back_up

    counts = back_up(house, path)
    console.print_line(f"{counts['rows']} rows and {counts['blobs']} blobs")
    console.print_line(str(path))


@app.command("restore")
def restore(
    path: Annotated[Path, typer.Argument(help="A file that `backup` wrote.")],
) -> None:
    """Fill an empty installation from a backup, whichever database it came from.

    Example: waferscope admin restore waferscope-backup.tar
    """
    house = _open(migrated=False)
    from waferscope.service.upkeep.backup import restore as fill

    counts = fill(house, path)
    console.print_line(f"{counts['rows']} rows and {counts['blobs']} blobs")


@app.command("check")
def check(
    mend: Annotated[
        bool, typer.Option("--mend", help="Delete the blobs that no record speaks of.")
    ] = False,
) -> None:
    """Look for records without their blob and blobs without a record; code 1 if there are any.

    Blobs younger than an hour may still get their record, and are left alone.

    Example: waferscope admin check
    """
    house = _open()
    from waferscope.service.upkeep.check import check as compare

    found = compare(house, mend=mend)
    for name in found.missing:
        console.print_line(f"missing blob: {name}")
    for name in found.orphans:
        console.print_line(f"{'deleted' if mend else 'orphan'} blob: {name}")
    console.print_line(f"{found.rows} blobs recorded, {found.blobs} kept")
    if found.missing or (found.orphans and not mend):
        raise typer.Exit(1)
