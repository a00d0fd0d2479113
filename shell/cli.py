"""The command line: `duckraft [PATH]` and `duckraft tour`. Options in, exit code out.

Promises: no traceback for anything a user can do; rows alone on standard output; the exit codes of `exit_codes.py`.
Leaves to others: everything but options (`program.py`, `tour/`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from duckraft.engine.version import __version__

from . import exit_codes
from .formats import FORMATS
from .messages import bug_report, describe
from .settings import Settings


class OrderedSteps(click.Command):
    """A command that remembers in which order `-c` and `-f` were given, which click forgets across two options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, and leave the names of the given options in `ctx.meta`, in the order of the command line."""
        _, _, order = self.make_parser(ctx).parse_args(list(args))
        ctx.meta["order"] = [parameter.name for parameter in order]
        return super().parse_args(ctx, args)


@click.command(
    "duckraft",
    cls=OrderedSteps,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="duckraft tour [OPTIONS] shows what duckraft does on the flights of New York in 2013.",
)
@click.argument("path", required=False, type=click.Path())
@click.option("-c", "--command", "commands", multiple=True, metavar="SQL", help="Run SQL, then leave.")
@click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="Run a script (- for standard input), then leave.",
)
@click.option(
    "--shards",
    type=click.IntRange(min=1),
    metavar="N",
    help="Shards of a new database, for tables that name none.",
)
@click.option(
    "--format", "format_", type=click.Choice(tuple(FORMATS)), default="table", help="How rows are printed."
)
@click.option("--no-header", is_flag=True, help="Leave out the names of the columns.")
@click.option("--null", metavar="TEXT", help="The text for NULL.  [default: that of the format]")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write rows to a file.")
@click.option(
    "--on-error",
    type=click.Choice(("stop", "continue")),
    default="stop",
    help="What a script does after an error; either way the exit code tells.",
)
@click.option("--timing", is_flag=True, help="Tell how long each statement took.")
@click.option("--echo", is_flag=True, help="Show each statement before it runs.")
@click.option("-q", "--quiet", is_flag=True, help="No command tags, no greeting.")
@click.version_option(__version__, "-V", "--version", prog_name="duckraft", message="%(prog)s %(version)s")
@click.pass_context
def shell_command(
    ctx: click.Context,
    path: str | None,
    commands: tuple[str, ...],
    files: tuple[str, ...],
    shards: int | None,
    format_: str,
    no_header: bool,
    null: str | None,
    output: Path | None,
    on_error: str,
    timing: bool,
    echo: bool,
    quiet: bool,
) -> int:
    """A sharded DuckDB: open the database in the directory PATH, or an empty one in memory.

    With a terminal and neither -c nor -f, this is an interactive shell; otherwise it runs what it is given.
    Rows go to standard output, everything else to standard error.
    Exit codes: 0 fine, 1 usage or file, 2 no database, 3 SQL error, 130 interrupted.
    """
    if path == "tour":
        raise click.UsageError(
            "'tour' comes first: duckraft tour [OPTIONS]. For a directory of that name give ./tour."
        )
    from .program import Step, run_program

    remaining = {"commands": iter(commands), "files": iter(files)}
    steps = [
        Step(next(remaining[name]), is_file=name == "files")
        for name in ctx.meta["order"]
        if name in remaining
    ]
    settings = Settings(
        format=format_,
        header=not no_header,
        null=null,
        timing=timing,
        echo=echo,
        quiet=quiet,
        stop_on_error=on_error == "stop",
    )
    directory = None if path is None else Path(path)
    return _end_quietly_without_reader(lambda: run_program(directory, shards, steps, settings, output))


@click.command("tour", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--shards", type=click.IntRange(min=1), default=4, show_default=True, metavar="N", help="How many."
)
@click.option("--path", type=click.Path(path_type=Path), help="Keep the database in this new directory.")
@click.option("--no-pause", is_flag=True, help="Do not wait for Enter between chapters.")
def tour_command(shards: int, path: Path | None, no_pause: bool) -> int:
    """Show what duckraft does, on the 336,776 flights that left New York in 2013."""
    from .tour.run import run_tour

    return _end_quietly_without_reader(lambda: run_tour(shards, path, pause=not no_pause))


def run(arguments: Sequence[str]) -> int:
    """Do what the command line says and return the exit code."""
    from .running import orderly_termination

    chosen: click.Command = shell_command
    if arguments and arguments[0] == tour_command.name:
        chosen, arguments = tour_command, arguments[1:]
    try:
        with orderly_termination():
            name = "duckraft" if chosen is shell_command else "duckraft tour"
            code = chosen.main(list(arguments), prog_name=name, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return exit_codes.USAGE
    except (KeyboardInterrupt, click.Abort):
        return exit_codes.INTERRUPTED
    return int(code or 0)


def _end_quietly_without_reader(work: Callable[[], int]) -> int:
    """The exit code of `work`; if the reader of standard output goes away, that of a filter that is stopped by it."""
    try:
        return work()
    except BrokenPipeError:
        # What is left in the buffer goes nowhere, so that Python's own flush at exit does not fail again.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)
        return exit_codes.BROKEN_PIPE


def main() -> None:
    """The entry point `duckraft`."""
    try:
        code = run(sys.argv[1:])
    except Exception as error:
        click.echo(describe(bug_report(error)), err=True)
        code = exit_codes.BUG
    sys.exit(code)
