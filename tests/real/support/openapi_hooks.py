"""Hooks for Schemathesis: signatures, and the values that depend on the deployment."""

import hashlib
import hmac
import itertools
import json
import os
import time
from urllib.parse import unquote, urlsplit

import schemathesis
from requests.auth import AuthBase
from schemathesis.core.parameters import ParameterLocation

IDENTITY = os.environ.get("ROOMKEY_IDENTITY")
API_KEY = os.environ.get("ROOMKEY_API_KEY")
API_SECRET = os.environ.get("ROOMKEY_API_SECRET", "")


class Signature(AuthBase):
    """Signs each request with a different timestamp, because a request is accepted only once."""

    seconds = itertools.cycle(range(290))

    def __call__(self, request):
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        timestamp = str(int(time.time()) - next(self.seconds))
        text = "\n".join([request.method, urlsplit(request.url).path, timestamp, hashlib.sha256(body).hexdigest()])
        signature = hmac.new(API_SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
        request.headers["X-Api-Key"] = API_KEY
        request.headers["X-RTCstack-Timestamp"] = timestamp
        request.headers["X-RTCstack-Signature"] = f"sha256={signature}"
        return request


if API_KEY:
    schemathesis.auth.set_from_requests(Signature()).apply_to(path_regex="/v1/token")


def size(value):
    return len(value.encode("utf-8", "surrogatepass"))


def fits(value, name=""):
    """Returns whether all strings are within their limits in bytes. A schema can only count characters."""
    if isinstance(value, str):
        return size(value) <= (4096 if "metadata" in name.lower() else 256)
    if isinstance(value, list):
        return all(fits(item) for item in value)
    if not isinstance(value, dict):
        return True
    if name in ("participant_attributes", "participantAttributes"):
        return sum(size(key) + (size(text) if isinstance(text, str) else 0) for key, text in value.items()) <= 4096
    return all(fits(member, key) for key, member in value.items())


def is_positive(case):
    return case.meta is not None and case.meta.generation.mode.is_positive


@schemathesis.hook
def filter_case(context, case):
    if not is_positive(case):
        # The signature class would replace a missing or invalid header with a valid one.
        return not ("/v1/token" in case.path and case.meta.is_negative_at(ParameterLocation.HEADER))
    body = case.body
    if isinstance(body, dict) and isinstance(body.get("metadata"), dict) and len(json.dumps(body["metadata"]).encode()) > 4096:
        return False
    return fits(body) and all(fits(unquote(name)) for name in (case.path_parameters or {}).values())


@schemathesis.hook
def map_case(context, case):
    """Sets identity and role to values that the deployment accepts."""
    if is_positive(case) and isinstance(case.body, dict):
        body = case.body
        for field in ("participant_identity", "participantIdentity"):
            if IDENTITY and body.get(field):
                body[field] = IDENTITY
        if isinstance(body.get("role"), str):
            body["role"] = ("host", "moderator", "participant", "viewer")[len(body["role"]) % 4]
    return case
