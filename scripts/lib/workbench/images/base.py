"""The base image where no registry has it: bootstrapped from Debian's packages, the way Debian's own slim image is made."""

import shutil
import subprocess
import sys
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.paths import cache

#: What Debian's slim images leave out.
_LEFT_OUT = ["man", "doc", "locale", "info", "lintian", "groff", "linda"]


def bootstrap() -> Path:
    """A tar of the root file system, made once and kept in the cache. Raises WorkbenchError."""
    archive = cache() / "images" / "debian-trixie-slim.tar"
    if archive.exists():
        return archive
    program = shutil.which("mmdebstrap")
    if program is None:
        raise WorkbenchError(
            "debian:trixie-slim can neither be pulled nor made here: install mmdebstrap (apt-get install mmdebstrap), or pull it yourself"
        )
    print("Making debian:trixie-slim from Debian's packages (once; a minute or two) ...", file=sys.stderr, flush=True)
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_suffix(".partial.tar")
    options = [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in _LEFT_OUT]
    options.append("--dpkgopt=path-include=/usr/share/doc/*/copyright")
    # Without a mirror named, mmdebstrap takes Debian's own, with those for updates and security.
    done = subprocess.run([program, "--quiet", "--variant=minbase", *options, "trixie", partial], capture_output=True, text=True)
    if done.returncode:
        raise WorkbenchError(f"mmdebstrap could not make debian:trixie-slim: {done.stderr.strip()[-1000:]}")
    partial.replace(archive)
    return archive
