// The OpenAPI document, comparison of responses with it, and Schemathesis, which tests a service against it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { parse, stringify } from 'yaml';
import { startGateway } from './gateway.js';
import { repository, start, work } from './processes.js';

export const DOCUMENT = `${repository}docs/openapi.yaml`;
export const readDocument = () => parse(readFileSync(DOCUMENT, 'utf8'));

const document = readDocument();
const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
ajv.addSchema(document, 'document');

/** Returns the target of a reference, or the thing itself. */
export function resolve(thing, from = document) {
  if (!thing?.$ref) return thing;
  return thing.$ref.slice(2).split('/').reduce((part, name) => part[name.replaceAll('~1', '/').replaceAll('~0', '~')], from);
}

/** Returns every `code` that a schema permits. */
export function codesIn(schema) {
  const { code } = schema?.properties ?? {};
  return code?.enum ?? (code?.const === undefined ? [] : [code.const]);
}

/** Returns the document's path for a path of a request, which can start with a stage; undefined if there is none. */
export function templateOf(path) {
  const fits = (template) => new RegExp(`${template.replace(/\{\w+\}/g, '[^/]+')}$`).test(path);
  // Longer ones first, as in the service.
  return Object.keys(document.paths).sort((one, other) => other.length - one.length).find(fits);
}

/** Returns the deviations of a response from the document as a list of messages. */
export function faultsOf({ method, path, status, headers, bytes }) {
  const item = document.paths[templateOf(path)];
  // The response to an unsupported method is described by every operation of the path.
  const operation = item?.[method.toLowerCase()] ?? item?.[['post', 'delete', 'get', 'put'].find((name) => item[name])];
  if (!operation) return [`no path ${path}`];
  const response = resolve(operation.responses[status]);
  if (!response) return [`no status ${status}`];
  const faults = [];
  for (const [name, reference] of Object.entries(response.headers ?? {})) {
    const { required, schema } = resolve(reference);
    const value = headers[name.toLowerCase()];
    if (value === undefined && required) faults.push(`no header ${name}`);
    const read = schema.type === 'integer' ? Number(value) : value;
    if (value !== undefined && !ajv.validate(schema, read)) faults.push(`${name}: ${value}`);
  }
  const type = headers['content-type'];
  if (!response.content) return bytes.length === 0 ? faults : [...faults, 'a body'];
  const content = response.content[type];
  if (!content) return [...faults, `no content of type ${type}`];
  const body = type.includes('json') ? JSON.parse(bytes) : bytes.toString('utf8');
  // References in the schema refer to the document.
  const schema = JSON.parse(JSON.stringify(content.schema).replaceAll('"#/', '"document#/'));
  if (!ajv.validate(schema, body)) faults.push(...ajv.errors.map(({ instancePath, message }) => `${instancePath} ${message}`));
  return faults;
}

/** Starts a gateway before `lambda` that passes on paths unchanged. `answers` records requests and responses. */
export async function startRecorded(lambda) {
  const answers = [];
  const invoke = async (event) => {
    const answer = await lambda.invoke(event);
    answers.push({ method: event.requestContext.http.method, path: event.rawPath, ...answer });
    return answer;
  };
  return { ...await startGateway({ invoke }, { isFunctionUrl: true }), answers };
}

/**
 * Merges some paths of several documents into one. Each path gets a prefix, which the service treats as the stage of a
 * gateway. `several` maps prefixes to documents.
 */
export function merged(several) {
  const one = { ...readDocument(), paths: {} };
  for (const [prefix, { changed, paths }] of Object.entries(several)) {
    const { paths: all, components: { securitySchemes, ...components } } = JSON.parse(
      JSON.stringify(changed).replaceAll(/"#\/components\/(\w+)\//g, `"#/components/$1/${prefix}_`)
        .replaceAll('"operationId":"', `"operationId":"${prefix}_`),
    );
    for (const path of paths) one.paths[`/${prefix}${path}`] = all[path];
    for (const [kind, parts] of Object.entries(components)) {
      for (const [name, part] of Object.entries(parts)) one.components[kind][`${prefix}_${name}`] = part;
    }
  }
  return one;
}

/** Returns the IDs of the failures in a report of Schemathesis by path. */
export function failuresIn(report) {
  const failures = {};
  for (const [, path, text] of report.matchAll(/^_+ [A-Z]+ (\S+) _+$(.*?)(?=^_{3,}|^={3,})/gms)) {
    failures[path] = [...failures[path] ?? [], ...[...text.matchAll(/^- (ST\d+) /gm)].map(([, name]) => name)];
  }
  return failures;
}

const CONFIG = fileURLToPath(new URL('openapi.toml', import.meta.url));
const SUPPORT = fileURLToPath(new URL('.', import.meta.url));

/**
 * Runs Schemathesis with the document, or with a `changed` one, against the service at `url`. Returns its report, and
 * whether it found nothing. `env` is passed to its hooks.
 */
export async function schemathesis(url, { args = [], env = {}, changed, seconds = 120 } = {}) {
  const folder = mkdtempSync(`${tmpdir()}/schemathesis-`);
  try {
    if (changed) writeFileSync(`${folder}/openapi.yaml`, stringify(changed, { aliasDuplicateObjects: false }));
    const program = start(
      `${work}/checks/bin/schemathesis`,
      ['--config-file', CONFIG, 'run', changed ? `${folder}/openapi.yaml` : DOCUMENT, '--url', url, ...args],
      {
        // Schemathesis writes files to its working directory.
        cwd: folder,
        env: {
          PATH: process.env.PATH, HOME: folder, PYTHONPATH: SUPPORT, PYTHONDONTWRITEBYTECODE: '1',
          SCHEMATHESIS_HOOKS: 'openapi_hooks', ...env,
        },
        seconds,
      },
    );
    const [status] = await program.exited;
    return { isClean: status === 0, report: program.output };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
