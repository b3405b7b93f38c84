"""The guest's kernel: the one that was named, an installed one, or the one of Debian's package, which is fetched and
unpacked but not installed: an installation would change what this machine starts next time."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

PACKAGE = "linux-image-cloud-amd64"  # Debian's kernel for virtual machines: the smallest, and a serial port is built in
BOOT = Path("/boot")
SECONDS = 120  # for one program of the package manager


class Absent(Exception):
    """What the guest needs and is not here, in words."""


class BadKernel(Exception):
    """A kernel that was named and cannot be used: which, and why."""


def find(given: str, folder: Path, fetch: bool = True) -> Path:
    """`given`: a path, or nothing. `folder`: where a fetched one is kept. Raises Absent, or BadKernel for the one that
    is given."""
    if given:
        version(Path(given))
        return Path(given)
    known = [*_readable(folder), *_readable(BOOT)]
    if known:
        return known[0]
    why = "no kernel in /boot can be read"
    if not fetch:
        raise Absent(f"{why}; make bench-count fetches one")
    try:
        return _fetch(folder)
    except Absent as reason:
        raise Absent(f"{why}, and {PACKAGE} cannot be fetched: {reason}; KERNEL=path names one") from None


def version(image: Path) -> str:
    """What the kernel says of itself, by the header that its boot protocol prescribes (Documentation/arch/x86/boot.rst
    of Linux). Raises BadKernel."""
    try:
        data = image.read_bytes()
    except OSError as error:
        raise BadKernel(f"{image}: {error.strerror}") from None
    if data[0x202:0x206] != b"HdrS":
        raise BadKernel(f"{image}: no Linux kernel for x86")
    begin = 0x200 + int.from_bytes(data[0x20E:0x210], "little")
    said = data[begin : data.index(b"\0", begin)].decode(errors="replace")
    return re.sub(r" \(\S+@\S+\)", "", said)  # who built it


def _readable(folder: Path) -> list[Path]:
    """Kernels by version, the newest first."""
    found = [path for path in folder.glob("vmlinuz-*") if os.access(path, os.R_OK)]
    return sorted(found, key=lambda path: [int(number) for number in re.findall(r"\d+", path.name)], reverse=True)


def _fetch(folder: Path) -> Path:
    for program in ("apt-cache", "apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            raise Absent(f"there is no {program}")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        _run(["apt-get", "download", _real_name()], Path(scratch))
        (package,) = Path(scratch).glob("*.deb")
        _run(["dpkg-deb", "-x", package.name, "."], Path(scratch))
        (image,) = (Path(scratch) / "boot").glob("vmlinuz-*")
        kept = folder / image.name
        image.rename(kept)
    return kept


def _real_name() -> str:
    """The package that holds the kernel of today; PACKAGE holds nothing and depends on it."""
    said = _run(["apt-cache", "depends", "--important", PACKAGE])
    names: list[str] = re.findall(r"Depends: (linux-image-\S+)", said)
    if not names:
        raise Absent("apt-cache does not know it")
    return names[0]


def _run(command: list[str], where: Path = Path()) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=where,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise Absent(f"{command[0]} did not end within {SECONDS} s") from None
    if done.returncode != 0:
        raise Absent(f"{command[0]}: {(done.stderr.strip() or 'failed').splitlines()[-1]}")
    return done.stdout
