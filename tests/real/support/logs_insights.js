// CloudWatch Logs Insights for captured lines: the commands, operators and functions that docs/operations.md uses, as in
// AWS's reference. No stand-in for AWS supports the whole language. Unknown syntax is an error, and so is behavior that
// the reference leaves open: comparing or grouping by a missing field, or comparing a boolean.

const COMMANDS = ['fields', 'filter', 'stats', 'sort', 'limit'];
const WORDS = ['and', 'or', 'not', 'in', 'ispresent'];
const TOKEN = /\s*(?:(?<string>"[^"]*"|'[^']*')|(?<period>\d+(?:s|m|h|d)\b)|(?<number>-?\d+(?:\.\d+)?)|(?<name>@?[A-Za-z_][\w.]*)|(?<sign><=|>=|!=|[=<>(),*[\]]))/y;
const SECONDS = { s: 1, m: 60, h: 3600, d: 86400 };

/** Runs `query` on lines of JSON, each with a `timestamp`. Returns rows in order as objects by column name. */
export function query(text, lines) {
  let rows = lines.map(discover);
  let shown;
  let wasAggregated = false;
  for (const [name, parser] of parts(text)) {
    if (name === 'filter') {
      const holds = parser.condition();
      rows = rows.filter((row) => holds(row));
    } else if (name === 'fields') {
      if (wasAggregated) fail('fields after stats');
      shown = parser.list(() => parser.name());
    } else if (name === 'stats') {
      if (wasAggregated || shown) fail('a second stats, or one after fields');
      ({ rows, shown } = aggregate(parser, rows));
      wasAggregated = true;
    } else if (name === 'sort') {
      const column = parser.name();
      const order = parser.word('desc') ? -1 : (parser.word('asc'), 1);
      if (wasAggregated && !shown.includes(column)) fail(`sort by ${column}, which stats did not make`);
      rows = rows.toSorted((left, right) => order * compare(present(left, column), present(right, column)));
    } else {
      rows = rows.slice(0, parser.number());
    }
    parser.end();
  }
  return rows.map((row) => (shown ? Object.fromEntries(shown.map((column) => [column, row[column]])) : row));
}

/** Returns every field of a line that `query` reads. */
export function members(text) {
  const seen = new Set();
  for (const [name, parser] of parts(text)) {
    if (name === 'fields') parser.list(() => parser.name()).forEach((field) => seen.add(field));
    if (name === 'filter') parser.tokens.filter(({ kind, value }) => kind === 'name' && !WORDS.includes(value)).forEach(({ value }) => seen.add(value));
    if (name === 'stats') parser.stats().filter(({ field }) => field).forEach(({ field }) => seen.add(field));
  }
  return [...seen];
}

/** Returns the commands, each as its name and a parser of its operands. */
function parts(text) {
  return text.replace(/#.*$/gm, '').split('|').map((command) => {
    const [, name, rest] = command.trim().match(/^(\w+)\s+(.*)$/s) ?? fail(command);
    return COMMANDS.includes(name) ? [name, new Parser(rest)] : fail(`command ${name}`);
  });
}

/** Returns a line in the form of Logs Insights: fields with dotted names, and those that CloudWatch adds. */
function discover(line) {
  const row = { '@message': line };
  const flatten = (value, path) => {
    if (value === null || typeof value !== 'object') row[path] = value;
    else for (const [key, inner] of Object.entries(value)) flatten(inner, path ? `${path}.${key}` : key);
  };
  const { timestamp, time } = JSON.parse(line);
  flatten(JSON.parse(line), '');
  row['@timestamp'] = Date.parse(timestamp ?? time);
  if (Number.isNaN(row['@timestamp'])) fail(`no time: ${line}`);
  return row;
}

function aggregate(parser, rows) {
  const columns = parser.stats();
  const keys = columns.filter(({ key }) => key);
  const groups = new Map();
  for (const row of rows) {
    const values = keys.map(({ key }) => key(row));
    const id = JSON.stringify(values);
    if (!groups.has(id)) groups.set(id, { values, members: [] });
    groups.get(id).members.push(row);
  }
  const made = [...groups.values()].map(({ values, members }) => Object.fromEntries(columns.map(({ label, of, key }) => (
    [label, key ? values[keys.findIndex((other) => other.key === key)] : of(members)]))));
  return { rows: made, shown: columns.map(({ label }) => label) };
}

const numbers = (field) => (rows) => rows.filter((row) => row[field] !== undefined).map((row) => (
  typeof row[field] === 'number' ? row[field] : fail(`${field} is no number`)));
const AGGREGATES = {
  count: (field) => (rows) => (field === '*' ? rows : rows.filter((row) => row[field] !== undefined)).length,
  count_distinct: (field) => (rows) => new Set(rows.map((row) => row[field]).filter((value) => value !== undefined)).size,
  sum: (field) => (rows) => numbers(field)(rows).reduce((sum, value) => sum + value, 0),
  avg: (field) => (rows) => numbers(field)(rows).reduce((sum, value, _, all) => sum + value / all.length, 0),
  min: (field) => (rows) => Math.min(...numbers(field)(rows)),
  max: (field) => (rows) => Math.max(...numbers(field)(rows)),
  // The smallest value that at least the given percentage of all values does not exceed.
  pct: (field, percent) => (rows) => {
    const sorted = numbers(field)(rows).toSorted((left, right) => left - right);
    return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
  },
};

class Parser {
  constructor(text) {
    this.tokens = [];
    TOKEN.lastIndex = 0;
    for (let at = 0; at < text.trimEnd().length; at = TOKEN.lastIndex) {
      const { groups } = TOKEN.exec(text) ?? fail(text.slice(at));
      const [[kind, value]] = Object.entries(groups).filter(([, value]) => value !== undefined);
      this.tokens.push({ kind, value });
    }
  }

  take(kind, value) {
    const [token] = this.tokens;
    if (token?.kind !== kind || (value !== undefined && token.value !== value)) return undefined;
    return this.tokens.shift().value;
  }

  need(kind, value) {
    return this.take(kind, value) ?? fail(`${value ?? kind} expected at ${JSON.stringify(this.tokens[0])}`);
  }

  word(word) {
    return this.take('name', word);
  }

  name() {
    return this.need('name');
  }

  number() {
    return Number(this.need('number'));
  }

  end() {
    if (this.tokens.length) fail(`not understood: ${JSON.stringify(this.tokens)}`);
  }

  list(item) {
    const items = [item()];
    while (this.take('sign', ',')) items.push(item());
    return items;
  }

  /** Parses conditions with `and` and `or`, and returns a function of a row. */
  condition() {
    const alternatives = [];
    do {
      const parts = [];
      do parts.push(this.comparison()); while (this.word('and'));
      alternatives.push((row) => parts.every((part) => part(row)));
    } while (this.word('or'));
    return (row) => alternatives.some((alternative) => alternative(row));
  }

  comparison() {
    if (this.word('not')) {
      const inner = this.comparison();
      return (row) => !inner(row);
    }
    if (this.take('sign', '(')) {
      const inner = this.condition();
      this.need('sign', ')');
      return inner;
    }
    if (this.word('ispresent')) {
      this.need('sign', '(');
      const field = this.name();
      this.need('sign', ')');
      return (row) => row[field] !== undefined;
    }
    const field = this.name();
    if (this.word('in')) {
      this.need('sign', '[');
      const values = this.list(() => this.value());
      this.need('sign', ']');
      return (row) => values.some((value) => equal(row[field], value));
    }
    const sign = this.need('sign');
    const value = this.value();
    if (sign === '=') return (row) => equal(row[field], value);
    const orders = { '<': (order) => order < 0, '<=': (order) => order <= 0, '>': (order) => order > 0, '>=': (order) => order >= 0 };
    const test = orders[sign] ?? fail(`operator ${sign}`);
    return (row) => test(compare(present(row, field), value));
  }

  value() {
    const string = this.take('string');
    return string === undefined ? this.number() : string.slice(1, -1);
  }

  /** Parses the columns of `stats`: functions of the rows of a group, and keys of the groups. */
  stats() {
    const columns = this.list(() => {
      const name = this.name();
      const make = AGGREGATES[name] ?? fail(`function ${name}`);
      this.need('sign', '(');
      const field = this.take('sign', '*') ?? this.name();
      if (field === '*' && name !== 'count') fail(`${name}(*)`);
      const percent = name === 'pct' && (this.need('sign', ','), this.number());
      this.need('sign', ')');
      const label = this.word('as') ? this.name() : `${name}(${field}${percent ? `, ${percent}` : ''})`;
      return { label, field: field === '*' ? undefined : field, of: make(field, percent) };
    });
    if (!this.word('by')) return columns;
    return [...columns, ...this.list(() => {
      const name = this.name();
      if (!this.take('sign', '(')) return { label: name, field: name, key: (row) => present(row, name) };
      if (name !== 'bin') fail(`function ${name}`);
      const period = this.need('period');
      this.need('sign', ')');
      const span = Number(period.slice(0, -1)) * SECONDS[period.at(-1)] * 1000;
      return { label: `bin(${period})`, field: '@timestamp', key: (row) => row['@timestamp'] - (row['@timestamp'] % span) };
    })];
  }
}

function equal(left, right) {
  if (typeof left === 'boolean') fail('a boolean is compared');
  return left === right;
}

function compare(left, right) {
  if (typeof left !== typeof right || !['number', 'string'].includes(typeof left)) fail(`${left} and ${right} are compared`);
  return left < right ? -1 : Number(left > right);
}

function present(row, name) {
  return row[name] ?? fail(`${name} is missing in ${JSON.stringify(row)}`);
}

function fail(what) {
  throw new Error(`Logs Insights: ${what}`);
}
