"""The child process that runs the cloud SDKs' own credential chains, prints what they found, ends.

Started by path and alone in its process: it imports nothing of ours. botocore's and google-auth's
chains block, and add ten megabytes each to a process that stays up all day; here both end with it.

Protocol: one JSON line on stdin (an `Order`), one JSON line on stdout (an `Answer`). Nothing secret
is ever an argument. While it works it watches stdin: the end of that means that the parent is gone,
and it ends with everything it started (a `credential_process` waiting for a passphrase). It has no
terminal and an empty stdin of its own, so nothing here can ask a person anything.
"""

import contextlib
import os
import re
import signal
import ssl
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, Literal

import msgspec

FailureKind = Literal["missing", "login", "refused", "network", "broken"]


class Order(msgspec.Struct, omit_defaults=True):
    """What the parent asks for. `ca_bundle` is a PEM file to be trusted besides the system's.

    `only_region`: the AWS profile's region, no credentials.
    """

    cloud: Literal["aws", "google"]
    profile: str | None = None
    only_region: bool = False
    ca_bundle: str | None = None


class Failure(msgspec.Struct, omit_defaults=True):
    """`step` of the chain failed; `run` is the command that helps, if one does.

    `kind`: nothing was found, a login has ended, the service said no, it could not be reached, or
    anything else.
    """

    kind: FailureKind
    message: str
    step: str = ""
    run: str = ""


class Answer(msgspec.Struct, omit_defaults=True):
    """`expires_at` in seconds since 1970; None: does not expire. Which fields are set depends on
    the cloud; with `failure` none is.
    """

    failure: Failure | None = None
    expires_at: float | None = None
    source: str = ""
    # aws
    access_key: str = ""
    secret_key: str = ""
    session_token: str | None = None
    region: str | None = None
    # google
    token: str = ""
    project: str | None = None
    quota_project: str | None = None

    def __repr__(self) -> str:
        return f"Answer({self.source!r}, {self.failure!r}, …)"


class ChainFailed(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


# --- AWS ---------------------------------------------------------------------------------------


def aws(order: Order) -> Answer:
    """Run botocore's chain, step by step, so that a failure can name its step."""
    _trust(order)
    session: Any = import_module("botocore.session").Session(profile=order.profile)
    missing: type[Exception] = import_module("botocore.exceptions").ProfileNotFound
    profile: str = order.profile or session.get_config_variable("profile") or "default"
    try:
        region: str | None = session.get_config_variable("region")
        if order.only_region:
            return Answer(region=region)
        providers: list[Any] = session.get_component("credential_provider").providers
    except missing:
        message = f"there is no AWS profile {profile!r}"
        failure = Failure("missing", message, "profile", f"aws configure sso --profile {profile}")
        raise ChainFailed(failure) from None
    for provider in providers:
        step = str(provider.METHOD)
        try:
            found: Any = provider.load()
            if found is None:
                continue
            frozen: Any = found.get_frozen_credentials()
        except Exception as error:
            raise ChainFailed(_aws_failure(error, step, profile)) from error
        expiry: datetime | None = getattr(found, "_expiry_time", None)
        return Answer(
            expires_at=expiry.timestamp() if expiry is not None else None,
            source=str(found.method or step),
            access_key=frozen.access_key,
            secret_key=frozen.secret_key,
            session_token=frozen.token,
            region=region,
        )
    tried = ", ".join(str(provider.METHOD) for provider in providers)
    message = f"no AWS credentials for profile {profile!r} (looked in {tried})"
    raise ChainFailed(Failure("missing", message, "", _login(profile)))


def _aws_failure(error: Exception, step: str, profile: str) -> Failure:
    """Return what botocore's exception means to a person."""
    known = import_module("botocore.exceptions")
    said = str(error) or type(error).__name__
    if isinstance(error, EOFError):
        said = "an MFA code is asked for, which needs a terminal: use a profile that has no need"
        return Failure("refused", said, step, f"aws sso login --profile {profile}")
    if isinstance(error, (known.HTTPClientError, known.ConnectionError)):
        return Failure("network", said, step)
    if isinstance(error, getattr(known, "LoginError", ())):  # newer botocore's `aws login`
        return Failure("login", said, step, f"aws login --profile {profile}")
    if isinstance(error, (known.SSOError, known.TokenRetrievalError, known.NoAuthTokenError)):
        return Failure("login", said, step, _login(profile))
    if isinstance(error, known.ClientError):
        # A login refuses to go on as any service refuses: by the operation one sees which it is.
        if step.startswith("sso") or "(ExpiredToken" in said or "GetRoleCredentials" in said:
            return Failure("login", said, step, _login(profile))
        return Failure("refused", said, step)
    if isinstance(error, known.BotoCoreError):
        return Failure("refused", said, step)
    return Failure("broken", f"{type(error).__name__}: {said}", step)


def _login(profile: str) -> str:
    return f"aws sso login --profile {profile}" if profile != "default" else "aws sso login"


def _trust(order: Order) -> None:
    """Have botocore trust what this machine trusts, instead of the list it carries."""
    if sys.platform in ("darwin", "win32"):
        import_module("truststore").inject_into_ssl()
    if os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE"):
        return
    bundle = order.ca_bundle or os.environ.get("SSL_CERT_FILE")
    if bundle:
        os.environ["AWS_CA_BUNDLE"] = bundle


# --- Google ------------------------------------------------------------------------------------

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
LOGIN = "gcloud auth application-default login"


def google(order: Order) -> Answer:
    """Run Application Default Credentials and get an access token."""
    known = import_module("google.auth.exceptions")
    default: Callable[..., Any] = import_module("google.auth").default
    send = _google_transport(order, known.TransportError)
    named = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    step = "GOOGLE_APPLICATION_CREDENTIALS" if named else "application default credentials"
    try:
        credentials, project = default(scopes=[SCOPE], request=send)
    except known.DefaultCredentialsError as error:
        said = str(error).partition(" To set up Application Default")[0]
        raise ChainFailed(Failure("missing", said, step, LOGIN)) from None
    source = named or str(type(credentials).__module__).removeprefix("google.")
    try:
        credentials.refresh(send)
    except known.TransportError as error:
        raise ChainFailed(Failure("network", str(error), source)) from None
    except known.RefreshError as error:
        raise ChainFailed(_google_failure(error, credentials, source)) from None
    expiry: datetime | None = credentials.expiry
    return Answer(
        expires_at=expiry.replace(tzinfo=UTC).timestamp() if expiry is not None else None,
        source=source,
        token=credentials.token,
        project=project,
        quota_project=getattr(credentials, "quota_project_id", None),
    )


def _google_failure(error: Exception, credentials: Any, source: str) -> Failure:
    said = str(error.args[0]) if error.args else str(error)
    if getattr(error, "retryable", False):
        return Failure("network", said, source)
    if type(credentials).__module__ == "google.oauth2.credentials":
        return Failure("login", said, source, LOGIN)
    return Failure("refused", said, source)


def _google_transport(order: Order, unreachable: type[Exception]) -> Callable[..., Any]:
    """Return a sender of google-auth's shape on the standard library, which knows the proxies.

    google-auth's own needs `requests`. Follows no redirect: what is sent is a secret.
    """
    from urllib import error as url_error
    from urllib import request as url_request

    class Stay(url_request.HTTPRedirectHandler):
        def redirect_request(self, *args: Any, **named: Any) -> None:
            return None

    context: ssl.SSLContext = ssl.create_default_context()
    # Set from Python 3.13 on; companies' authorities are older than what it asks for, and the
    # requests themselves do not ask for it.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if sys.platform in ("darwin", "win32"):
        context = import_module("truststore").SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if order.ca_bundle:
        context.load_verify_locations(cafile=order.ca_bundle)

    handlers = (Stay(), url_request.HTTPSHandler(context=context))
    usual = url_request.build_opener(*handlers)
    direct = url_request.build_opener(url_request.ProxyHandler({}), *handlers)

    def send(
        url: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: dict[str, str] | None = None,
        timeout: float | None = 30,
        **_: Any,
    ) -> _Response:
        data = body.encode() if isinstance(body, str) else body
        asked = url_request.Request(url, data, headers or {}, method=method)
        local = re.match(r"https?://(?:169\.254\.|metadata\.google\.internal)", url)
        try:
            with (direct if local else usual).open(asked, timeout=timeout) as answer:
                return _Response(answer)
        except url_error.HTTPError as answer:
            with answer:
                return _Response(answer)
        except OSError as problem:
            raise unreachable(str(getattr(problem, "reason", problem))) from problem

    return send


class _Response:
    """An answer as google-auth wants it."""

    def __init__(self, answer: Any) -> None:
        self.status: int = answer.status
        self.headers = {name.lower(): value for name, value in answer.headers.items()}
        self.data: bytes = answer.read()


# --- The process -------------------------------------------------------------------------------


def answer_to(order: Order) -> Answer:
    """Return what the chain found, or its failure. Raises nothing."""
    try:
        return aws(order) if order.cloud == "aws" else google(order)
    except ChainFailed as failed:
        return Answer(failure=failed.failure)
    except Exception as error:  # noqa: BLE001 - whatever an SDK raises is the parent's answer
        said = f"{type(error).__name__}: {error}"
        return Answer(failure=Failure("broken", said))


def main() -> None:
    """Answer the parent's order."""
    lifeline = os.fdopen(os.dup(0), "rb")
    out = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)  # what an SDK prints must not end up in our one line
    line = lifeline.readline()
    if not line:
        return
    threading.Thread(target=_end_with_parent, args=(lifeline,), daemon=True).start()
    answer = answer_to(msgspec.json.decode(line, type=Order))
    with contextlib.suppress(OSError):  # the parent is gone
        os.write(out, msgspec.json.encode(answer) + b"\n")
    os._exit(0)


def _end_with_parent(lifeline: Any) -> None:
    """Wait for the end of stdin, then end with all that was started from here."""
    lifeline.read()
    if os.name == "posix" and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    main()
