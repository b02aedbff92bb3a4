"""A disk under SQLite that fails as disks do: it loses what was not synced, is full, read-only, or cannot sync.

It is a thin layer (a VFS) in the very SQLite library that Python's ``sqlite3`` uses, made with ctypes: nothing is
compiled. ``with FaultyDisk(folder) as disk:`` makes it SQLite's default; every database, rollback journal and
write-ahead log that is opened below ``folder`` from then on lives on it, and other files are left alone. Open no
database in the folder before that, and close those you opened inside it.

The model of a power cut:

* A file has contents that are safe (as of its last sync) and operations since then, writes and truncations, in
  order. A sync makes all of them safe. That a write is in the file for every process to read says nothing of it.
* Names are a thing of their own, as in POSIX: that a file was made or deleted is safe only once its folder was
  synced. SQLite syncs the folder with the first sync of a journal or log that it made, and on
  deletions where it asks for it; syncing the database file does not save its name.
* ``image`` is what a machine would find after the power came back. ``none``: only what is safe. ``all``: the
  operations since, too. ``half``: every unsafe write is there, not there, or torn at sectors of 512 bytes, some of
  which are there; an unsafe truncation or change of name has happened or not. Parts of a sector that a write did not
  touch stay whole (SQLite's "powersafe overwrite", which it takes for granted).
* After a sync that failed, what it was to save will never be safe, although a later sync succeeds: so does Linux.
* The shared memory (-shm) is no part of it: SQLite makes it anew. Temporary files are none either.

A full disk is stricter than a real one: it takes no write at all, not even over bytes that are there already.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import os
import random
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from ctypes import Structure, byref, c_char_p, c_int, c_int64, c_void_p, cast, sizeof
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Keep = Literal["none", "all", "half"]

OK, FULL, IOERR, IOERR_WRITE, IOERR_FSYNC, IOERR_TRUNCATE, IOERR_DELETE = 0, 13, 10, 778, 1034, 1546, 2570
OPEN_READONLY, OPEN_READWRITE, OPEN_CREATE = 0x1, 0x2, 0x4
OPEN_MAIN_DB, OPEN_MAIN_JOURNAL, OPEN_WAL = 0x100, 0x800, 0x80000
SECTOR = 512


class NotReachable(Exception):
    """Python's SQLite cannot be reached from outside: it is linked statically, with its names hidden."""


class _File(Structure):
    _fields_ = (("methods", c_void_p),)


class _Methods(Structure):
    """sqlite3_io_methods, version 3."""

    _fields_ = (("version", c_int), *((name, c_void_p) for name in (
        "close", "read", "write", "truncate", "sync", "size", "lock", "unlock", "check_lock", "control",
        "sector_size", "characteristics", "shm_map", "shm_lock", "shm_barrier", "shm_unmap", "fetch", "unfetch",
    )))  # fmt: skip


_VERSIONS = {1: _Methods.shm_map.offset, 2: _Methods.fetch.offset, 3: sizeof(_Methods)}
"""How much of the table each version of it has."""


class _Vfs(Structure):
    """sqlite3_vfs, version 3."""

    _fields_ = (
        ("version", c_int), ("file_size", c_int), ("longest_path", c_int), ("next", c_void_p), ("name", c_char_p),
        *((name, c_void_p) for name in (
            "data", "open", "delete", "access", "full_path", "dl_open", "dl_error", "dl_sym", "dl_close",
            "randomness", "sleep", "time", "last_error", "time64", "set_call", "get_call", "next_call",
        )),
    )  # fmt: skip


_Open = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
_Delete = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_int)
_Close = ctypes.CFUNCTYPE(c_int, c_void_p)
_Write = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_Truncate = ctypes.CFUNCTYPE(c_int, c_void_p, c_int64)
_Sync = ctypes.CFUNCTYPE(c_int, c_void_p, c_int)

_ALIVE: list[Any] = []
"""What C still points to. A connection may outlive the disk, so nothing is ever let go."""


@dataclass(eq=False)
class _Inode:
    """A file, whatever its name is."""

    safe: bytearray = field(default_factory=bytearray)
    since: list[tuple[int, bytes | None]] = field(default_factory=list)
    """Where, and what was written there; None: the file was cut off there."""
    saves_names: bool = False
    """Its next sync also syncs the folder."""


class FaultyDisk:
    """The disk below one folder. Its methods may be called at any time, from any thread."""

    def __init__(self, folder: Path, safe: dict[str, bytes] | None = None) -> None:
        """``safe``: what of the files that are there is safe, as an image, if not all of it: a process was killed.

        Raises NotReachable.
        """
        self.folder = folder.resolve()
        self._library, self._left = _library(), safe
        self.changes = self.refused = 0
        """How many writes, truncations, syncs and deletions came so far, and how many of them failed."""
        self.before: Callable[[], None] | None = None
        """Called before every write, truncation, sync and deletion; it may take an image, but not use a database."""
        self.problems: list[BaseException] = []
        """Errors of this layer itself; they are raised when the disk is left."""
        self._lock = threading.RLock()
        self._names: dict[str, _Inode] = {}
        self._safe_names: dict[str, _Inode] = {}
        self._open: dict[int, _Inode] = {}
        self._leaving = ExitStack()
        self._room: int | None = None
        self._read_only = self._no_sync = False
        self._real_of: dict[int, _Methods] = {}
        self._patched: dict[int, _Methods] = {}

    # ------------------------------------------------------------------ faults

    def full_after(self, writes: int) -> None:
        """The n-th write from now is cut short, and it and all later ones fail, until ``freed``."""
        self._room = writes

    def freed(self) -> None:
        self._room = None

    def fsync_fails(self) -> None:
        """Until ``mended``."""
        self._no_sync = True

    def read_only(self) -> None:
        """As a file system that the kernel made read-only: open files take no write, new ones only open to read."""
        self._read_only = True

    def mended(self) -> None:
        self._no_sync = self._read_only = False

    # ------------------------------------------------------------------ power cuts

    def image(self, keep: Keep = "none", seed: int = 0) -> dict[str, bytes]:
        """The files as they would be after a power cut now, by their names in the folder."""
        chance = random.Random(seed)
        with self._lock:
            if keep == "half":
                names = {}
                for name in sorted({*self._names, *self._safe_names}):
                    inode = chance.choice((self._names, self._safe_names)).get(name)
                    if inode is not None:
                        names[name] = inode
            else:
                names = self._names if keep == "all" else self._safe_names
            return {
                os.path.relpath(name, self.folder): bytes(_after_cut(inode, keep, chance))
                for name, inode in names.items()
            }

    # ------------------------------------------------------------------ as SQLite sees it

    def __enter__(self) -> FaultyDisk:
        library = self._library
        real_at = library.sqlite3_vfs_find(None)
        real = _Vfs.from_address(real_at)
        assert real.version >= 3, "a file layer from before 2010"
        mine = _Vfs.from_buffer_copy(real)
        mine.name, mine.next = b"faulty", None
        real_open, real_delete = _Open(real.open), _Delete(real.delete)

        def opens(_vfs: int, name: int | None, file: int, flags: int, out: int | None) -> int:
            path = os.fsdecode(ctypes.string_at(name)) if name else ""
            with self._trying() as done:
                if not self._is_ours(path, flags):
                    return int(real_open(real_at, name, file, flags, out))
                if self._read_only:
                    flags = flags & ~(OPEN_READWRITE | OPEN_CREATE) | OPEN_READONLY
                with self._lock:
                    known = self._names.get(path) or self._find(path)
                    done.code = real_open(real_at, name, file, flags, out)
                    if done.code == OK:
                        self._opened(path, file, flags, known)
            return done.code

        def deletes(_vfs: int, name: int, sync_folder: int) -> int:
            path = os.fsdecode(ctypes.string_at(name))
            with self._trying() as done, self._lock:
                if path in self._names:
                    self._comes()
                    if self._read_only:
                        return self._refuse(IOERR_DELETE)
                done.code = real_delete(real_at, name, sync_folder)
                if done.code == OK and self._names.pop(path, None) is not None and sync_folder:
                    self._safe_names = dict(self._names)
            return done.code

        mine.open, mine.delete = _lend(_Open, opens), _lend(_Delete, deletes)
        _ALIVE.append(mine)
        library.sqlite3_vfs_register(byref(mine), 1)
        self._leaving.callback(_put_back, library, mine, real_at)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._leaving.close()
        if self.problems and kind is None:
            raise self.problems[0]

    def _is_ours(self, path: str, flags: int) -> bool:
        return bool(flags & (OPEN_MAIN_DB | OPEN_MAIN_JOURNAL | OPEN_WAL)) and Path(path).is_relative_to(
            self.folder
        )

    def _find(self, path: str) -> _Inode | None:
        """A file from before. Read once only, since closing a file lets SQLite's own locks on it go."""
        if not Path(path).exists():
            return None
        data = Path(path).read_bytes()
        inode = self._names[path] = _Inode(bytearray(data))
        name = os.path.relpath(path, self.folder)
        if self._left is not None and self._left.get(name) != data:
            inode.safe, inode.since = bytearray(self._left.get(name, b"")), [(0, data), (len(data), None)]
        if self._left is None or name in self._left:
            self._safe_names[path] = inode
        return inode

    def _opened(self, path: str, file: int, flags: int, inode: _Inode | None) -> None:
        if inode is None:
            inode = self._names[path] = _Inode(saves_names=not flags & OPEN_MAIN_DB)
        self._open[file] = inode
        opened = _File.from_address(file)
        if opened.methods not in self._patched:
            self._patched[opened.methods] = self._patch(_Methods.from_address(opened.methods))
        opened.methods = ctypes.addressof(self._patched[opened.methods])

    def _patch(self, real: _Methods) -> _Methods:
        """The table of what a file can do, with changes going through here."""
        mine = _Methods()
        ctypes.memmove(byref(mine), byref(real), _VERSIONS[min(real.version, 3)])
        mine.version = min(real.version, 3)
        real_close, real_write = _Close(real.close), _Write(real.write)
        real_truncate = _Truncate(real.truncate)

        def close(file: int) -> int:
            with self._trying() as done, self._lock:
                done.code = real_close(file)
                self._open.pop(file, None)
            return done.code

        def write(file: int, data: int, size: int, at: int) -> int:
            with self._trying() as done, self._lock:
                self._comes()
                if self._read_only:
                    return self._refuse(IOERR_WRITE)
                refused = self._is_full()
                if refused:
                    size = (size + 1) // 2
                done.code = real_write(file, data, size, at)
                if done.code == OK:
                    self._open[file].since.append((at, ctypes.string_at(data, size)))
                    if refused:
                        return self._refuse(FULL)
            return done.code

        def truncate(file: int, size: int) -> int:
            with self._trying() as done, self._lock:
                self._comes()
                if self._read_only:
                    return self._refuse(IOERR_TRUNCATE)
                done.code = real_truncate(file, size)
                if done.code == OK:
                    self._open[file].since.append((size, None))
            return done.code

        def sync(file: int, _flags: int) -> int:
            """The real disk is not waited for: this one knows what would be safe, and the tests are quick."""
            with self._trying() as done, self._lock:
                self._comes()
                inode = self._open[file]
                if self._no_sync:
                    inode.since.clear()
                    return self._refuse(IOERR_FSYNC)
                self._saved(inode)
                done.code = OK
            return done.code

        mine.close, mine.write = _lend(_Close, close), _lend(_Write, write)
        mine.truncate, mine.sync = _lend(_Truncate, truncate), _lend(_Sync, sync)
        _ALIVE.append(mine)
        return mine

    def _comes(self) -> None:
        self.changes += 1
        if self.before is not None:
            self.before()

    def _is_full(self) -> bool:
        if self._room is None:
            return False
        self._room -= 1
        return self._room <= 0

    def _refuse(self, code: int) -> int:
        self.refused += 1
        return code

    def _saved(self, inode: _Inode) -> None:
        for at, data in inode.since:
            _apply(inode.safe, at, data)
        inode.since.clear()
        if inode.saves_names:
            inode.saves_names, self._safe_names = False, dict(self._names)

    @contextmanager
    def _trying(self) -> Iterator[_Done]:
        """No exception reaches C."""
        done = _Done()
        try:
            yield done
        except BaseException as error:
            self.problems.append(error)
            done.code = IOERR


@dataclass
class _Done:
    """What SQLite is told."""

    code: int = IOERR


def _lend(prototype: Any, function: Callable[..., int]) -> int | None:
    """A function as C calls it."""
    callback = prototype(function)
    _ALIVE.append(callback)
    return cast(callback, c_void_p).value


def _put_back(library: ctypes.CDLL, mine: _Vfs, real_at: int) -> None:
    library.sqlite3_vfs_unregister(byref(mine))
    library.sqlite3_vfs_register(real_at, 1)


def write(image: dict[str, bytes], folder: Path) -> None:
    """Puts the files of an image into a folder."""
    for name, data in image.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _after_cut(inode: _Inode, keep: Keep, chance: random.Random) -> bytearray:
    if keep == "none" or not inode.since:
        return inode.safe
    data = bytearray(inode.safe)
    for at, written in inode.since:
        fate = "there" if keep == "all" else chance.choice(("there", "gone", "torn" if written else "gone"))
        if fate == "there":
            _apply(data, at, written)
        elif fate == "torn" and written is not None:
            for start, piece in _sectors(at, written):
                if chance.random() < 0.5:
                    _apply(data, start, piece)
    return data


def _sectors(at: int, data: bytes) -> Iterator[tuple[int, bytes]]:
    """A write in pieces, none of which reaches over the end of a sector."""
    start = 0
    while start < len(data):
        end = start + SECTOR - (at + start) % SECTOR
        yield at + start, data[start:end]
        start = end


def _apply(data: bytearray, at: int, written: bytes | None) -> None:
    if written is None:
        del data[at:]
    if len(data) < at:
        data.extend(bytes(at - len(data)))
    if written is not None:
        data[at : at + len(written)] = written


def _library() -> ctypes.CDLL:
    """The SQLite that Python's own module calls, found through what that module is linked to."""
    library = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
    try:
        library.sqlite3_sourceid.restype = c_char_p
        found = library.sqlite3_sourceid().decode()
        library.sqlite3_vfs_find.argtypes, library.sqlite3_vfs_find.restype = [c_char_p], c_void_p
        library.sqlite3_vfs_register.argtypes = [c_void_p, c_int]
        library.sqlite3_vfs_unregister.argtypes = [c_void_p]
    except AttributeError as error:
        raise NotReachable(
            "SQLite is linked into this Python statically; a Python with a shared one is needed"
        ) from error
    connection = sqlite3.connect(":memory:")
    used = connection.execute("SELECT sqlite_source_id()").fetchone()[0]
    connection.close()
    if used != found:
        raise NotReachable(f"found another SQLite than the one Python uses: {found}, not {used}")
    return library
