// The chat's own backend: it serves the page, and signs tokens for its users. No message goes through it.
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { SignJWT } from 'jose';

const locator = setting('LOCATOR_URL');
// the secret that locators check tokens with, as text or behind base64:; of several, the newest comes first
const [newest = ''] = setting('RINGWAY_AUTH_KEYS').split(/[\s,]+/);
const secret = newest.startsWith('base64:') ? Buffer.from(newest.slice(7), 'base64') : Buffer.from(newest);
const port = Number(process.env['PORT'] ?? 3000);

/** Everyone may write to anyone, join rooms and write there. Nothing else: nobody reads another's channel. */
const CAPABILITIES = { publish: ['user:*', 'group:room-*'], join: ['group:room-*'] };

const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/chat.js': ['chat.js', 'text/javascript; charset=utf-8'],
  '/chat.css': ['chat.css', 'text/css; charset=utf-8'],
};

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost');
  const file = FILES[pathname];
  if (request.method === 'GET' && file !== undefined) {
    const [name, type] = file;
    response.setHeader('content-type', type).end(await readFile(join(import.meta.dirname, name)));
  } else if (request.method === 'GET' && pathname === '/config') {
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ locator }));
  } else if (request.method === 'POST' && pathname === '/token') {
    const user = whoIs(request);
    response.setHeader('cache-control', 'no-store');
    if (user === undefined) response.writeHead(401).end('sign in first');
    else response.end(await tokenFor(user));
  } else {
    response.writeHead(404).end();
  }
});
server.listen(port, '127.0.0.1', () =>
  console.log(`Open http://127.0.0.1:${port} in two windows, and talk.`),
);

/** Who is signed in: here your application looks into its session. This example believes the name that the page sends. */
function whoIs(request: IncomingMessage): string | undefined {
  const name = request.headers['x-name'];
  return typeof name === 'string' && /^[a-z0-9-]{1,32}$/.test(name) ? name : undefined;
}

/** Who it is and what they may do. The SDK asks for the next one before this has run out. */
function tokenFor(user: string): Promise<string> {
  return new SignJWT({ cap: CAPABILITIES })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(user)
    .setExpirationTime('10m')
    .sign(secret);
}

function setting(name: string): string {
  const value = process.env[name];
  if (value !== undefined && value !== '') return value;
  console.error(`${name} is not set: see README.md`);
  process.exit(2);
}
