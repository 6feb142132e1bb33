"""Certificates for tests: an authority, and what it vouches for on 127.0.0.1."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

DAYS = ("-days", "30")
NEW = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", *DAYS)


class Authority:
    """A certificate authority of one folder; ``ca`` is its certificate (PEM)."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            assert os.environ.get("WAYMARK_REQUIRE_KAFKA") != "1", "openssl is not here"
            pytest.skip("openssl is not on this machine, which makes the certificates")
        self.folder = folder
        self.ca = folder / "ca.pem"
        authority = ("-addext", "basicConstraints=critical,CA:TRUE")
        _openssl(*NEW, *_files(folder, "ca"), "-subj", "/CN=waymark-test", *authority)

    def vouch(self, name: str) -> tuple[Path, Path]:
        """Return certificate and private key (PEM, PKCS 8) of a name on this machine."""
        signed = ("-CA", str(self.ca), "-CAkey", str(self.folder / "ca.key"))
        usage = ("-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE")
        _openssl(*NEW, *_files(self.folder, name), "-subj", f"/CN={name}", *signed, *usage)
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"


def _files(folder: Path, name: str) -> tuple[str, ...]:
    return ("-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem"))


def _openssl(*command: str) -> None:
    done = subprocess.run(["openssl", *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
