"""How head, scheduler and workers of a cluster trust each other, and what they must
agree in (docs/many-machines.md).

Dask takes code from whoever connects. So every connection is encrypted, and both ends
show a certificate; there is one for the whole cluster, and who holds it may run code on
each worker.
"""

import datetime as dt
import logging
import platform
import sys
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipeline.errors import UnrollError, UsageError
from pipeline.files import write_text
from pipeline.provenance import fingerprint, record
from pipeline.provenance.machine import CODE
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from distributed import Security

CERTIFICATE = "certificate.pem"
KEY = "key.pem"

PATIENCE = 10
"""Seconds to wait for an answer of the scheduler."""

DAYS = 365
"""How long a certificate is good for."""

SETTINGS = {
    # Dask's pages of state are HTTP without a password, even where all else is
    # encrypted.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.comm.timeouts.connect": f"{PATIENCE}s",
    # A machine that hangs closes no connection. After this time its trainings run
    # elsewhere.
    "distributed.scheduler.worker-ttl": "60s",
    # Sending data to a free worker is always quicker than waiting for a busy one.
    "distributed.scheduler.unknown-task-duration": "1h",
    "distributed.admin.large-graph-warning-threshold": "1GB",
}
"""Dask's configuration, where it is not Dask's own."""


def require() -> None:
    """Raises UnrollError if the packages for clusters are not installed; else sets Dask
    up.
    """
    try:
        import dask
        import distributed  # noqa: F401
    except ImportError:
        raise UnrollError(
            "a cluster needs packages that are not installed; `.ci/venv cluster` installs them"
        ) from None
    dask.config.set(SETTINGS)
    # Dask's, of calls that were on their way when a connection broke.
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
    # Dask sets the level of each by itself
    for name in [*logging.root.manager.loggerDict]:
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
        raise UsageError(
            "--certificates DIR is needed; `unroll cluster certificates DIR` makes that folder"
        )
    certificate = str(certificates / CERTIFICATE)
    key = str(certificates / KEY)
    for file in (certificate, key):
        if not Path(file).is_file():
            raise UsageError(
                f"{file} is missing; `unroll cluster certificates {certificates}` makes it"
            )
    return Security(
        require_encryption=True,
        tls_ca_file=certificate,
        tls_client_cert=certificate,
        tls_client_key=key,
        tls_scheduler_cert=certificate,
        tls_scheduler_key=key,
        tls_worker_cert=certificate,
        tls_worker_key=key,
    )


def make_certificates(folder: Path) -> None:
    """Make a key that only its owner may read, and a certificate that vouches for
    itself, good for `DAYS` days.

    Raises:
        UnrollError: there are some already.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    if (folder / KEY).exists():
        raise UnrollError(
            f"{folder / KEY} exists; a cluster that runs uses it. Delete it to make another"
        )
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "unroll cluster")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number()
        )
        .not_valid_before(now - dt.timedelta(hours=1))  # clocks differ
        .not_valid_after(now + dt.timedelta(days=DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    pkcs8 = serialization.PrivateFormat.PKCS8
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / KEY).touch(mode=0o600)
    (folder / KEY).write_bytes(
        key.private_bytes(pem, pkcs8, serialization.NoEncryption())
    )
    write_text(folder / CERTIFICATE, certificate.public_bytes(pem).decode())


def environment() -> dict[str, str]:
    """What bytes depend on here: name -> version of the code, Python, the processor and
    the packages that compute.

    Raises:
        UnrollError: a package has another version than .ci/locks/numerics.lock says.
    """
    here = record.environment(Workspace(CODE))
    locked = record.locked()
    wrong = [
        f"{name} {has} (locked {locked[name]})"
        for name, has in here.packages.items()
        if has != locked[name]
    ]
    if wrong:
        found = ", ".join(wrong)
        raise UnrollError(
            f"results would have other bits here: {found}; install .ci/locks/requirements.lock"
        )
    processor = platform.machine()
    if {"avx2", "fma"} <= set(here.features):
        processor += " with AVX2 and FMA"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {
        "unroll": fingerprint.package(),
        "Python": python,
        "processor": processor,
        **here.packages,
    }


SLOT = "slot: "
"""How the name of the Dask resource begins that a worker has for each training that it
takes at a time."""


def slot(environment: dict[str, str]) -> str:
    """The name of that resource in an environment: Dask gives a training only to a
    worker that has the head's.
    """
    return SLOT + ", ".join(
        f"{name} {version}" for name, version in environment.items()
    )


def difference(resources: Collection[str], ours: dict[str, str]) -> str:
    """How the environment of a worker with these Dask resources differs from another
    one, as words.
    """
    theirs = [
        name.removeprefix(SLOT).split(", ")
        for name in resources
        if name.startswith(SLOT)
    ]
    if not theirs:
        return "it was not started by `unroll cluster worker`"
    own = {f"{name} {version}" for name, version in ours.items()}
    other = ", ".join(sorted({*theirs[0]} - own))
    here = ", ".join(sorted(own - {*theirs[0]}))
    return f"it has {other or 'less'}; here is {here or 'less'}"
