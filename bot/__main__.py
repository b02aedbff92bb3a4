"""The command line: ``prescreen``. Exit codes: 0 ok, 1 a problem was found, 2 usage or configuration."""

from __future__ import annotations

import argparse
import logging
import re
import sys
from collections.abc import Sequence

from bot.commands import author, desk, doctor, i18n, talk
from bot.library import BadTrials
from bot.settings import REMEDIES, BadSettings
from bot.store import BadDatabase

PROBLEM, USAGE = 1, 2


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="prescreen", description="The kind first conversation about a clinical trial."
    )
    verbs = made.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    for group in (talk, author, desk, doctor, i18n):
        group.add_to(verbs)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code. Prints no setting's value and no stack to a user."""
    options = parser().parse_args(argv)
    _log()
    try:
        return int(options.run(options) or 0)
    except BadSettings as error:
        for line in error.problems:
            print(line, file=sys.stderr)
        return USAGE
    except BadTrials as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return USAGE if options.verb in ("serve", "chat") else PROBLEM
    except BadDatabase as error:
        print(
            f"DATABASE_URL names no database that can be used ({error}). {REMEDIES['DATABASE_URL']}",
            file=sys.stderr,
        )
        return USAGE
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        sys.stderr.close()
        return 0


class _Redact(logging.Filter):
    """A second net: nothing of the shape of a bot token leaves by a log, whoever wrote it."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = _TOKEN.sub("[token]", record.getMessage()), ()
        return True


_TOKEN = re.compile(r"\d{6,}:[\w-]{8,}")


def _log() -> None:
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr
    )
    for handler in logging.getLogger().handlers:
        handler.addFilter(_Redact())
    # The HTTP client writes addresses, and the token is part of them; the machine writes where people stand.
    for name in ("httpx", "httpcore", "telegram", "alembic", "transitions"):
        logging.getLogger(name).setLevel(logging.WARNING)


if __name__ == "__main__":
    sys.exit(main())
