"""Opens HTTP clients for registries: mirrors first, TLS with additional CAs, proxies, plain HTTP.

Proxies come from the settings, else from the environment (HTTPS_PROXY, NO_PROXY ...); loopback is
never asked through one. CAs are the system's (SSL_CERT_FILE names others) and those of certs.d.
"""

from __future__ import annotations

import ipaddress
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import trio

from engine.errors import HostLimitError
from engine.images.registry.answers import RegistryError
from engine.images.registry.auth import Credentials
from engine.images.registry.client import RegistryClient
from engine.images.registry.settings import RegistrySettings, host_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a registry's images are asked for. `scheme` "" tries https first, then http."""

    host: str
    scheme: str = "https"
    prefix: str = ""
    mirror: bool = False


def endpoints_of(host: str, settings: RegistrySettings) -> list[Endpoint]:
    """A registry's mirrors, then itself. Pure."""
    found = []
    for address in settings.mirrors_of(host):
        scheme, _, rest = address.partition("://")
        name, _, prefix = rest.partition("/")
        found.append(Endpoint(name, scheme, f"/{prefix}" if prefix else "", mirror=True))
    found.append(Endpoint(host, "" if settings.is_insecure(host) else "https"))
    return found


@asynccontextmanager
async def open_endpoint(
    endpoint: Endpoint, credentials: Credentials, settings: RegistrySettings
) -> AsyncIterator[RegistryClient]:
    """A client for one endpoint; what a person has for a registry is not told to its mirrors.

    Raises RegistryError if nobody answers there at all.
    """
    verify: ssl.SSLContext | None = None
    if endpoint.scheme != "http":
        verify = await trio.to_thread.run_sync(_tls, endpoint.host, settings)
    async with httpx.AsyncClient(
        timeout=httpx.Timeout(settings.silence, connect=min(15.0, settings.silence)),
        limits=httpx.Limits(max_connections=16),
        follow_redirects=True,
        verify=verify or False,
        trust_env=not is_loopback(endpoint.host),
        mounts=_proxies(settings, verify),
        headers={"User-Agent": "pycompose"},
    ) as http:
        scheme = endpoint.scheme or await _scheme_of(http, endpoint.host)
        base = f"{scheme}://{endpoint.host}{endpoint.prefix}"
        given = Credentials() if endpoint.mirror else credentials
        yield RegistryClient(http, base, given, attempts=settings.attempts)


@asynccontextmanager
async def open_registry(
    host: str, credentials: Credentials, settings: RegistrySettings
) -> AsyncIterator[RegistryClient]:
    """A client for the registry itself, as pushes need it."""
    async with open_endpoint(endpoints_of(host, settings)[-1], credentials, settings) as client:
        yield client


def is_loopback(host: str) -> bool:
    """Whether host[:port] is this machine, which no proxy is asked for. Pure."""
    name = host_name(host)
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


async def _scheme_of(http: httpx.AsyncClient, host: str) -> str:
    """https where it answers, else http: Docker's order for registries that may be insecure."""
    try:
        await http.get(f"https://{host}/v2/", follow_redirects=False)
    except httpx.TimeoutException as error:
        raise RegistryError(f"cannot reach the registry {host}: it does not answer") from error
    except httpx.TransportError:
        return "http"
    return "https"


def _tls(host: str, settings: RegistrySettings) -> ssl.SSLContext:
    """The system's CAs, those of certs.d, and the client's certificate. Raises HostLimitError."""
    context = ssl.create_default_context()
    folders = settings.certificate_folders(host)
    if settings.is_insecure(host) and not folders:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    for folder in folders:
        try:
            for path in sorted(folder.glob("*.crt")):
                context.load_verify_locations(path)
            for path in sorted(folder.glob("*.cert")):
                context.load_cert_chain(path, path.with_suffix(".key"))
        except (OSError, ssl.SSLError) as error:
            raise HostLimitError(f"cannot use the certificates in {folder}: {error}") from error
    return context


def _proxies(
    settings: RegistrySettings, verify: ssl.SSLContext | None
) -> dict[str, httpx.AsyncHTTPTransport | None]:
    mounts: dict[str, httpx.AsyncHTTPTransport | None] = {}
    for scheme, proxy in (("http://", settings.http_proxy), ("https://", settings.https_proxy)):
        if proxy:
            mounts[scheme] = httpx.AsyncHTTPTransport(proxy=proxy, verify=verify or False)
    if mounts:
        direct = (*LOOPBACK, *settings.no_proxy)
        mounts |= {f"all://{name.replace('*', '').strip('.')}": None for name in direct}
        mounts |= {f"all://*.{name.lstrip('*.')}": None for name in settings.no_proxy}
    return mounts
