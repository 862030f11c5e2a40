// The workflows, Dependabot's file and the forms that GitHub uses. GitHub is not available here, so
// its schemas (check-jsonschema has copies), two linters and this suite check them.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { repository, run, work } from './support/processes.js';

const github = `${repository}.github`;
const read = (path) => readFileSync(`${repository}${path}`, 'utf8');
const names = readdirSync(`${github}/workflows`);
const workflows = new Map(names.map((name) => [name, parse(read(`.github/workflows/${name}`))]));
const jobs = [...workflows].flatMap(([name, { jobs: all }]) => Object.entries(all).map(([id, job]) => ({ name, id, job })));
const steps = jobs.flatMap(({ name, id, job }) => (job.steps ?? []).map((step) => ({ name, id, step })));
/** Returns every line of every script. Lines that end in a backslash are joined. */
const commands = (name) => steps.filter((step) => step.name === name && step.step.run)
  .flatMap(({ step }) => step.run.replaceAll('\\\n', ' ').split('\n').map((line) => line.trim()).filter(Boolean));

describe('linters', () => {
  test('actionlint', () => {
    run(`${work}/actionlint`, ['-shellcheck=', '-pyflakes=', ...names.map((name) => `${github}/workflows/${name}`)]);
  });

  test('zizmor', () => {
    run(`${work}/checks/bin/zizmor`, ['--offline', '--no-progress', '--strict-collection', github]);
  });

  const schemas = {
    'github-workflows': names.map((name) => `workflows/${name}`),
    dependabot: ['dependabot.yml'],
    'github-issue-config': ['ISSUE_TEMPLATE/config.yml'],
    'github-issue-forms': readdirSync(`${github}/ISSUE_TEMPLATE`).filter((name) => name !== 'config.yml').map((name) => `ISSUE_TEMPLATE/${name}`),
  };
  for (const [schema, files] of Object.entries(schemas)) {
    test(`GitHub's schema: ${schema}`, () => {
      assert.ok(files.length > 0);
      run(`${work}/checks/bin/check-jsonschema`, ['--builtin-schema', `vendor.${schema}`, ...files.map((file) => `${github}/${file}`)]);
    });
  }
});

describe('every workflow', () => {
  test('repository has the four workflows', () => assert.deepEqual(names.sort(), ['audit.yml', 'ci.yml', 'real.yml', 'release.yml']));

  test('actions are pinned to a commit with the version in a comment', () => {
    const used = names.flatMap((name) => [...read(`.github/workflows/${name}`).matchAll(/^\s*(?:- )?uses: (.*)$/gm)].map(([, text]) => text));
    assert.equal(used.length, steps.filter(({ step }) => step.uses).length + jobs.filter(({ job }) => job.uses).length);
    const versions = new Map();
    for (const text of used.filter((text) => !text.startsWith('./'))) {
      const [, action, commit, version] = text.match(/^([\w.-]+\/[\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$/) ?? assert.fail(text);
      assert.equal(`${commit} ${version}`, versions.get(action) ?? `${commit} ${version}`, `${action} has two versions`);
      versions.set(action, `${commit} ${version}`);
      assert.match(action, /^actions\//, 'GitHub\'s own alone');
    }
  });

  for (const [name, workflow] of workflows) {
    test(`${name} has read permission only, except for single jobs`, () => assert.deepEqual(workflow.permissions, { contents: 'read' }));
    test(`${name} limits concurrent runs`, () => assert.ok(workflow.concurrency?.group.includes('${{ github.ref }}')));
    test(`${name} does not run with the rights of the target`, () => {
      for (const event of ['pull_request_target', 'workflow_run', 'issue_comment']) assert.ok(!(event in workflow.on), event);
    });
    test(`${name} uses no secret`, () => assert.doesNotMatch(read(`.github/workflows/${name}`), /\bsecrets\b/));
    test(`${name} inserts no untrusted values into scripts`, () => {
      for (const { step } of steps.filter((step) => step.name === name)) assert.doesNotMatch(step.run ?? '', /\$\{\{/);
    });
  }

  test('only the release has write permission', () => {
    const writing = jobs.filter(({ job }) => job.permissions).map(({ name, id }) => `${name} ${id}`);
    assert.deepEqual(writing, ['release.yml publish']);
    assert.deepEqual(workflows.get('release.yml').jobs.publish.permissions, {
      contents: 'write', 'id-token': 'write', attestations: 'write',
    });
  });

  for (const { name, id, job } of jobs.filter(({ job }) => !job.uses)) {
    test(`${name} ${id} has a timeout`, () => assert.ok(job['timeout-minutes'] <= 150));
  }

  test('checkout does not persist credentials', () => {
    const checkouts = steps.filter(({ step }) => step.uses?.startsWith('actions/checkout@'));
    for (const { name, step } of checkouts) assert.equal(step.with?.['persist-credentials'], false, name);
  });
});

describe('consistency with the repository', () => {
  const [, version] = read('Cargo.toml').match(/^rust-version = "(.+)"$/m);

  test('Rust\'s version', () => {
    const [, channel] = read('rust-toolchain.toml').match(/^channel = "(.+)"$/m);
    assert.ok(`${channel}.`.startsWith(`${version}.`), `${channel} is not ${version}`);
    assert.equal(workflows.get('real.yml').jobs.real.container.image, `rust:${version}-bookworm`);
    for (const name of names) {
      assert.doesNotMatch(read(`.github/workflows/${name}`), /RUST_VERSION/, name);
      const toolchains = commands(name).filter((line) => /^rustup (default|toolchain)\b/.test(line));
      assert.ok(toolchains.length > 0, name);
      for (const line of toolchains) assert.equal(line, 'rustup toolchain install --no-self-update', name);
    }
  });

  const justfile = read('justfile');
  const ran = (name) => commands(name).filter((line) => /^just /.test(line)).map((line) => line.replace('just ', ''));

  test('ci runs the recipes of `just check`, and the book', () => {
    const [, check] = justfile.match(/^check: (.*)$/m);
    assert.deepEqual(ran('ci.yml').sort(), [...check.split(' '), 'book'].sort());
    assert.deepEqual(commands('ci.yml').filter((line) => /^cargo (?!install)/.test(line)), [], 'recipes alone');
  });

  test('recipes in .ci/run and CONTRIBUTING.md exist', () => {
    const recipes = [...justfile.matchAll(/^([a-z][a-z-]*)[^:\n]*:(?!=)/gm)].map(([, name]) => name);
    for (const path of ['.ci/run', 'CONTRIBUTING.md', 'fuzz/README.md']) {
      const named = [...read(path).matchAll(/(?:^\$ |^step .*" |=true )just ([a-z][a-z-]*)/gm)].map(([, name]) => name);
      assert.ok(named.length > 0, path);
      for (const name of named) assert.ok(recipes.includes(name), `${path}: just ${name}`);
    }
    const [, check] = justfile.match(/^check: (.*)$/m);
    for (const name of check.split(' ')) assert.match(read('.ci/run'), new RegExp(`^step .* just ${name}$`, 'm'));
  });

  test('ci, the release and the recipes use the dependencies of Cargo.lock', () => {
    const recipes = justfile.split('\n').map((line) => line.trim().replace(/^RUSTDOCFLAGS=-Dwarnings /, ''));
    for (const [name, lines] of [...names.map((name) => [name, commands(name)]), ['justfile', recipes]]) {
      for (const command of lines.filter((line) => /^cargo (bench|build|clippy|doc|test|install|deny|lambda)/.test(line))) {
        assert.match(command, / --locked\b/, `${name}: ${command}`);
      }
    }
  });

  test('mdBook is the same in ci and in .ci/install.sh', () => {
    assert.match(read('.ci/install.sh'), new RegExp(`^cargo_tool mdbook ${workflows.get('ci.yml').jobs.book.env.MDBOOK_VERSION} `, 'm'));
    assert.match(read('.ci/install.sh'), new RegExp(`^cargo_tool cargo-deny ${workflows.get('audit.yml').env.CARGO_DENY_VERSION}$`, 'm'));
  });

  test('real runs .ci/run, which exists and is executable', () => {
    assert.ok(commands('real.yml').includes('.ci/run'));
    assert.ok(existsSync(`${repository}.ci/run`));
  });

  test('audit checks every section of deny.toml', () => {
    const sections = [...read('deny.toml').matchAll(/^\[(\w+)\]$/gm)].map(([, section]) => section).filter((section) => section !== 'graph');
    assert.deepEqual(sections.sort(), ['advisories', 'bans', 'licenses', 'sources']);
    assert.ok(commands('audit.yml').some((command) => command === 'cargo deny --locked check'), 'all four');
  });

  test('folders of Dependabot contain its manifests', () => {
    const files = { cargo: 'Cargo.toml', npm: 'package.json', pip: /requirements\.txt$/, gomod: 'go.mod', 'github-actions': '.github' };
    for (const { 'package-ecosystem': kind, directory, directories = [directory] } of parse(read('.github/dependabot.yml')).updates) {
      for (const folder of directories) {
        const found = readdirSync(`${repository}${folder}`);
        assert.ok(found.some((file) => (files[kind] instanceof RegExp ? files[kind].test(file) : file === files[kind])), `${kind} ${folder}`);
      }
    }
  });
});

describe('the release', () => {
  const release = workflows.get('release.yml');
  const architectures = release.jobs.build.strategy.matrix.include.map(({ architecture }) => architecture);

  test('release starts from a tag only', () => assert.deepEqual(release.on, { push: { tags: ['v*.*.*'] } }));

  test('release is checked before the build and built before publication', () => {
    assert.equal(release.jobs.check.uses, './.github/workflows/ci.yml');
    assert.ok('workflow_call' in workflows.get('ci.yml').on);
    assert.deepEqual(release.jobs.build.needs, ['version', 'check']);
    assert.deepEqual(release.jobs.publish.needs, ['version', 'build']);
  });

  test('release has both architectures of the template', () => {
    const [, allowed] = read('template.yaml').match(/\n {2}Architecture:\n(?: {4}.*\n)*? {4}AllowedValues: \[(.*)\]/);
    assert.deepEqual(architectures.sort(), allowed.split(', ').sort());
  });

  test('release names its archives as in the documentation', () => {
    assert.ok(commands('release.yml').includes('zip -9 -X -j "dist/roomkey-$VERSION-$ARCHITECTURE.zip" target/lambda/bootstrap/bootstrap'));
    assert.ok(commands('release.yml').some((line) => line.startsWith('sha256sum "roomkey-$VERSION-arm64.zip" "roomkey-$VERSION-x86_64.zip"')));
    const pages = ['README.md', ...readdirSync(`${repository}docs`).map((name) => `docs/${name}`)].filter((page) => page.endsWith('.md'));
    for (const page of pages) {
      for (const [name, architecture] of read(page).matchAll(/roomkey-[^\s`"/]*?-(\w+)\.zip/g)) {
        assert.ok([...architectures, '*'].includes(architecture), `${page}: ${name}`);
        assert.match(name, /^roomkey-(<version>|\$VERSION|\$\{VERSION\}|\d+\.\d+\.\d+)-/i, page);
      }
    }
  });

  test('release uses no cache and attests its artifacts', () => {
    assert.ok(!steps.some(({ name, step }) => name === 'release.yml' && step.uses?.startsWith('actions/cache@')));
    const published = release.jobs.publish.steps.map(({ uses = '', run: script = '' }) => uses.split('@')[0] || script.split(' ').slice(0, 3).join(' '));
    const attested = published.findIndex((step) => step.startsWith('actions/attest'));
    assert.ok(attested > 0 && attested < published.indexOf('gh release create'), published);
    assert.equal(release.jobs.publish.steps[attested].with['subject-checksums'], 'dist/SHA256SUMS');
  });

  test('release rejects a tag that Cargo.toml or CHANGELOG.md does not contain', () => {
    const { run: script } = release.jobs.version.steps.find(({ id }) => id === 'version');
    const tagged = (tag, cwd) => run('bash', ['-e', '-o', 'pipefail', '-c', script], {
      cwd, env: { PATH: process.env.PATH, GITHUB_REF_NAME: tag, GITHUB_OUTPUT: '/dev/null' },
    });
    const [, current] = read('Cargo.toml').match(/^version = "(.+)"$/m);
    tagged(`v${current}`, repository);

    const folder = mkdtempSync(`${tmpdir()}/release-`);
    const holds = (manifest, changelog) => {
      writeFileSync(`${folder}/Cargo.toml`, manifest);
      writeFileSync(`${folder}/CHANGELOG.md`, changelog);
      try {
        tagged('v1.2.3', folder);
        return true;
      } catch {
        return false;
      }
    };
    assert.ok(holds('version = "1.2.3"\n', '## 1.2.3\n'));
    assert.ok(!holds('version = "1.2.4"\n', '## 1.2.3\n'));
    assert.ok(!holds('toml = { version = "1.2.3" }\n', '## 1.2.3\n'), 'a dependency has that version');
    assert.ok(!holds('version = "1.2.3"\n', '## 1.2.30\n## 1.2.4\n'));
    assert.ok(!holds('version = "1.2.3"\n', '- since 1.2.3\n'), 'it is no heading');
    rmSync(folder, { recursive: true });
  });
});

describe('the forms', () => {
  const forms = readdirSync(`${github}/ISSUE_TEMPLATE`).filter((name) => name !== 'config.yml');

  for (const form of forms) {
    test(`${form} is valid for GitHub`, () => {
      const { body } = parse(read(`.github/ISSUE_TEMPLATE/${form}`));
      for (const of of [({ id }) => id, ({ attributes }) => attributes.label]) {
        const all = body.filter(({ type }) => type !== 'markdown').map(of);
        assert.equal(new Set(all).size, all.length, 'names and labels are unique');
      }
    });
  }

  test('fields for logs name the data to omit', () => {
    for (const form of ['bug.yml', 'token_refused.yml']) {
      const text = read(`.github/ISSUE_TEMPLATE/${form}`);
      assert.match(text, /\*\*Never paste/);
      assert.match(text, /The report contains no token, key, secret or address of a person\.\n\s+required: true/);
    }
  });

  test('linked pages exist', () => {
    const [, home] = read('Cargo.toml').match(/^repository = "(.+)"$/m);
    const anchor = (title) => title.toLowerCase().replace(/[^\w\- ]/g, '').replaceAll(' ', '-');
    let links = 0;
    for (const form of [...forms, 'config.yml']) {
      for (const [, path, at] of read(`.github/ISSUE_TEMPLATE/${form}`).matchAll(new RegExp(`${home}/blob/main/([\\w./-]+)(?:#([\\w-]+))?`, 'g'))) {
        const titles = [...read(path).matchAll(/^#+ (.*)$/gm)].map(([, title]) => anchor(title));
        if (at) assert.ok(titles.includes(at), `${form}: ${path}#${at}`);
        links += 1;
      }
    }
    assert.ok(links >= 2);
  });
});
