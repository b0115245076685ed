"""Which error an answer or an error event is: one table for all services.

The kinds are those of docs/protocol.md, "Errors". The status decides; where it leaves a choice, the
service's own code or type, and where there is none, its known wording. Nothing here reads a socket;
the clock is an argument.
"""

import re
from collections.abc import Mapping

from providers.dialects.error_body import ErrorDetails, details, parse
from providers.dialects.retry_after import Clock, retry_after, wall_clock
from providers.errors import (
    Authentication,
    ContentFiltered,
    ContextLength,
    InvalidRequest,
    ModelUnknown,
    Overloaded,
    Permission,
    Quota,
    RateLimited,
    RequestTimeout,
    ResponseError,
    ServerFailed,
)

ErrorClass = type[ResponseError]

BY_STATUS: dict[int, ErrorClass] = {
    401: Authentication,
    402: Quota,
    403: Permission,
    408: RequestTimeout,
    429: RateLimited,
    503: Overloaded,
    529: Overloaded,
}

REFINED_STATUS = frozenset({400, 403, 404, 406, 409, 410, 413, 415, 422, 424, 429})
"""Where a code or wording may say more than the status does."""

_NAMES: dict[ErrorClass, str] = {
    Quota: """
        insufficientquota billinghardlimitreached billingnotactive billingerror
        insufficientbalance insufficientcredits insufficientuserquota paymentrequired
        exceededcurrentquotaerror creditlimitexceeded spendinglimitreached
        servicequotaexceededexception arrearage 1113
    """,
    ContextLength: """
        contextlengthexceeded contextwindowexceeded exceedcontextsizeerror
        toomanyprompttokens tokenslimitreached modelmaxprompttokensexceeded
        modelcontextwindowexceeded maxtokensexceeded prompttoolong inputtoolong 1261
    """,
    ContentFiltered: """
        contentfilter contentfiltered contentpolicyviolation
        responsibleaipolicyviolation datainspectionfailed moderationblocked
        contentmoderation policyviolation safetyviolation prohibitedcontent
        imagecontentpolicyviolation 1301
    """,
    ModelUnknown: """
        modelnotfound modelnotfounderror modelnotexist modelnotavailable
        modelnotsupported modeldecommissioned modelnotallowed unknownmodel invalidmodel
        deploymentnotfound resourcenotfoundexception
    """,
    Authentication: """
        invalidapikey incorrectapikey apikeyinvalid authenticationerror
        invalidauthenticationerror invalidauthentication unauthenticated unauthorized
        unrecognizedclientexception
    """,
    Permission: """
        permissionerror permissiondenied accessdeniedexception
    """,
    RateLimited: """
        ratelimitexceeded ratelimiterror ratelimitreached ratelimited ratelimit
        toomanyrequests toomanyrequestserror toomanyrequestsexception
        throttlingexception throttled resourceexhausted requestlimitexceeded 1302 1305
    """,
    Overloaded: """
        overloadederror overloaded engineoverloaded engineoverloadederror
        serveroverloaded serverisoverloaded modeloverloaded slowdown unavailable
        unavailableerror serviceunavailable serviceunavailableerror
        serviceunavailableexception modelnotreadyexception capacityexceeded overcapacity
    """,
    RequestTimeout: """
        timeout timeouterror requesttimeout deadlineexceeded modeltimeoutexception
        vectorstoretimeout
    """,
    ServerFailed: """
        servererror internalservererror internalservererrorexception
        internalserverexception internalerror internal apierror badgateway upstreamerror
        providererror modelstreamerrorexception modelerrorexception
    """,
    InvalidRequest: """
        invalidrequesterror badrequesterror badrequest invalidargument invalidvalue
        validationexception failedprecondition requesttoolarge notfounderror notfound
        tooluseerror toolusefailed unprocessableentity
        invalidprompt invalidimage invalidimageformat invalidbase64image invalidimageurl
        invalidimagemode unsupportedimagemediatype imagetoolarge imagetoosmall imageparseerror
        imagefiletoolarge imagefilenotfound emptyimagefile failedtodownloadimage
    """,
}
"""Codes and types in lower case, letters and digits only. Numbers are those of Z.ai; the codes of
images and prompts are those of a failed answer (API reference of Responses, `error.code`)."""

BY_NAME: dict[str, ErrorClass] = {
    name: error for error, names in _NAMES.items() for name in names.split()
}

_SPECIFIC = (Quota, ContextLength, ContentFiltered, ModelUnknown)
"""What a name may turn a plain 400, 403, 404, 413, 422 or 429 into."""

WORDING: tuple[tuple[re.Pattern[str], ErrorClass], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), error)
    for pattern, error in (
        (
            r"api[ _-]?key (?:is )?(?:not valid|invalid)|invalid (?:x-)?api[ _-]?key"
            r"|incorrect api[ _-]?key|api[ _-]?key (?:has )?expired",
            Authentication,
        ),
        (
            r"insufficient[ _](?:balance|credits?|funds|quota)|credit balance is too low"
            r"|(?:requires|need) more credits|out of credits|used all available credits"
            r"|never purchased credits|(?:doesn't|does not) have any credits"
            r"|exceeded your (?:current|monthly) (?:quota|spending|included credits)"
            r"|(?:spending|usage|budget) (?:limit|cap) (?:reached|exceeded)"
            r"|quota for your account|arrears|limit: 0\b|check your plan and billing"
            r"|limited to [\d,]{1,9} api calls / month",
            Quota,
        ),
        (
            r"(?:maximum|max) context length|context[ _]length|context[ _]window"
            r"|context size|exceeds? the (?:available |model'?s? )?(?:maximum )?context"
            r"|(?:prompt|input|messages?|request|conversation) (?:is|are|was)? ?too (?:long|large"
            r" for (?:the )?model)|total length of all messages is too long"
            r"|too many (?:input |prompt |total )?tokens(?!,? please wait| per| in)"
            r"|input tokens? exceed|input token count|input length (?:and|exceeds)"
            r"|prompt (?:contains|has) (?:too many|\d+) tokens"
            r"|exceeds? (?:the )?(?:maximum|limit|max)[^.]{0,60}(?:tokens|input length)"
            r"|(?:maximum|max)(?: allowed)?(?: number of)?(?: input| prompt)? tokens (?:allowed|is)"
            r"|maximum prompt length|reduce the length of|n_ctx|longer than the (?:model|maximum)"
            r"|exceeded model token limit|range of input length"
            r"|inputs\W{1,3}(?:tokens \+ \W?max_new_tokens\W must be|must have less than)",
            ContextLength,
        ),
        (
            r"content (?:management|filter|policy|moderation)|content_filter"
            r"|(?:input|prompt|request|content|output)[^.]{0,60}(?:was|were|is|been) (?:flagged|"
            r"blocked|rejected)[^.]{0,80}(?:safety|moderation|policy|policies|filter|violat)"
            r"|flagged as (?:potentially )?violating|input was flagged|usage polic(?:y|ies)"
            r"|safety (?:system|filter|guidelines)|inappropriate content"
            r"|sensitive (?:content|words)|content exists risk",
            ContentFiltered,
        ),
        (
            r"model:? .{0,160}?(?:not found|(?:does|do) not exist|doesn't exist|not exist"
            r"|has been (?:deprecated|decommissioned|removed|retired)|was removed|is not available"
            r"|no longer (?:available|supported|exists)|is unknown|not a valid model)"
            r"|(?:unknown|no such|invalid|unsupported) model(?! (?:input|output|parameter|request))"
            r"|model (?:identifier|id|name) is (?:invalid|not)|is not a valid model"
            r"|^model: \S+$|model[ _]not[ _](?:found|exist)|models?/\S+ is not found"
            r"|api deployment for this resource does not exist"
            r"|could not resolve the foundation model",
            ModelUnknown,
        ),
    )
)

_ABOUT_MAX_TOKENS = re.compile(
    r"max[_ ](?:completion_|output_)?tokens\W{0,3} ?(?:must|is too|value|should|cannot)",
    re.IGNORECASE,
)
"""A request for too long an answer speaks of context windows, too, and is a plain 400."""

_FLEX_CAPACITY = 498
"""Groq: the flex tier has no capacity left, ask again later (console.groq.com/docs/errors)."""

_REQUEST_ID_HEADERS = (
    "x-request-id",
    "request-id",
    "x-amzn-requestid",
    "apim-request-id",
    "x-ms-request-id",
    "x-goog-request-id",
    "cf-ray",
)


def classify(
    status: int | None,
    message: str,
    code: str | None = None,
    type: str | None = None,
    *,
    names: list[str] | None = None,
    retry_after: float | None = None,
    request_id: str | None = None,
) -> ResponseError:
    """Return the error that a service's answer stands for.

    `status` is that of the HTTP answer, or what an error event gives as such; None where there is
    none. `code` and `type` are the service's own words, `names` further ones. `retry_after` is in
    seconds.
    """
    words = [word for word in (code, type, *(names or ())) if word]
    error = _class_of(status, message, [_normal(word) for word in words])
    text = message or (words[0] if words else "") or "no reason given"
    found = error(text, status=status, retry_after=retry_after, request_id=request_id)
    if status == 409:
        found.retryable = True  # another request was in the way, for a moment
    return found


def error_of_answer(
    status: int, headers: Mapping[str, str], body: bytes, *, clock: Clock = wall_clock
) -> ResponseError:
    """Return the error of an HTTP answer that is not 2xx. `headers` have lower-case names."""
    value = parse(body)
    said = details(value, body)
    aws = headers.get("x-amzn-errortype")
    if aws:
        said.names.append(aws)
    message = said.message or f"HTTP {status} without an explanation"
    if value is None and said.message:
        message = f"HTTP {status}: {said.message}"
    found = classify(
        status,
        message,
        said.code,
        said.type,
        names=said.names,
        retry_after=retry_after(headers, value, said.message, clock=clock),
        request_id=_request_id(headers) or said.request_id,
    )
    if headers.get("x-should-retry", "").lower() == "false":
        found.retryable = False  # OpenAI and Anthropic say so; their own clients keep to it
    return found


def error_of_event(value: object, *, status: int | None = None) -> ResponseError:
    """Return the error of an error object inside a stream or an answer of status 200.

    The error's `status` is what the object itself gives as an HTTP status, if it does.
    """
    said: ErrorDetails = details(value)
    return classify(
        status or said.status,
        said.message,
        said.code,
        said.type,
        names=said.names,
        retry_after=retry_after({}, value, said.message),
        request_id=said.request_id,
    )


def _class_of(status: int | None, message: str, names: list[str]) -> ErrorClass:
    by_name = next((BY_NAME[name] for name in names if name in BY_NAME), None)
    specific = next((BY_NAME[n] for n in names if BY_NAME.get(n) in _SPECIFIC), None)
    if status is None:
        by_name = specific or by_name
        if by_name is None or by_name in (InvalidRequest, RateLimited):
            return _worded(message, names, by_name) or by_name or ServerFailed
        return by_name
    if status >= 500:
        return specific or BY_STATUS.get(status, ServerFailed)
    if status == _FLEX_CAPACITY and (by_name is Overloaded or "capacity" in message.lower()):
        return Overloaded
    plain = BY_STATUS.get(status, InvalidRequest)
    if status not in REFINED_STATUS:
        return plain
    if specific is not None:
        return specific
    if by_name is Authentication and status in (400, 404, 422):
        return Authentication
    return _worded(message, names, plain) or plain


def _worded(message: str, names: list[str], plain: ErrorClass | None) -> ErrorClass | None:
    """Return what the known wording says, where it may say something beyond `plain`."""
    google = "resourceexhausted" in names
    if google:
        # Google says "exceeded your current quota" of a limit per minute, too.
        daily = any("perday" in name for name in names) or "limit: 0" in message
        return Quota if daily else None
    for pattern, error in WORDING:
        if not pattern.search(message):
            continue
        if plain is RateLimited and error is not Quota:
            continue  # a 429 about tokens per minute speaks of tokens and models, too
        if error is ContextLength and _ABOUT_MAX_TOKENS.search(message):
            continue
        if plain is Permission and error not in (ContentFiltered, Quota):
            continue
        return error
    return None


def _normal(name: str) -> str:
    """Return `ThrottlingException:http://…` and `rate_limit_error` alike: letters and digits."""
    name = name.rpartition("#")[2].partition(":")[0]
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _request_id(headers: Mapping[str, str]) -> str | None:
    return next((headers[name] for name in _REQUEST_ID_HEADERS if headers.get(name)), None)
