// LiveKit's token endpoint for Lambda in Node. Everything that does not depend on a request runs at
// the top level, and fetched values are cached.

import { createHash } from "node:crypto";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { AccessToken } from "livekit-server-sdk";

const { ALLOWED_ORIGINS, LIVEKIT_SECRET_ID, OIDC_AUDIENCE, OIDC_ISSUER, OIDC_JWKS_URI } =
  process.env;
const origins = new Set((ALLOWED_ORIGINS ?? "").split(","));
const palette = [
  "#E74C3C", "#8E44AD", "#6C5CE7", "#2E86AB", "#1E3A8A", "#059669", "#D97706", "#DC2626",
  "#7C2D12", "#92400E", "#78350F", "#374151", "#0D9488", "#7C3AED", "#5B21B6",
];

async function fetchSecret() {
  const manager = new SecretsManagerClient({});
  const answer = await manager.send(new GetSecretValueCommand({ SecretId: LIVEKIT_SECRET_ID }));
  return JSON.parse(answer.SecretString);
}

async function findKeys() {
  if (OIDC_JWKS_URI) return OIDC_JWKS_URI;
  const answer = await fetch(`${OIDC_ISSUER}/.well-known/openid-configuration`);
  return (await answer.json()).jwks_uri;
}

async function fetchKeys() {
  const keys = createRemoteJWKSet(new URL(await findKeys()));
  await keys.reload();
  return keys;
}

const [secret, keys] = await Promise.all([fetchSecret(), fetchKeys()]);

async function authenticate(header) {
  const [scheme, token] = (header ?? "").split(" ");
  if (scheme.toLowerCase() !== "bearer" || !token) return undefined;
  try {
    const { payload } = await jwtVerify(token, keys, {
      algorithms: ["RS256", "ES256"],
      audience: OIDC_AUDIENCE,
      clockTolerance: 5,
      issuer: OIDC_ISSUER,
      requiredClaims: ["exp", "sub"],
    });
    return payload;
  } catch {
    return undefined;
  }
}

function answer(statusCode, body, origin) {
  const headers = { "cache-control": "no-store", "content-type": "application/json" };
  if (origins.has(origin)) {
    headers["access-control-allow-origin"] = origin;
    headers.vary = "Origin";
  }
  return { statusCode, headers, body: JSON.stringify(body) };
}

export async function handler(event) {
  const { authorization, origin } = event.headers;
  const claims = await authenticate(authorization);
  if (!claims) return answer(401, { code: "invalid_token" }, origin);
  if (!claims.email) return answer(404, { code: "email_not_set" }, origin);
  if (!claims.email_verified) return answer(403, { code: "email_not_verified" }, origin);

  let asked;
  try {
    const text = event.isBase64Encoded ? Buffer.from(event.body, "base64").toString() : event.body;
    asked = text ? JSON.parse(text) : {};
  } catch {
    return answer(400, { code: "invalid_request" }, origin);
  }
  const identity = claims.email;
  const name = claims.name ?? "Unnamed User";
  const room = asked.room_name ?? `room-${crypto.randomUUID()}`;
  const digest = createHash("sha256").update(identity).digest();
  const attributes = { color: palette[digest.readUInt32BE(0) % palette.length], role: "participant" };
  if (claims.picture) attributes.imageUrl = claims.picture;

  const token = new AccessToken(secret.LIVEKIT_API_KEY, secret.LIVEKIT_API_SECRET, {
    attributes,
    identity,
    metadata: asked.participant_metadata,
    name,
    ttl: 600,
  });
  token.addGrant({ room, roomJoin: true, canPublish: true, canPublishData: true, canSubscribe: true });
  const body = {
    server_url: secret.LIVEKIT_URL,
    participant_token: await token.toJwt(),
    room_name: room,
    participant_name: name,
  };
  console.log(JSON.stringify({ outcome: "issued", room, sub: claims.sub }));
  return answer(201, body, origin);
}
