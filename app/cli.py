"""The `florin` command. What a command needs is imported when it runs: `--help` answers at once."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.console import Steps, complain, say
from app.errors import OperatorError
from db.errors import DatabaseUnavailable, RedisUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.place import Place
    from app.settings import Settings

cli = typer.Typer(
    name="florin",
    help="Florin: a personal-finance backend that you run yourself.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

holds = typer.Typer(help="Legal holds: what retention and erasure must leave alone.", no_args_is_help=True)
cli.add_typer(holds, name="holds")
upkeep = typer.Typer(help="What workers do every night, done now; with --dry-run only told.", no_args_is_help=True)
cli.add_typer(upkeep, name="upkeep")
audit = typer.Typer(help="The audit trail.", no_args_is_help=True)
cli.add_typer(audit, name="audit")
keys = typer.Typer(help="The key ring, under which every user's data key is.", no_args_is_help=True)
cli.add_typer(keys, name="keys")
rates = typer.Typer(help="Exchange rates, by which transfers across currencies are found.", no_args_is_help=True)
cli.add_typer(rates, name="rates")

Data = Annotated[Path, typer.Option("--data", envvar="FLORIN_DATA", metavar="DIR", help="Folder of the embedded servers.")]
Host = Annotated[str, typer.Option("--host", envvar="FLORIN_HOST", help="Address to listen on.")]
Port = Annotated[int, typer.Option("--port", envvar="FLORIN_PORT", min=1, max=65535, help="Port to listen on.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")]
DATA = Path(".florin")


@cli.command()
def run(
    data: Data = DATA,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    demo: Annotated[bool, typer.Option("--demo/--no-demo", help="Whether to make the demo's users.")] = True,
) -> None:
    """Run everything on this machine: database, API and worker, with a demo to try. Ctrl-C stops all of it."""
    from app.supervisor import run

    raise typer.Exit(run(data, host, port, demo=demo))


@cli.command()
def serve(data: Data = DATA, host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Run one API process."""
    from app.place import open_place
    from app.serving import serve
    from app.supervisor import open_port

    with open_port(host, port) as listener, Steps(1) as steps, open_place(data, steps.note) as place:
        _prepare(place, steps)
        steps.done()
        from app.asgi import app

        serve(app, place.settings, listener)


@cli.command()
def worker(data: Data = DATA) -> None:
    """Run one worker process."""
    from app.place import open_place

    with Steps(1) as steps, open_place(data, steps.note) as place:
        _prepare(place, steps)
        steps.done()
        from app.worker import main

        raise typer.Exit(main())


@cli.command()
def migrate(data: Data = DATA) -> None:
    """Bring the database to the newest schema, as its owner."""
    from app.errors import SettingsInvalid
    from app.place import open_place

    with Steps(1) as steps, open_place(data, steps.note) as place:
        if place.settings.database_owner_dsn is None:
            raise SettingsInvalid("FLORIN_DATABASE_OWNER_DSN is not set.")
        steps.step("migrating")
        moved = place.migrate()
    say(f"migrated: {', '.join(moved)}" if moved else "nothing to migrate")


@cli.command()
def hypertable(data: Data = DATA) -> None:
    """Make transactions a hypertable of TimescaleDB, as their owner. Nobody reaches them meanwhile: stop API and workers first."""
    from app.errors import SettingsInvalid
    from app.place import open_place
    from migrations.hypertable import HypertableRefused, make_hypertable

    with Steps(1) as steps, open_place(data, steps.note) as place:
        dsns = place.settings.dsns()
        if dsns.owner is None:
            raise SettingsInvalid("FLORIN_DATABASE_OWNER_DSN is not set.")
        steps.step("moving transactions")
        try:
            made = asyncio.run(make_hypertable(dsns.of("transaction", "owner")))
        except HypertableRefused as refused:
            raise OperatorError(str(refused)) from refused
    say("transactions are a hypertable" if made else "transactions are a hypertable already")


@cli.command()
def seed(data: Data = DATA) -> None:
    """Make the demo's users, with two years of what they earned and spent. Changes nothing when they are there."""
    from app.operator import make_demo
    from app.place import open_place

    with Steps(2) as steps, open_place(data, steps.note) as place:
        _prepare(place, steps)
        steps.step("preparing the demo")
        asyncio.run(make_demo(place.settings))
    say("the demo is there")


@cli.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True, help="OFX, QFX or CSV.")],
    email: Annotated[str, typer.Option("--email", help="Whose statement it is.")],
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            "-o",
            metavar="NAME=VALUE",
            help="How to read it where it does not say so itself, as often as needed: currency, account_id, account_name, account_type, "
            "invert_amounts; for CSV also delimiter, encoding, date_order (DMY, MDY, YMD), decimal_separator, "
            "and columns.ROLE=HEADER or its number, such as columns.date=Booked.",
        ),
    ] = None,
    data: Data = DATA,
) -> None:
    """Import a bank's statement. Importing it again adds nothing."""
    from app.operator import import_file, read_options
    from app.place import open_place

    options = read_options(option or [])
    with Steps(2) as steps, open_place(data, steps.note) as place:
        _prepare(place, steps)
        steps.step(f"importing {file.name}")
        outcome = asyncio.run(import_file(place.settings, file, email, options))
    say(outcome)


@cli.command()
def token(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="Whose session to open.")],
    data: Data = DATA,
) -> None:
    """Print a bearer token for a user, on the machine's authority: no password is asked."""
    from app.operator import open_session
    from app.place import open_place

    with Steps(1) as steps, open_place(data, steps.note) as place:
        _prepare(place, steps)
        opened = asyncio.run(open_session(place.settings, email))
    say(opened)


@audit.command("verify")
def verify(
    email: Annotated[str | None, typer.Option("--email", help="Only this user's part of the trail. By default all of it.")] = None,
    data: Data = DATA,
) -> None:
    """Check that nothing in the audit trail was changed, taken out or put in. Exit code 1 tells of the first place that does not hold."""
    from app.operator import verify_trail
    from app.place import open_place

    with Steps(2) as steps, open_place(data, steps.note) as place:
        _prepare(place, steps)
        steps.step("checking the audit trail")
        found = asyncio.run(verify_trail(place.settings, email))
    say(found)


@keys.command("list")
def list_keys(data: Data = DATA) -> None:
    """List the ring's keys by their ids, and how many users' data keys each wraps. Never a key."""
    from app.keys import list_keys
    from app.place import open_place

    with Steps(1) as steps, open_place(data, steps.note) as place:
        _prepare(place, steps)
        found = asyncio.run(list_keys(place.settings))
    say(found)


@keys.command("add")
def add_key(data: Data = DATA) -> None:
    """Make a new key and have it wrap new data keys, where the ring is a file. Processes that run see it by themselves."""
    from app.keys import add_key
    from app.place import open_place

    with Steps(1) as steps, open_place(data, steps.note) as place:
        _prepare(place, steps)
        added = add_key(place.settings)
    say(added)


@keys.command("rotate")
def rotate_keys(data: Data = DATA) -> None:
    """Wrap every user's data key anew by the ring's first key. It may be stopped and run again; requests go on meanwhile."""
    from app.keys import rotate_keys
    from app.place import open_place

    with Steps(2) as steps, open_place(data, steps.note) as place:
        _prepare(place, steps)
        steps.step("wrapping data keys anew")
        rotated = asyncio.run(rotate_keys(place.settings))
    say(rotated)


@keys.command("drop")
def drop_key(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `florin keys list` names it.")],
    data: Data = DATA,
) -> None:
    """Take a key that wraps nothing off the ring, where that is a file."""
    from app.keys import drop_key
    from app.place import open_place

    with Steps(1) as steps, open_place(data, steps.note) as place:
        _prepare(place, steps)
        dropped = asyncio.run(drop_key(place.settings, key_id))
    say(dropped)


@cli.command()
def requests(data: Data = DATA) -> None:
    """List the open requests of people for a copy of their data, or for its deletion, the oldest first."""
    from app.operator import list_requests
    from app.place import open_place

    with Steps(1) as steps, open_place(data, steps.note) as place:
        _prepare(place, steps)
        found = asyncio.run(list_requests(place.settings))
    say(found)


@cli.command()
def export(
    email: Annotated[str, typer.Option("--email", help="Whose data.")],
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="A zip that is not there yet.")],
    csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values instead of JSON.")] = False,
    data: Data = DATA,
) -> None:
    """Write all that is stored of a user to a file, for them. It leaves entries in their audit trail."""
    from app.operator import export_data
    from app.place import open_place

    with Steps(2) as steps, open_place(data, steps.note) as place:
        _prepare(place, steps)
        steps.step("exporting")
        told = asyncio.run(export_data(place.settings, email, to, "csv" if csv else "json"))
    say(told)


@upkeep.command("retention")
def upkeep_retention(dry_run: DryRun = False, data: Data = DATA) -> None:
    """Let go what no policy keeps any more, whatever FLORIN_RETENTION says."""
    from app.upkeep import retention

    say(_kept_up(retention, data, dry_run=dry_run))


@upkeep.command("orphans")
def upkeep_orphans(dry_run: DryRun = False, data: Data = DATA) -> None:
    """Delete rows whose parent is in another domain and gone."""
    from app.upkeep import orphans

    say(_kept_up(orphans, data, dry_run=dry_run))


@upkeep.command("partitions")
def upkeep_partitions(dry_run: DryRun = False, data: Data = DATA) -> None:
    """Make the partitions that will be needed, and drop those that are over and empty."""
    from app.upkeep import partitions

    say(_kept_up(partitions, data, dry_run=dry_run))


@upkeep.command("summaries")
def upkeep_summaries(dry_run: DryRun = False, data: Data = DATA) -> None:
    """Hold the months' sums against the transactions; workers fold anew those that differ."""
    from app.upkeep import summaries

    say(_kept_up(summaries, data, dry_run=dry_run))


@rates.command("import")
def import_rates(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True, help="The European Central Bank's eurofxref-hist.csv."),
    ],
    data: Data = DATA,
) -> None:
    """Take in exchange rates: all of the file, or nothing of it. Done again, it changes nothing."""
    from app.place import open_place
    from app.rates import read_file, store_rates

    found = read_file(file)
    with Steps(2) as steps, open_place(data, steps.note) as place:
        _prepare(place, steps)
        steps.step(f"importing {file.name}")
        told = asyncio.run(store_rates(place.settings, found))
    say(told)


@holds.command("list")
def list_holds(data: Data = DATA) -> None:
    """The holds in force, the oldest first: id, whose data, since when, by whom, why."""
    from app.upkeep import list_holds

    say(_asked(list_holds, data))


@holds.command("place")
def place_hold(
    reason: Annotated[str, typer.Option("--reason", help="Why the data must be kept.")],
    email: Annotated[str | None, typer.Option("--email", help="Whose data must be kept.")] = None,
    user: Annotated[str | None, typer.Option("--user", metavar="ID", help="By id, also of an account that ended.")] = None,
    everybody: Annotated[bool, typer.Option("--everybody", help="Everybody's data must be kept.")] = False,
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who says so. By default this machine's user.")] = None,
    data: Data = DATA,
) -> None:
    """Keep somebody's data, or everybody's, from retention and erasure until the hold is released."""
    from app.upkeep import NewHold, place_hold

    asked = NewHold(reason, email, user, by, everybody=everybody)
    say(_asked(lambda settings: place_hold(settings, asked), data))


@holds.command("release")
def release_hold(
    hold: Annotated[str, typer.Argument(metavar="ID", help="As `florin holds list` shows it.")],
    data: Data = DATA,
) -> None:
    """Release a hold. What only it has kept goes with the next retention."""
    from app.upkeep import release_hold

    say(_asked(lambda settings: release_hold(settings, hold), data))


@cli.command()
def secrets() -> None:
    """Print a new key ring and secret, for an installation on servers of your own. Keep them: they open what is encrypted."""
    from app.place import make_secret
    from domains.user.keys import generate_key

    say(f"FLORIN_KEYRING={generate_key()}\nFLORIN_SECRET={make_secret()}")


@cli.command()
def doctor(
    data: Data = DATA,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per finding and line.")] = False,
) -> None:
    """Look at everything that this installation needs, and change nothing. Exit code 1 when something must be put right."""
    from app.doctor import examine, is_healthy, report
    from app.place import open_place

    with Steps(1) as steps, open_place(data, steps.note) as place:
        findings = asyncio.run(examine(place.settings))
        steps.done()
    report(findings, as_json=as_json)
    raise typer.Exit(0 if is_healthy(findings) else 1)


@cli.command()
def simulate(
    provider: Annotated[Literal["plaid", "tink", "open_banking"], typer.Argument(metavar="PROVIDER", help="plaid, tink or open_banking.")],
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port of 127.0.0.1 to listen on; 0 for any that is free.")] = 8100,
    seed: Annotated[int, typer.Option("--seed", help="Which customer it has: the same seed, the same accounts and purchases.")] = 1,
    faults: Annotated[float, typer.Option("--faults", metavar="RATE", min=0, max=1, help="How often a request goes wrong.")] = 0.0,
    every: Annotated[float, typer.Option("--every", metavar="SECONDS", min=0.1, max=86400, help="How often something happens.")] = 5.0,
) -> None:
    """Run a bank that does not exist behind a provider's API, to try linking. It prints the settings that lead to it."""
    from app.simulators.live import simulate

    simulate(provider, port, seed, faults, every)


@cli.command()
def schema() -> None:
    """Print the GraphQL schema (SDL)."""
    from resolvers.schema import export_sdl

    sys.stdout.write(export_sdl().rstrip("\n") + "\n")


def _kept_up(task: "Callable[..., Awaitable[str]]", data: Path, *, dry_run: bool) -> str:
    """What a task of upkeep tells an operator."""
    return _asked(lambda settings: task(settings, dry_run=dry_run), data)


def _asked(ask: "Callable[[Settings], Awaitable[str]]", data: Path) -> str:
    from app.place import open_place

    async def answer(settings: "Settings") -> str:
        return await ask(settings)

    with Steps(2) as steps, open_place(data, steps.note) as place:
        _prepare(place, steps)
        steps.step("working")
        return asyncio.run(answer(place.settings))


def _prepare(place: "Place", steps: Steps) -> None:
    """Logs go to stderr: stdout is for the result. The embedded database is migrated; an operator's own is with `florin migrate`."""
    from app.logging import configure

    configure(place.settings)
    if place.embedded is not None:
        steps.step("migrating")
        place.migrate()


def main() -> None:
    """The command's entry point: what an operator can put right is one message and exit code 1."""
    try:
        cli()
    except OperatorError as error:
        complain(str(error))
        sys.exit(1)
    except (DatabaseUnavailable, RedisUnavailable) as error:
        server = "Redis" if isinstance(error, RedisUnavailable) else "Postgres"
        complain(f"{server} cannot be reached, or was lost on the way. Try again when it is there: nothing is done twice.")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
