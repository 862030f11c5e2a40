"""LiveKit's token endpoint for Lambda in Python."""

import base64
import hashlib
import json
import logging
import os
import uuid
from datetime import timedelta
from urllib.request import urlopen

import boto3
import jwt
from livekit import api

PALETTE = [
    "#E74C3C", "#8E44AD", "#6C5CE7", "#2E86AB", "#1E3A8A", "#059669", "#D97706", "#DC2626",
    "#7C2D12", "#92400E", "#78350F", "#374151", "#0D9488", "#7C3AED", "#5B21B6",
]
ISSUER = os.environ["OIDC_ISSUER"]
AUDIENCE = os.environ["OIDC_AUDIENCE"]
ORIGINS = os.environ.get("ALLOWED_ORIGINS", "").split(",")

log = logging.getLogger()
log.setLevel(logging.INFO)


def find_keys() -> str:
    if uri := os.environ.get("OIDC_JWKS_URI"):
        return uri
    with urlopen(f"{ISSUER}/.well-known/openid-configuration", timeout=3) as answer:
        return json.load(answer)["jwks_uri"]


manager = boto3.client("secretsmanager")
secret = json.loads(
    manager.get_secret_value(SecretId=os.environ["LIVEKIT_SECRET_ID"])["SecretString"]
)
keys = jwt.PyJWKClient(find_keys(), lifespan=600)
keys.get_signing_keys()


def authenticate(header: str) -> dict | None:
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        return None
    try:
        return jwt.decode(
            token,
            keys.get_signing_key_from_jwt(token),
            algorithms=["RS256", "ES256"],
            audience=AUDIENCE,
            issuer=ISSUER,
            leeway=5,
            options={"require": ["aud", "exp", "iss", "sub"]},
        )
    except jwt.PyJWTError:
        return None


def answer(status: int, body: dict, origin: str | None) -> dict:
    headers = {"cache-control": "no-store", "content-type": "application/json"}
    if origin in ORIGINS:
        headers |= {"access-control-allow-origin": origin, "vary": "Origin"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}


def handler(event: dict, _context) -> dict:
    origin = event["headers"].get("origin")
    claims = authenticate(event["headers"].get("authorization", ""))
    if claims is None:
        return answer(401, {"code": "invalid_token"}, origin)
    identity = claims.get("email")
    if not identity:
        return answer(404, {"code": "email_not_set"}, origin)
    if not claims.get("email_verified"):
        return answer(403, {"code": "email_not_verified"}, origin)

    text = event.get("body") or "{}"
    if event.get("isBase64Encoded"):
        text = base64.b64decode(text)
    try:
        asked = json.loads(text)
    except ValueError:
        return answer(400, {"code": "invalid_request"}, origin)
    name = claims.get("name", "Unnamed User")
    room = asked.get("room_name") or f"room-{uuid.uuid4()}"
    digest = hashlib.sha256(identity.encode()).digest()
    attributes = {
        "color": PALETTE[int.from_bytes(digest[:4], "big") % len(PALETTE)],
        "role": "participant",
    }
    if picture := claims.get("picture"):
        attributes["imageUrl"] = picture

    token = (
        api.AccessToken(secret["LIVEKIT_API_KEY"], secret["LIVEKIT_API_SECRET"])
        .with_identity(identity)
        .with_name(name)
        .with_ttl(timedelta(seconds=600))
        .with_metadata(asked.get("participant_metadata", ""))
        .with_attributes(attributes)
        .with_grants(api.VideoGrants(room_join=True, room=room))
    )
    body = {
        "server_url": secret["LIVEKIT_URL"],
        "participant_token": token.to_jwt(),
        "room_name": room,
        "participant_name": name,
    }
    log.info(json.dumps({"outcome": "issued", "room": room, "sub": claims["sub"]}))
    return answer(201, body, origin)
