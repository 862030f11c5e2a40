// TLS in front of a service without TLS, with a self-signed certificate.
import { createServer } from 'node:tls';
import { connect } from 'node:net';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { run } from './processes.js';

/** Creates a self-signed certificate for `localhost`. Its two files are below `path`. */
export function newCertificate(path) {
  const files = { key: `${path}.key.pem`, certificate: `${path}.pem` };
  run('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-days', '1', '-subj', '/CN=localhost',
    '-addext', 'subjectAltName=DNS:localhost', '-addext', 'basicConstraints=critical,CA:FALSE',
    '-keyout', files.key, '-out', files.certificate,
  ]);
  return files;
}

/** Forwards connections to `port` on this machine. `protocols` records each successful handshake. */
export async function startTls({ key, certificate }, port) {
  const sockets = new Set();
  const protocols = [];
  const server = createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (outer) => {
    protocols.push(outer.getProtocol());
    const inner = connect(port, '127.0.0.1');
    for (const [from, to] of [[outer, inner], [inner, outer]]) {
      sockets.add(from);
      from.on('error', () => to.destroy()).on('close', () => { sockets.delete(from); to.destroy(); }).pipe(to);
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://localhost:${server.address().port}`,
    protocols,
    stop: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
