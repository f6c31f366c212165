"""How head, scheduler and workers of a cluster trust each other, and what they must agree in (docs/many-machines.md).

Dask takes code from whoever connects. So every connection is encrypted, and both ends show a certificate; there is one
for the whole cluster, and who holds it may run code on each worker.
"""

import datetime as dt
import logging
import platform
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pipeline.errors import UnrollError, UsageError
from pipeline.files import write_text
from pipeline.provenance import record
from pipeline.provenance.machine import CODE
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from distributed import Security

CERTIFICATE, KEY = "certificate.pem", "key.pem"

PATIENCE = 10
"""Seconds to wait for an answer of the scheduler."""

SILENCE = 60
"""Seconds after which a worker that says nothing counts as dead."""

DAYS = 365
"""How long a certificate is good for."""

QUIET: dict[str, Any] = {
    # Dask's pages of state are HTTP without a password, even where all else is encrypted.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.comm.timeouts.connect": "10s",
    # A machine that hangs, or a network that is lost, closes no connection. Dask would wait for five minutes.
    "distributed.scheduler.worker-ttl": f"{SILENCE}s",
    # What is big here are copies of the code, 0.2 MB for each stage.
    "distributed.admin.large-graph-warning-threshold": "1GB",
}


def require() -> None:
    """Raises UnrollError if the packages for clusters are not installed; else sets Dask up."""
    try:
        import dask
        import distributed  # noqa: F401
    except ImportError:
        raise UnrollError("a cluster needs packages that are not installed; `.ci/venv cluster` installs them") from None
    dask.config.set(QUIET)
    # Dask's, of calls that were on their way when a connection broke.
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
    for name in [*logging.root.manager.loggerDict]:  # Dask sets the level of each by itself
        if name.partition(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)


def security(address: str, certificates: Path | None) -> "Security":
    """What to show and to ask for at `tls://HOST:PORT`.

    Raises:
        UsageError: it is no such address, or certificates are missing.
    """
    from distributed import Security

    try:
        url = urlsplit(address)
        valid = url.scheme == "tls" and url.hostname and url.port is not None
    except ValueError:
        valid = False
    if not valid:
        raise UsageError(
            f"the scheduler's address must be like tls://HOST:8786, not {address}; "
            "`unroll cluster certificates DIR` makes the certificates that it takes"
        )
    if certificates is None:
        raise UsageError("--certificates DIR is needed; `unroll cluster certificates DIR` makes that folder")
    certificate, key = str(certificates / CERTIFICATE), str(certificates / KEY)
    for file in (certificate, key):
        if not Path(file).is_file():
            raise UsageError(f"{file} is missing; `unroll cluster certificates {certificates}` makes it")
    roles = {f"tls_{role}_{kind}": file for role in ("client", "scheduler", "worker") for kind, file in
             (("cert", certificate), ("key", key))}  # fmt: skip
    return Security(tls_ca_file=certificate, require_encryption=True, **roles)


def make_certificates(folder: Path) -> None:
    """Make a key that only its owner may read, and a certificate that vouches for itself, good for `DAYS` days.

    Raises:
        UnrollError: there are some already.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    if (folder / KEY).exists():
        raise UnrollError(f"{folder / KEY} exists; a cluster that runs uses it. Delete it to make another")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "unroll cluster")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))  # clocks differ
        .not_valid_after(now + dt.timedelta(days=DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / KEY).touch(mode=0o600)
    (folder / KEY).write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    write_text(folder / CERTIFICATE, certificate.public_bytes(pem).decode())


def environment() -> dict[str, str]:
    """What last bits depend on here: Python (minor version), processor, packages of .ci/locks/numerics.lock -> version.

    Raises:
        UnrollError: a package has another version than .ci/locks/numerics.lock says.
    """
    current, versions = record.environment(Workspace(CODE)), record.locked()
    other = [
        f"{name} {has} (locked {versions[name]})" for name, has in current.packages.items() if has != versions[name]
    ]
    if other:
        wrong = ", ".join(other)
        raise UnrollError(f"results would have other bits here: {wrong}; install .ci/locks/requirements.lock")
    vectors = " with AVX2 and FMA" if {"avx2", "fma"} <= set(current.features) else ""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {"Python": python, "processor": platform.machine() + vectors, **current.packages}


def slot_label(environment: dict[str, str]) -> str:
    """An environment as the name of the Dask resource that its slots have: a stage goes only where its own is."""
    return "slot: " + ", ".join(f"{name} {has}" for name, has in environment.items())
