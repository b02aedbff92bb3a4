"""From `git clone` to the first question: the seconds a stranger waits for `make demo`, its end and its next start.

.venv/bin/python -m benchmarks.first_question             # with the packages that pip has cached
.venv/bin/python -m benchmarks.first_question --no-cache  # every package fetched anew
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parent.parent
FIRST = "Which language suits you?"
ALONE = re.compile(r"PATH|HOME|LANG|PIP_\w+|\w+_PROXY|SSL_CERT_FILE", re.IGNORECASE)
"""What a stranger's shell has, and nothing of ours."""


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--no-cache", action="store_true")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        begun = time.monotonic()
        clone = Path(folder) / "prescreen"
        _run("git", "clone", "--quiet", str(ROOT), str(clone))
        print(f"cloned after {time.monotonic() - begun:.1f} s")
        environment = {name: value for name, value in os.environ.items() if ALONE.fullmatch(name)}
        environment |= {"PIP_NO_CACHE_DIR": "1"} if chosen.no_cache else {}
        demo = _demo(clone, port, environment)
        cached = "nothing" if chosen.no_cache else "packages"
        print(f"first question after {_asks(demo, port) - begun:.1f} s, with {cached} cached")
        print(f"Ctrl-C: over after {_ends(demo):.1f} s, with {_leads(clone)} leads")
        again = time.monotonic()
        demo = _demo(clone, port, environment)
        print(f"second start: first question after {_asks(demo, port) - again:.1f} s")
        second = subprocess.run(
            ["make", "demo", f"PORT={port}"],
            cwd=clone,
            env=environment,
            text=True,
            capture_output=True,
            check=False,
        )
        print("third start beside it:", second.stderr.splitlines()[0])
        print(f"Ctrl-C: over after {_ends(demo):.1f} s, with {_leads(clone)} leads")
    return 0


def _demo(clone: Path, port: int, environment: dict[str, str]) -> subprocess.Popen[str]:
    """``make demo`` as a shell runs it: a process group of its own, that Ctrl-C reaches as a whole."""
    words = ["make", "--silent", "demo", f"PORT={port}"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(words, cwd=clone, env=environment, text=True, start_new_session=True, **pipes)  # type: ignore[call-overload, no-any-return]


def _asks(demo: subprocess.Popen[str], port: int) -> float:
    """When somebody with a browser can read the first question."""
    while demo.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/chat", timeout=5) as answer:
                if FIRST in answer.read().decode():
                    return time.monotonic()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise SystemExit(demo.stdout.read() if demo.stdout else "it ended")


def _ends(demo: subprocess.Popen[str]) -> float:
    begun = time.monotonic()
    os.killpg(demo.pid, signal.SIGINT)
    told = demo.communicate(timeout=30)[0]
    if re.search(r"Traceback|CRITICAL|ERROR", told):
        raise SystemExit(told)
    return time.monotonic() - begun


def _leads(clone: Path) -> int:
    words = [str(clone / ".venv/bin/prescreen"), "leads", "--json"]
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": "sqlite:///var/demo.db"}
    done = subprocess.run(words, cwd=clone, env=environment, text=True, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return len(re.findall(r'"reference": "K-\d{4}"', done.stdout))


def _run(*words: str) -> None:
    subprocess.run(words, check=True)


if __name__ == "__main__":
    if shutil.which("make") is None or shutil.which("git") is None:
        raise SystemExit("This needs git and make.")
    sys.exit(main())
