"""`ai-sidecar doctor` on broken set-ups: one sentence for each, with what to do about it."""

import datetime
import os
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import trustme

from tests.auth.cloud_services import Service, service
from tests.contract.process import PROGRAM, environment

pytestmark = pytest.mark.slow

KEY = "sk-doctor-0123456789abcdef"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def up() -> Iterator[Service]:
    """A service that answers what it is told to."""
    with service() as running:
        running.answers = [(200, "application/json", '{"data":[{"id":"m"}]}')]
        yield running


def tls_service(context: ssl.SSLContext) -> tuple[int, Callable[[], None]]:
    """Answer with an empty list of models over TLS, until told to stop. Returns the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    answer = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 22\r\n"
        b'Connection: close\r\n\r\n{"data":[{"id": "m"}]}'
    )

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                try:
                    with context.wrap_socket(connection, server_side=True) as secure:
                        secure.recv(65536)
                        secure.sendall(answer)
                except OSError:
                    continue

    pool = ThreadPoolExecutor(1)
    pool.submit(serve)

    def stop() -> None:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        pool.shutdown()

    return listening.getsockname()[1], stop


def doctor(folder: Path, config: str, mode: int = 0o600, **env: str) -> tuple[int, str]:
    """Return the exit code and what is printed, the surroundings of every machine left out."""
    file = folder / "config.toml"
    file.write_text(config)
    file.chmod(mode)
    made = environment(folder, AI_SIDECAR_CONFIG=str(file), COLUMNS="200", **env)
    done = subprocess.run(
        [str(PROGRAM), "doctor"], env=made, cwd=folder, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr == "", done.stderr
    assert KEY not in done.stdout
    if os.environ.get("SHOW"):
        sys.stdout.write(f"\n{done.stdout}")
    return done.returncode, done.stdout


def up_at(url: str, more: str = "") -> str:
    return (
        f'[providers.up]\nkind = "openai-compatible"\nbaseUrl = "{url}"\napiKey = "{KEY}"\n'
        f'model = "m"\n{more}'
    )


def broken(folder: Path, expected: str, config: str, **env: str) -> None:
    code, out = doctor(folder, config, **env)
    assert code == 1, out
    assert re.search(expected, out, re.MULTILINE), out


# --- keys and addresses ----------------------------------------------------------------------


def test_all_is_well(tmp_path: Path, up: Service) -> None:
    code, out = doctor(tmp_path, up_at(up.url))
    assert code == 0 and " healthy " in out, out


def test_a_wrong_key(tmp_path: Path, up: Service) -> None:
    up.answers = [(401, "application/json", '{"error":{"message":"Incorrect API key provided"}}')]
    broken(tmp_path, r"up: authentication: .*Incorrect API key.*\(literal\)", up_at(up.url))


def test_a_wrong_path(tmp_path: Path, up: Service) -> None:
    up.answers = [(404, "text/html", "<h1>404 page not found</h1>")]
    broken(tmp_path, r"up: .*404.*baseUrl", up_at(up.url))


def test_a_page_instead_of_an_api(tmp_path: Path, up: Service) -> None:
    up.answers = [(200, "text/html", "<html><title>Welcome</title></html>")]
    broken(tmp_path, r"up: .*baseUrl", up_at(up.url))


def test_a_redirect(tmp_path: Path, up: Service) -> None:
    up.answers, up.location = [(308, "text/plain", "")], "https://elsewhere.example/"
    broken(tmp_path, r"up: .*redirect \(308\).*set `baseUrl`", up_at(up.url))


def test_nobody_listens(tmp_path: Path) -> None:
    broken(
        tmp_path,
        r"cannot connect to 127\.0\.0\.1:9: .*is it running\? check `baseUrl`",
        up_at("http://127.0.0.1:9/v1"),
    )


def test_no_such_host(tmp_path: Path) -> None:
    url = "https://no-such-service.example/v1"
    broken(tmp_path, r"no-such-service\.example cannot be resolved: check `baseUrl`", up_at(url))


def test_a_key_without_encryption(tmp_path: Path) -> None:
    broken(tmp_path, r"unencrypted: use an https:// URL", up_at("http://192.0.2.1/v1"))


def test_no_key_where_it_should_be(tmp_path: Path) -> None:
    config = '[providers.openai]\napiKey = { env = "MY_KEY" }\n'
    broken(tmp_path, r"openai: .*environment variable MY_KEY is not set or empty", config)


def test_a_key_file_that_is_not_there(tmp_path: Path) -> None:
    config = f'[providers.openai]\napiKey = {{ file = "{tmp_path}/none" }}\n'
    broken(tmp_path, r"openai: .*key file .*/none cannot be read: No such file", config)


def test_a_key_command_that_fails(tmp_path: Path) -> None:
    config = '[providers.openai]\napiKey = { command = ["sh", "-c", "echo locked >&2; exit 3"] }\n'
    broken(tmp_path, r"openai: .*command sh.*exit status 3: locked", config)


def test_files_that_others_can_read(tmp_path: Path, up: Service) -> None:
    code, out = doctor(tmp_path, up_at(up.url), mode=0o644)
    assert code == 0 and f"chmod 600 {tmp_path}/config.toml" in out, out
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "key").chmod(0o644)
    config = up_at(up.url).replace(f'"{KEY}"', f'{{ file = "{tmp_path}/key" }}')
    assert f"chmod 600 {tmp_path}/key" in doctor(tmp_path, config)[1]


# --- certificates ----------------------------------------------------------------------------


def certificate(authority: trustme.CA, *names: str, expired: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    times = {"not_before": past, "not_after": past.replace(year=2021)} if expired else {}
    authority.issue_cert(*names, **times).configure_cert(context)
    return context


@pytest.mark.parametrize(
    ("names", "expired", "known", "expected"),
    [
        (("127.0.0.1",), False, False, r"CA that this machine does not know.*set http\.caBundle"),
        (("other.example",), False, True, r"is for another host .*: check `baseUrl`"),
        (("127.0.0.1",), True, True, r"has expired \(or this machine's clock is wrong\)"),
    ],
)
def test_certificates(
    tmp_path: Path,
    authority: trustme.CA,
    names: tuple[str, ...],
    expired: bool,
    known: bool,
    expected: str,
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    port, stop = tls_service(certificate(authority, *names, expired=expired))
    more = f'[http]\ncaBundle = "{tmp_path}/ca.pem"\n' if known else ""
    try:
        broken(tmp_path, expected, up_at(f"https://127.0.0.1:{port}", more))
    finally:
        stop()


def test_a_self_signed_certificate(tmp_path: Path) -> None:
    authority = trustme.CA()
    pem = tmp_path / "self.pem"
    authority.private_key_pem.write_to_path(str(pem))
    authority.cert_pem.write_to_path(str(pem), append=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    port, stop = tls_service(context)
    try:
        broken(tmp_path, r"self-signed.*set http\.caBundle", up_at(f"https://127.0.0.1:{port}"))
    finally:
        stop()


def test_a_bundle_that_is_none(tmp_path: Path) -> None:
    more = '[http]\ncaBundle = "/nowhere/ca.pem"\n'
    broken(tmp_path, r"http\.caBundle: cannot use /nowhere", up_at("https://127.0.0.1:9", more))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system's own store is asked")
@pytest.mark.parametrize("way", ["SSL_CERT_FILE", "SSL_CERT_DIR", "http.caBundle"])
def test_ways_to_trust_a_private_ca(tmp_path: Path, authority: trustme.CA, way: str) -> None:
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    folder = tmp_path / "certs"
    folder.mkdir()
    (folder / "ours.pem").write_bytes(file.read_bytes())
    subprocess.run(["openssl", "rehash", str(folder)], check=True)  # as update-ca-certificates does
    port, stop = tls_service(certificate(authority, "127.0.0.1"))
    more = f'[http]\ncaBundle = "{file}"\n' if way == "http.caBundle" else ""
    env = {"SSL_CERT_FILE": str(file)} if way == "SSL_CERT_FILE" else {}
    env |= {"SSL_CERT_DIR": str(folder)} if way == "SSL_CERT_DIR" else {}
    try:
        code, out = doctor(tmp_path, up_at(f"https://127.0.0.1:{port}", more), **env)
    finally:
        stop()
    assert code == 0 and " healthy " in out, out
    told = {"SSL_CERT_FILE": str(file), "SSL_CERT_DIR": str(folder), "http.caBundle": str(file)}
    assert f"certificates: {told[way]}" in out, out


# --- proxies ---------------------------------------------------------------------------------


def test_a_proxy_that_wants_a_password(tmp_path: Path) -> None:
    from tests.proxies import real

    with real.tinyproxy(tmp_path) as address:
        more = f'[http]\nproxy = "http://{address}"\n'
        config = up_at("https://127.0.0.1:9/v1", more)
        broken(tmp_path, r"wants another user and password.*USER:PASSWORD@HOST$", config)


def test_a_proxy_that_is_not_there(tmp_path: Path) -> None:
    config = up_at("https://service.example/v1", '[http]\nproxy = "http://127.0.0.1:9"\n')
    broken(tmp_path, r"the proxy http://127\.0\.0\.1:9.*: check the proxy \(http\.proxy\)", config)


def test_a_proxy_of_the_environment(tmp_path: Path) -> None:
    env = {"HTTPS_PROXY": "http://127.0.0.1:9"}
    config = up_at("https://service.example/v1")
    broken(tmp_path, r"proxy http://127\.0\.0\.1:9.*check the proxy \(.*HTTPS_PROXY", config, **env)


def test_an_address_that_is_no_proxy_s(tmp_path: Path) -> None:
    config = up_at("https://service.example/v1", '[http]\nproxy = "nonsense://x"\n')
    broken(tmp_path, r"nonsense://x cannot be used: a proxy's address begins with", config)
