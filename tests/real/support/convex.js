// A stand-in for Convex's backend: the real `convex` package runs the app's functions, and its system calls are answered
// from tables in memory.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const folder = fileURLToPath(new URL('..', import.meta.url));

/** Modules that `npx convex codegen` writes, by path. */
const GENERATED = {
  './_generated/server': 'export { httpActionGeneric as httpAction, internalQueryGeneric as internalQuery } from "convex/server";',
  './_generated/api': 'export { anyApi as internal } from "convex/server";',
};

/**
 * Loads the TypeScript `files` of the folder `convex`, by name, and returns a function that handles requests as the
 * backend does. `identityOf` returns the identity of the request's headers, or `null`.
 */
export async function startConvex({ files, tables, identityOf }) {
  const names = Object.keys(files);
  const { outputFiles: [{ text }] } = await build({
    stdin: { contents: names.map((name) => `export * as ${name} from "./${name}";`).join('\n'), resolveDir: folder },
    bundle: true, write: false, format: 'esm', platform: 'node', absWorkingDir: folder,
    plugins: [{
      name: 'convex',
      setup({ onResolve, onLoad }) {
        onResolve({ filter: /^\.\// }, ({ path }) => (path in GENERATED || path.slice(2) in files ? { path, namespace: 'app' } : undefined));
        onLoad({ filter: /.*/, namespace: 'app' }, ({ path }) => (
          { contents: GENERATED[path] ?? files[path.slice(2)], loader: 'ts', resolveDir: folder }));
      },
    }],
  });
  const modules = await import(`data:text/javascript;base64,${Buffer.from(text).toString('base64')}`);
  const streams = [];
  let headers;

  const calls = {
    '1.0/getUserIdentity': () => identityOf(headers),
    '1.0/actions/query': async ({ name, args }) => {
      const [file, member] = name.split(':');
      return JSON.parse(await modules[file][member].invokeQuery(JSON.stringify([args])));
    },
    '1.0/queryStream': ({ query: { source, operators } }) => {
      const isKnown = source.type === 'IndexRange' && operators.every(({ limit }) => limit !== undefined);
      if (!isKnown) throw new Error(`unknown query: ${JSON.stringify({ source, operators })}`);
      const rows = tables[source.indexName.split('.')[0]];
      const isEqual = (row) => source.range.every(({ type, fieldPath, value }) => type === 'Eq' && row[fieldPath] === value);
      const found = rows.filter(isEqual).slice(0, operators[0]?.limit);
      return { queryId: streams.push(found.values()) - 1 };
    },
    '1.0/queryStreamNext': ({ queryId }) => {
      const { value = null, done } = streams[queryId].next();
      return { value, done };
    },
    '1.0/queryCleanup': () => null,
  };
  globalThis.Convex = {
    syscall: (operation, args) => JSON.stringify(calls[operation](JSON.parse(args))),
    asyncSyscall: async (operation, args) => JSON.stringify(await calls[operation](JSON.parse(args))),
  };

  return async (request) => {
    const route = modules.http.default.lookup(new URL(request.url).pathname, request.method);
    if (route === null) return new Response('No matching routes found', { status: 404 });
    headers = Object.fromEntries(request.headers);
    return route[0].invokeHttpAction(request);
  };
}
