"""What we install is what was pinned: hashes for everything, a changed wheel refused, and a list of what runs."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PINNED = re.compile(r"^([a-z0-9][a-z0-9.-]*)(?:\[[^\]]+\])?==(\S+)", re.MULTILINE)


def pinned(name: str) -> dict[str, str]:
    return dict(PINNED.findall((ROOT / name).read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_everything_that_is_installed_has_its_hashes(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert len(lines) == len(pinned(name)) > 50
    for line in lines:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", line), line[:60]
    assert "--require-hashes" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_what_runs_is_among_what_is_tested() -> None:
    assert pinned("requirements.txt").items() <= pinned("requirements-dev.txt").items()


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel as any other, of one module."""
    files = {
        "harmless.py": b"VALUE = 1\n",
        "harmless-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: harmless\nVersion: 1.0\n",
        "harmless-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: us\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip('=')},{len(data)}\n"
        for name, data in files.items()
    )
    (tmp_path / "shelf").mkdir()
    path = tmp_path / "shelf" / "harmless-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as made:
        for name, data in files.items():
            made.writestr(name, data)
        made.writestr("harmless-1.0.dist-info/RECORD", record + "harmless-1.0.dist-info/RECORD,,\n")
    return path


def install(wheel: Path, wanted: Path, to: Path) -> subprocess.CompletedProcess[str]:
    how = [
        "--isolated",
        "install",
        "--no-index",
        "--no-cache-dir",
        "--disable-pip-version-check",
        "--require-hashes",
    ]
    where = ["--find-links", str(wheel.parent), "--target", str(to), "-r", str(wanted)]
    return subprocess.run([sys.executable, "-m", "pip", *how, *where], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_tampered_wheel_is_refused(wheel: Path, tmp_path: Path) -> None:
    wanted = tmp_path / "requirements.txt"
    wanted.write_text(f"harmless==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
    done = install(wheel, wanted, tmp_path / "good")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "good" / "harmless.py").read_text() == "VALUE = 1\n"

    with zipfile.ZipFile(wheel, "a") as changed:  # still a wheel that installs without a word
        changed.writestr("harmless_too.py", "VALUE = 2\n")
    done = install(wheel, wanted, tmp_path / "bad")
    assert done.returncode != 0 and "DO NOT MATCH THE HASHES" in done.stderr
    assert not (tmp_path / "bad" / "harmless.py").exists()

    wanted.write_text("harmless==1.0\n")
    assert install(wheel, wanted, tmp_path / "unpinned").returncode != 0, "a requirement without a hash was taken"


@pytest.mark.slow
def test_the_list_of_what_runs_is_complete() -> None:
    done = subprocess.run(["make", "sbom"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    listed = json.loads((ROOT / "var" / "sbom.cdx.json").read_text(encoding="utf-8"))
    assert listed["bomFormat"] == "CycloneDX" and listed["metadata"]["component"]["name"] == "prescreen"
    found = {part["name"]: part["version"] for part in listed["components"]}
    assert found == pinned("requirements.txt")
    assert not subprocess.run(["git", "ls-files", "var"], cwd=ROOT, capture_output=True, check=True).stdout
