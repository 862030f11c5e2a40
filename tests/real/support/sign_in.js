// Sign-in of a person: the code flow with PKCE through the provider's pages.
import { createHash, randomBytes } from 'node:crypto';
import * as jose from 'jose';
import { CALLBACK, CLIENT } from './issuer.js';

/**
 * Signs `person` in and returns the provider's token answer: access_token, id_token. With `dpop` the access token is
 * bound to a key of the client (RFC 9449).
 */
export async function signIn(issuer, person, { alg = 'RS256', dpop = false } = {}) {
  const resource = `https://meet.example.com/${alg}`;
  const verifier = randomBytes(32).toString('base64url');
  const cookies = new Map();

  const visit = async (url, form) => {
    const response = await fetch(new URL(url, issuer.url), {
      method: form ? 'POST' : 'GET',
      body: form && new URLSearchParams(form),
      redirect: 'manual',
      headers: { cookie: [...cookies].map((pair) => pair.join('=')).join('; ') },
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = cookie.match(/^([^=]+)=([^;]*)/);
      cookies.set(name, value);
    }
    return response;
  };

  const question = new URLSearchParams({
    client_id: CLIENT,
    response_type: 'code',
    redirect_uri: CALLBACK,
    scope: 'openid email profile',
    resource,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  let response = await visit(`/auth?${question}`);
  for (let hop = 0; hop < 10; hop += 1) {
    const place = response.headers.get('location');
    if (!place) throw new Error(`sign-in stopped with ${response.status}: ${await response.text()}`);
    if (place.startsWith(CALLBACK)) return exchange(issuer, new URL(place), verifier, resource, dpop);
    const page = await visit(place);
    const prompt = page.status === 200 && (await page.text()).match(/name="prompt" value="(\w+)"/)?.[1];
    response = prompt ? await visit(place, { prompt, login: person, password: 'any' }) : page;
  }
  throw new Error('sign-in goes round in circles');
}

async function exchange(issuer, callback, verifier, resource, dpop) {
  const code = callback.searchParams.get('code');
  if (!code) throw new Error(`no code: ${callback.search}`);
  const response = await fetch(`${issuer.url}/token`, {
    method: 'POST',
    headers: dpop ? { dpop: await proof(`${issuer.url}/token`) } : {},
    body: new URLSearchParams({
      grant_type: 'authorization_code', client_id: CLIENT, redirect_uri: CALLBACK, code, code_verifier: verifier, resource,
    }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`token endpoint: ${JSON.stringify(answer)}`);
  return answer;
}

/** A DPoP proof for a POST request, with a key of its own. */
async function proof(url) {
  const { publicKey, privateKey } = await jose.generateKeyPair('ES256', { extractable: true });
  return new jose.SignJWT({ htm: 'POST', htu: url, jti: randomBytes(16).toString('base64url') })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: await jose.exportJWK(publicKey) })
    .setIssuedAt()
    .sign(privateKey);
}
