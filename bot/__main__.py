"""The command line: ``prescreen``. Exit codes: 0 ok, 1 a problem was found, 2 usage or configuration."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bot import logs
from bot.commands import audit, author, backup, copy, demo, desk, doctor, export, i18n, keys, purge, qr, sites, talk
from bot.library import BadTrials
from bot.settings import REMEDIES, WRONG_KEY, BadSettings
from bot.store import BadDatabase, BadKey

PROBLEM, USAGE = 1, 2


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="prescreen", description="The kind first conversation about a clinical trial."
    )
    verbs = made.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    for group in (talk, demo, author, desk, audit, sites, qr, export, copy, doctor, purge, backup, keys, i18n):
        group.add_to(verbs)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code. Prints no setting's value and no stack to a user."""
    options = parser().parse_args(argv)
    logs.begin()
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
    except BadKey as error:
        print(f"{error} {WRONG_KEY}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        sys.stderr.close()
        return 0


if __name__ == "__main__":
    sys.exit(main())
