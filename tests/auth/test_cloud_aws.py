"""AWS's whole chain in the real child process, against files in a home of its own and services on
loopback.
"""

import asyncio
import hashlib
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from providers.auth.cloud import AwsCredentials, child_environment
from providers.auth.helper import Order
from providers.auth.helper_process import ask_helper
from providers.auth.redact import Redactor
from providers.errors import ConnectFailed, NotConfigured
from providers.settings import HttpSettings
from tests.auth.cloud_services import ACCESS, SECRET, Home, assumed_role, iso, service


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def credentials(home: Home, profile: str | None = None, **environ: str) -> AwsCredentials:
    return AwsCredentials(
        profile=profile,
        environ=home.environ | environ,
        http=HttpSettings(),
        provider="bedrock",
    )


@pytest.mark.asyncio
async def test_keys_in_the_environment_need_no_child(home: Home) -> None:
    home.environ["PATH"] = ""
    found = credentials(
        home,
        AWS_ACCESS_KEY_ID=ACCESS,
        AWS_SECRET_ACCESS_KEY="static-secret-of-the-environment-01",
        AWS_SESSION_TOKEN="static-session-token-02",
    )
    grant = await found.get()
    assert (grant.access_key, grant.session_token) == (ACCESS, "static-session-token-02")
    assert found.describe() == "env AWS_ACCESS_KEY_ID"
    assert not await found.renew(grant)
    hidden = Redactor().mask("static-secret-of-the-environment-01 static-session-token-02")
    assert "static" not in hidden
    assert "static" not in repr(grant)


@pytest.mark.asyncio
async def test_a_profile_is_stronger_than_the_environment_unless_it_names_it(home: Home) -> None:
    home.aws_credentials(
        "[work]\naws_access_key_id = AKIAWORKWORKWORK0000\naws_secret_access_key = work-secret-0001"
    )
    keys = {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET}
    assert (await credentials(home, "work", **keys).get()).access_key == "AKIAWORKWORKWORK0000"
    both = keys | {"AWS_PROFILE": "work"}
    assert (await credentials(home, "work", **both).get()).access_key == ACCESS


@pytest.mark.asyncio
async def test_the_default_profile_with_its_region(home: Home) -> None:
    home.aws_config("[default]\nregion = eu-central-1\n")
    home.aws_credentials(
        f"[default]\naws_access_key_id = {ACCESS}\naws_secret_access_key = {SECRET}"
    )
    found = credentials(home)
    grant = await found.get()
    assert (grant.access_key, grant.secret_key, grant.session_token) == (ACCESS, SECRET, None)
    assert grant.region == "eu-central-1" == await found.region()
    assert grant.expires_at is None


@pytest.mark.asyncio
async def test_the_region_alone_wants_no_credentials(home: Home) -> None:
    home.aws_config("[profile eu]\nregion = eu-west-3\ncredential_process = /nonexistent/program\n")
    assert await credentials(home, "eu").region() == "eu-west-3"
    assert await credentials(home).region() is None


@pytest.mark.asyncio
@pytest.mark.skipif(os.name != "posix", reason="the program is a shell script")
async def test_credential_process(home: Home) -> None:
    answer = {
        "Version": 1,
        "AccessKeyId": ACCESS,
        "SecretAccessKey": "process-secret-0001",
        "SessionToken": "process-token-0001",
        "Expiration": iso(1200),
    }
    program = home.script(
        "give", f"#!/bin/sh\necho 'Ask me nothing' >&2\necho '{json.dumps(answer)}'"
    )
    home.aws_config(f"[profile p]\ncredential_process = {program} --json\n")
    found = credentials(home, "p")
    grant = await found.get()
    assert (grant.secret_key, grant.session_token) == ("process-secret-0001", "process-token-0001")
    assert grant.expires_at is not None
    assert found.describe() == "AWS profile p"
    assert "process" not in Redactor().mask("process-secret-0001 process-token-0001")


@pytest.mark.asyncio
@pytest.mark.skipif(os.name != "posix", reason="the program is a shell script")
async def test_credential_process_that_fails_is_named(home: Home) -> None:
    program = home.script("give", "#!/bin/sh\necho 'vault is sealed' >&2\nexit 3")
    home.aws_config(f"[profile p]\ncredential_process = {program}\n")
    with pytest.raises(NotConfigured, match=r"vault is sealed.*custom-process"):
        await credentials(home, "p").get()


@pytest.mark.asyncio
async def test_assume_role(home: Home) -> None:
    home.aws_config(
        "[profile base]\n\n[profile role]\nrole_arn = arn:aws:iam::123456789012:role/r\n"
        "source_profile = base\nregion = us-west-2\n"
    )
    home.aws_credentials(f"[base]\naws_access_key_id = {ACCESS}\naws_secret_access_key = {SECRET}")
    with service() as sts:
        sts.answer(assumed_role("ASIAROLEROLEROLE0000", "role-secret-0001", "role-token-01", 3600))
        found = credentials(home, "role", AWS_ENDPOINT_URL_STS=sts.url)
        first, second = await asyncio.gather(found.get(), found.get())
    assert first is second
    assert (first.access_key, first.session_token) == ("ASIAROLEROLEROLE0000", "role-token-01")
    assert first.region == "us-west-2"
    assert first.expires_at is not None
    assert len(sts.calls) == 1
    assert sts.calls[0].form["RoleArn"] == "arn:aws:iam::123456789012:role/r"


@pytest.mark.asyncio
async def test_a_role_that_is_denied_says_by_whom(home: Home) -> None:
    home.aws_config(
        "[profile role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = role\n"
        "region = us-west-2\n"
    )
    home.aws_credentials(f"[role]\naws_access_key_id = {ACCESS}\naws_secret_access_key = {SECRET}")
    with service() as sts:
        sts.answer(
            "<ErrorResponse><Error><Code>AccessDenied</Code><Message>User is not authorized to "
            "perform: sts:AssumeRole</Message></Error></ErrorResponse>",
            403,
        )
        with pytest.raises(NotConfigured, match=r"AccessDenied.*sts:AssumeRole.*`assume-role`"):
            await credentials(home, "role", AWS_ENDPOINT_URL_STS=sts.url).get()


@pytest.mark.asyncio
async def test_an_unreachable_service_is_a_matter_of_the_network(home: Home) -> None:
    home.aws_config(
        "[profile role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = role\n"
        "region = us-west-2\n"
    )
    home.aws_credentials(f"[role]\naws_access_key_id = {ACCESS}\naws_secret_access_key = {SECRET}")
    environ = {"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    with pytest.raises(ConnectFailed, match=r"127\.0\.0\.1:9"):
        await credentials(home, "role", **environ).get()


def sso_profile(home: Home, expires: float) -> None:
    home.aws_config(
        "[profile dev]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Dev\n"
        "region = us-east-1\n\n[sso-session corp]\nsso_region = us-east-1\n"
        "sso_start_url = https://corp.awsapps.com/start\n"
    )
    cache = home.path / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    token = {
        "startUrl": "https://corp.awsapps.com/start",
        "region": "us-east-1",
        "accessToken": "sso-access-token",
        "expiresAt": iso(expires),
    }
    name = hashlib.sha1(b"corp").hexdigest()
    (cache / f"{name}.json").write_text(json.dumps(token), "utf-8")


@pytest.mark.asyncio
async def test_sso(home: Home) -> None:
    sso_profile(home, 3600)
    with service() as portal:
        role = {
            "accessKeyId": "ASIASSOSSOSSOSSO0000",
            "secretAccessKey": "sso-secret-00001",
            "sessionToken": "sso-session-token",
            "expiration": 4102444800000,
        }
        portal.answer({"roleCredentials": role})
        grant = await credentials(home, "dev", AWS_ENDPOINT_URL_SSO=portal.url).get()
    assert grant.session_token == "sso-session-token"
    assert grant.expires_at == 4102444800
    assert portal.calls[0].headers["x-amz-sso_bearer_token"] == "sso-access-token"


@pytest.mark.asyncio
async def test_a_login_that_has_ended_says_what_to_run(home: Home) -> None:
    sso_profile(home, -60)
    with pytest.raises(NotConfigured, match=r"expired.*Run: aws sso login --profile dev$"):
        await credentials(home, "dev").get()


@pytest.mark.asyncio
async def test_a_login_that_the_service_has_ended_says_so_too(home: Home) -> None:
    sso_profile(home, 3600)
    with service() as portal:
        portal.answer({"message": "Session token not found or invalid"}, 401)
        with pytest.raises(NotConfigured, match=r"Run: aws sso login --profile dev$"):
            await credentials(home, "dev", AWS_ENDPOINT_URL_SSO=portal.url).get()


@pytest.mark.asyncio
async def test_container_credentials(home: Home) -> None:
    with service() as agent:
        agent.answer(
            {
                "AccessKeyId": ACCESS,
                "SecretAccessKey": "container-secret-1",
                "Token": "container-token-01",
                "Expiration": iso(3600),
            }
        )
        grant = await credentials(
            home,
            AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{agent.url}/v1/creds",
            AWS_CONTAINER_AUTHORIZATION_TOKEN="pod-identity",
        ).get()
    assert grant.session_token == "container-token-01"
    assert agent.calls[0].path == "/v1/creds"
    assert agent.calls[0].headers["authorization"] == "pod-identity"


@pytest.mark.asyncio
async def test_nothing_found_names_the_steps(home: Home) -> None:
    with pytest.raises(NotConfigured, match=r"env.*assume-role.*sso.*Run: aws sso login"):
        await credentials(home).get()


@pytest.mark.asyncio
async def test_a_profile_that_is_not_there(home: Home) -> None:
    with pytest.raises(NotConfigured, match=r"no AWS profile 'nope'.*--profile nope"):
        await credentials(home, "nope").get()


@pytest.mark.asyncio
async def test_mfa_is_refused_instead_of_asked_for(home: Home) -> None:
    home.aws_config(
        "[profile role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = role\n"
        "region = us-west-2\nmfa_serial = arn:aws:iam::1:mfa/me\n"
    )
    home.aws_credentials(f"[role]\naws_access_key_id = {ACCESS}\naws_secret_access_key = {SECRET}")
    with pytest.raises(NotConfigured, match="MFA"):
        await credentials(home, "role").get()


@pytest.mark.asyncio
async def test_a_workspace_supplies_no_module(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The editor starts us in the workspace; modules of familiar names may lie there."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    for name in ("botocore", "msgspec", "urllib3", "ssl"):
        (workspace / f"{name}.py").write_text("raise SystemExit('taken')", "utf-8")
    monkeypatch.chdir(workspace)
    home.aws_credentials(
        f"[default]\naws_access_key_id = {ACCESS}\naws_secret_access_key = {SECRET}"
    )
    assert (await credentials(home).get()).access_key == ACCESS


# --- The process ---------------------------------------------------------------------------------


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/status")
    return not status.exists() or "State:\tZ" not in status.read_text("utf-8")


async def gone(pid: int) -> bool:
    for _ in range(500):
        if not alive(pid):
            return True
        await asyncio.sleep(0.01)
    return False


async def written(path: Path) -> list[int]:
    for _ in range(500):
        if path.exists() and path.read_text("utf-8").endswith("\n"):
            return [int(word) for word in path.read_text("utf-8").split()]
        await asyncio.sleep(0.01)
    raise AssertionError(f"{path} was not written")


def stuck(home: Home) -> Path:
    """Have a `credential_process` that says its parent's and its own pid and hangs."""
    pids = home.path / "pids"
    program = home.script("hang", f"#!/bin/sh\necho $PPID $$ > {pids}\nexec sleep 600\n")
    home.aws_config(f"[profile p]\ncredential_process = {program}\n")
    return pids


posix = pytest.mark.skipif(os.name != "posix", reason="the program is a shell script")


@posix
@pytest.mark.asyncio
async def test_cancelling_ends_the_child_and_what_it_started(home: Home) -> None:
    pids = stuck(home)
    asked = asyncio.create_task(ask_helper(Order("aws", "p"), environ=home.environ))
    started = await written(pids)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert [await gone(pid) for pid in started] == [True, True]


@posix
@pytest.mark.asyncio
async def test_what_a_program_left_running_is_left_alone(home: Home) -> None:
    """An agent that holds an unlocked vault, for one."""
    pids = home.path / "pids"
    answer = {"Version": 1, "AccessKeyId": ACCESS, "SecretAccessKey": SECRET}
    program = home.script(
        "give",
        f"#!/bin/sh\nsleep 30 >/dev/null 2>&1 &\necho $! > {pids}\necho '{json.dumps(answer)}'\n",
    )
    home.aws_config(f"[profile p]\ncredential_process = {program}\n")
    assert (await credentials(home, "p").get()).access_key == ACCESS
    (agent,) = await written(pids)
    assert alive(agent)
    os.kill(agent, signal.SIGKILL)


@posix
@pytest.mark.asyncio
async def test_too_long(home: Home) -> None:
    stuck(home)
    answer = await ask_helper(Order("aws", "p"), environ=home.environ, timeout=0.5)
    assert answer.failure is not None
    assert (answer.failure.kind, "0.5 seconds" in answer.failure.message) == ("network", True)


@posix
@pytest.mark.asyncio
async def test_closing_the_provider_ends_the_child(home: Home) -> None:
    pids = stuck(home)
    found = credentials(home, "p")
    waiting = asyncio.create_task(found.get())
    started = await written(pids)
    await found.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert [await gone(pid) for pid in started] == [True, True]


@posix
@pytest.mark.asyncio
async def test_no_orphan_when_the_sidecar_is_killed(home: Home) -> None:
    pids = stuck(home)
    program = (
        "import asyncio, os\n"
        "from providers.auth.helper import Order\n"
        "from providers.auth.helper_process import ask_helper\n"
        "asyncio.run(ask_helper(Order('aws', 'p'), environ=os.environ))\n"
    )
    root = str(Path(__file__).resolve().parents[2])
    sidecar = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env=home.environ | {"PYTHONPATH": root}
    )
    started = await written(pids)
    sidecar.send_signal(signal.SIGKILL)
    await sidecar.wait()
    assert [await gone(pid) for pid in started] == [True, True]


@pytest.mark.asyncio
async def test_a_child_that_breaks_is_told(home: Home, tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("print('no answer')", "utf-8")
    answer = await ask_helper(Order("aws"), environ=home.environ, program=broken)
    assert answer.failure is not None and answer.failure.kind == "broken"


@posix
@pytest.mark.asyncio
async def test_the_loop_goes_on_meanwhile(home: Home) -> None:
    stuck(home)
    loop = asyncio.get_running_loop()
    asked = asyncio.create_task(ask_helper(Order("aws", "p"), environ=home.environ, timeout=1.0))
    longest, before = 0.0, loop.time()
    while not asked.done():
        await asyncio.sleep(0.005)
        longest, before = max(longest, loop.time() - before), loop.time()
    assert longest < 0.5


def test_the_proxy_of_the_configuration_is_the_childs() -> None:
    environ = {"HTTPS_PROXY": "http://env:1", "NO_PROXY": "a.example", "X": "1"}
    made = child_environment(environ, HttpSettings(proxy="http://proxy:2", no_proxy=["b.example"]))
    assert made["https_proxy"] == "http://proxy:2" and "HTTPS_PROXY" not in made
    assert made["no_proxy"] == "b.example" and "NO_PROXY" not in made
    assert made["X"] == "1"
    assert child_environment(environ, HttpSettings()) == environ
