// The OpenAPI document, answers that are held against it, and Schemathesis, which asks a service what it says.
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

/** What `reference` points at, or the thing itself. */
export function resolve(thing, from = document) {
  if (!thing?.$ref) return thing;
  return thing.$ref.slice(2).split('/').reduce((part, name) => part[name.replaceAll('~1', '/').replaceAll('~0', '~')], from);
}

/** Every `code` that a schema lets an answer have. */
export function codesIn(schema) {
  const { code } = schema?.properties ?? {};
  return code?.enum ?? (code?.const === undefined ? [] : [code.const]);
}

/** The document's path for a request's, which may have a stage in front; undefined where there is none. */
export function templateOf(path) {
  const fits = (template) => new RegExp(`${template.replace(/\{\w+\}/g, '[^/]+')}$`).test(path);
  // Longer ones first, as in the service.
  return Object.keys(document.paths).sort((one, other) => other.length - one.length).find(fits);
}

/** What is wrong with an answer to such a request, by the document: a list of sentences. */
export function faultsOf({ method, path, status, headers, bytes }) {
  const item = document.paths[templateOf(path)];
  // Of a method that a path does not have, each of its operations says what is answered.
  const operation = item?.[method.toLowerCase()] ?? item?.[['post', 'delete', 'get'].find((name) => item[name])];
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
  // References in it are to the document.
  const schema = JSON.parse(JSON.stringify(content.schema).replaceAll('"#/', '"document#/'));
  if (!ajv.validate(schema, body)) faults.push(...ajv.errors.map(({ instancePath, message }) => `${instancePath} ${message}`));
  return faults;
}

/** `lambda` behind a gateway that hands on paths as they came. `answers` remembers what was asked and answered. */
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
 * One document of several: some paths of each, behind a prefix, which the service takes for a gateway's stage. `several`
 * has them by prefix.
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

/** The names of the failures that a report of Schemathesis' has, by path. */
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
 * Lets Schemathesis ask the service at `url` what the document says, or a `changed` one. Gives its report, and whether it
 * found nothing. `env` is for its hooks.
 */
export async function schemathesis(url, { args = [], env = {}, changed, seconds = 120 } = {}) {
  const folder = mkdtempSync(`${tmpdir()}/schemathesis-`);
  try {
    if (changed) writeFileSync(`${folder}/openapi.yaml`, stringify(changed, { aliasDuplicateObjects: false }));
    const program = start(
      `${work}/checks/bin/schemathesis`,
      ['--config-file', CONFIG, 'run', changed ? `${folder}/openapi.yaml` : DOCUMENT, '--url', url, ...args],
      {
        // It keeps things in its folder.
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
