"""Application Default Credentials in the real child process, with Google's services on loopback."""

import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from providers.auth.cloud import GoogleCredentials
from providers.auth.redact import Redactor
from providers.errors import ConnectFailed, NotConfigured
from providers.settings import HttpSettings
from tests.auth.cloud_services import Home, Service, service
from tests.http.old_authority import old_authority


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def google(authority: trustme.CA) -> Iterator[Service]:
    """Google's token service, behind a proxy on loopback that says it is that."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("oauth2.googleapis.com").configure_cert(context)
    with service(context) as running:
        yield running
    assert set(running.tunnels) <= {"oauth2.googleapis.com:443"}


def proxied(home: Home, google: Service, authority: trustme.CA) -> GoogleCredentials:
    """Return a person's credentials; proxy and CA are those of `[http]`."""
    bundle = home.path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    http = HttpSettings(proxy=google.url, ca_bundle=str(bundle))
    environ = home.environ | {"GOOGLE_CLOUD_PROJECT": "proj-of-the-environment"}
    return GoogleCredentials(environ=environ, http=http, provider="vertex")


def credentials(home: Home, **environ: str) -> GoogleCredentials:
    return GoogleCredentials(environ=home.environ | environ, http=HttpSettings(), provider="vertex")


def token(name: str, seconds: int = 3599) -> dict[str, object]:
    return {"access_token": name, "expires_in": seconds, "token_type": "Bearer"}


def service_account(home: Home, token_uri: str) -> Path:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    account = {
        "type": "service_account",
        "project_id": "proj-of-the-file",
        "private_key_id": "1",
        "private_key": pem.decode(),
        "client_email": "sa@proj.iam.gserviceaccount.com",
        "token_uri": token_uri,
    }
    path = home.path / "account.json"
    path.write_text(json.dumps(account), "utf-8")
    return path


@pytest.mark.asyncio
async def test_a_persons_login(home: Home, google: Service, authority: trustme.CA) -> None:
    google.answer(token("ya29.persons-token"))
    home.google_login(quota_project_id="who-pays")
    found = proxied(home, google, authority)
    grant = await found.get()
    assert (grant.token, grant.quota_project) == ("ya29.persons-token", "who-pays")
    assert grant.project == "proj-of-the-environment"
    assert grant.expires_at is not None
    assert google.calls[0].form["refresh_token"] == "1//refresh-token-of-a-person"
    assert found.describe() == "Application Default Credentials"
    assert "persons-token" not in Redactor().mask("it is ya29.persons-token") + repr(grant)


@pytest.mark.asyncio
async def test_an_authority_older_than_the_rules(home: Home) -> None:
    """What is good enough for the requests is so for their token, on Python 3.13, too."""
    bundle, context = old_authority(home.path, "oauth2.googleapis.com")
    home.google_login()
    with service(context) as google:
        google.answer(token("ya29.persons-token"))
        http = HttpSettings(proxy=google.url, ca_bundle=bundle)
        environ = home.environ | {"GOOGLE_CLOUD_PROJECT": "p"}
        found = GoogleCredentials(environ=environ, http=http, provider="vertex")
        assert (await found.get()).token == "ya29.persons-token"


@pytest.mark.asyncio
async def test_a_service_account(home: Home) -> None:
    with service() as google:
        google.answer(token("opaque-service-token"))
        path = service_account(home, f"{google.url}/token")
        found = credentials(home, GOOGLE_APPLICATION_CREDENTIALS=str(path))
        grant = await found.get()
    assert (grant.token, grant.project) == ("opaque-service-token", "proj-of-the-file")
    assert google.calls[0].form["grant_type"].endswith("jwt-bearer")
    assert found.describe() == "env GOOGLE_APPLICATION_CREDENTIALS"
    assert "opaque" not in Redactor().mask("opaque-service-token")


@pytest.mark.asyncio
async def test_each_renewal_is_a_new_token(home: Home) -> None:
    with service() as google:
        google.answer(token("ya29.first-token"))
        google.answer(token("ya29.second-token"))
        path = service_account(home, f"{google.url}/token")
        found = credentials(home, GOOGLE_APPLICATION_CREDENTIALS=str(path))
        first = await found.get()
        assert await found.renew(first)
        assert (await found.get()).token == "ya29.second-token"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "body",
    [
        {"error": "invalid_grant", "error_description": "Token has been expired or revoked."},
        {"error": "invalid_grant", "error_subtype": "rapt_required"},  # asks for a password again
    ],
)
async def test_a_login_that_has_ended_says_what_to_run(
    home: Home, google: Service, authority: trustme.CA, body: dict[str, str]
) -> None:
    google.answer(body, 400)
    home.google_login()
    with pytest.raises(NotConfigured) as caught:
        await proxied(home, google, authority).get()
    assert caught.value.message.endswith("Run: gcloud auth application-default login")


@pytest.mark.asyncio
async def test_a_service_account_that_is_refused_has_no_login_to_renew(home: Home) -> None:
    with service() as google:
        google.answer({"error": "invalid_grant", "error_description": "Invalid JWT"}, 400)
        path = service_account(home, f"{google.url}/token")
        with pytest.raises(NotConfigured, match="Invalid JWT") as caught:
            await credentials(home, GOOGLE_APPLICATION_CREDENTIALS=str(path)).get()
    assert "gcloud" not in caught.value.message


@pytest.mark.asyncio
async def test_nothing_found(home: Home) -> None:
    with pytest.raises(NotConfigured, match=r"not found.*Run: gcloud auth application-default"):
        await credentials(home).get()


@pytest.mark.asyncio
async def test_a_file_that_is_not_there(home: Home) -> None:
    with pytest.raises(NotConfigured, match=r"nope\.json.*`GOOGLE_APPLICATION_CREDENTIALS`"):
        await credentials(home, GOOGLE_APPLICATION_CREDENTIALS="/nope.json").get()


@pytest.mark.asyncio
async def test_an_unreachable_service_is_a_matter_of_the_network(home: Home) -> None:
    home.google_login()
    environ = {"GOOGLE_CLOUD_PROJECT": "p", "https_proxy": "http://127.0.0.1:9"}
    with pytest.raises(ConnectFailed):
        await credentials(home, **environ).get()


@pytest.mark.asyncio
async def test_a_redirect_is_not_followed(home: Home) -> None:
    """What is sent is as good as a key: it goes where the file says and nowhere else."""
    with service() as google, service() as elsewhere:
        elsewhere.answer(token("stolen"))
        google.answer("", 302)
        google.location = f"{elsewhere.url}/token"
        path = service_account(home, f"{google.url}/token")
        with pytest.raises((NotConfigured, ConnectFailed)):
            await credentials(home, GOOGLE_APPLICATION_CREDENTIALS=str(path)).get()
    assert len(google.calls) >= 1
    assert elsewhere.calls == []


@pytest.mark.asyncio
async def test_a_machines_own_token(home: Home) -> None:
    """A metadata server, which on Google's machines has an address of its own."""
    with service() as metadata:
        metadata.paths = {
            "/computeMetadata/v1/project/project-id": "proj-of-the-machine",
            "/computeMetadata/v1/universe/universe-domain": "googleapis.com",
            "/computeMetadata/v1/instance/service-accounts/default/": {
                "email": "sa@example.com",
                "scopes": ["https://www.googleapis.com/auth/cloud-platform"],
                "aliases": ["default"],
            },
            "/computeMetadata/v1/instance/service-accounts/default/token": token("ya29.machine-01"),
            "/computeMetadata/v1/instance/service-accounts/sa@example.com/token": token(
                "ya29.machine-01"
            ),
        }
        host = metadata.url.removeprefix("http://")
        home.environ.pop("NO_GCE_CHECK")
        found = credentials(home, GCE_METADATA_HOST=host, GCE_METADATA_IP=host)
        grant = await found.get()
    assert (grant.token, grant.project) == ("ya29.machine-01", "proj-of-the-machine")
