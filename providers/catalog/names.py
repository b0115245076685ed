"""How the same model is written in different places. Pure string rules; no table is read here.

A service serves one model under a dated id and an undated alias, Google prefixes `models/`, Bedrock
prefixes a region and appends a version. None of these rules ever leads from one model to another of
a different name.
"""

import re

# Everything up to `models/` (Google's resource names), and an ARN up to its resource id.
_RESOURCE = re.compile(r"^(?:.*/)?models/|^arn:[^/]*/")
# docs.aws.amazon.com/bedrock: cross-region inference profiles, by geography.
_GEOGRAPHY = re.compile(r"^(?:us-gov|us|eu|apac|ap|au|jp|ca|sa|ug|global)\.(?=[a-z0-9]+\.)")
# Bedrock's version, and the window that a provisioned id may name after it: `-v1:0`, `-v2:0:200k`.
_VERSION = re.compile(r"(?:(?<=-\d{8})-v\d+(?::\d+)?|-v1(?::0)?|-1:0)(?::\d+k)?$")
# A day (20250929, 2024-08-06, preview-05-06), a month and day or year and month (0613, 2411),
# Google's revision (001), or the alias of the newest.
_DATE = re.compile(
    r"(?:[-@]20\d{6}|-20\d\d-\d\d-\d\d|-(?:preview|exp)-\d\d-\d\d(?:-20\d\d)?|-preview-\d\d-20\d\d"
    r"|-(?:0[1-9]|1[0-2])[0-3]\d|-2[2-9](?:0[1-9]|1[0-2])|-00\d|-latest)$"
)


def bare(model: str) -> str:
    """Return `model` in lower case without resource and region prefixes."""
    return _GEOGRAPHY.sub("", _RESOURCE.sub("", model.lower()))


def undated(name: str) -> str:
    """Return a bare name without its version and date."""
    return _DATE.sub("", _VERSION.sub("", name))
