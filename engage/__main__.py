"""`python -m engage worker` and `python -m engage beat`: Celery's own commands and options, in less memory.

`celery --app engage` loads all of its commands, of which the shell alone brings a terminal toolkit along; each worker
process would hold that. Nor does a worker need to check the settings, as `migrate` has: that loads every page.
"""

import os
import sys
import warnings
from typing import Final

import click

from engage.celery import app, give_back

# Celery takes these where it finds them: to colour what `celery inspect` prints, and to measure itself for debugging.
# So does requests, which anymail brings along, to guess the encoding of an answer that names none; else that is UTF-8.
IN_VAIN: Final = ("pygments", "psutil", "charset_normalizer")
WITHOUT_GUESSES: Final = "Unable to find acceptable character detection"
# It would start `celery` instead of us; what runs us in the background is systemd or `make run`.
LEFT_OUT: Final = "detach"


@click.group()
@click.pass_context
def engage(context: click.Context) -> None:
    """Run a worker or the beat. Their options are those of Celery."""
    from celery.bin.base import CLIContext  # noqa: PLC0415 -- after `main` has said what it is to do without

    context.obj = CLIContext(app=app, no_color=False, workdir=None, quiet=True)


def main() -> None:
    os.environ.setdefault("CELERY_SKIP_CHECKS", "true")
    # Early, since what is loaded from here on would leave large holes behind.
    give_back()
    for name in IN_VAIN:
        sys.modules[name] = None  # type: ignore[assignment]  # the import system's way to say that there is none
    warnings.filterwarnings("ignore", WITHOUT_GUESSES)
    from celery.bin import beat, worker  # noqa: PLC0415 -- as above

    for command in (worker.worker, beat.beat):
        command.params = [option for option in command.params if option.name != LEFT_OUT]
        engage.add_command(command)
    engage(prog_name="python -m engage", auto_envvar_prefix="CELERY")


if __name__ == "__main__":
    main()
