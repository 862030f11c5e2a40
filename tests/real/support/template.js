// Evaluation of the template as in CloudFormation: SAM's transform, then parameters, rules, conditions and functions.
import { readFileSync } from 'node:fs';
import { repository, run, work } from './processes.js';

export const text = readFileSync(`${repository}template.yaml`, 'utf8');

/** Environment for SAM and the other tools outside AWS. */
export const toolEnv = { ...process.env, SAM_CLI_TELEMETRY: '0', AWS_EC2_METADATA_DISABLED: 'true', AWS_DEFAULT_REGION: 'eu-central-1' };

const PSEUDO = {
  'AWS::AccountId': '123456789012',
  'AWS::Partition': 'aws',
  'AWS::Region': 'eu-central-1',
  'AWS::StackName': 'roomkey',
  'AWS::URLSuffix': 'amazonaws.com',
};

/** Applies SAM's transform to each `{ template, parameters }`, as in a deployment with these parameters. */
export function transform(asked) {
  const { stdout } = run(`${work}/venv/bin/python`, [`${repository}tests/real/support/template_transform.py`], {
    input: JSON.stringify(asked), env: toolEnv,
  });
  return JSON.parse(stdout);
}

/** Returns the value of every parameter: the given one or the default. */
export function withDefaults(template, given) {
  for (const name of Object.keys(given)) if (!(name in template.Parameters)) throw new Error(`there is no parameter ${name}`);
  return Object.fromEntries(Object.entries(template.Parameters).map(([name, { Default }]) => [name, given[name] ?? Default]));
}

/** Returns the names of the parameters whose values violate their constraints. */
export function unfit(template, parameters) {
  const fits = ({ AllowedPattern, AllowedValues, MaxLength, MinValue, MaxValue }, value) => value !== undefined
    && (!AllowedPattern || new RegExp(`^(?:${AllowedPattern})$`).test(value))
    && (!AllowedValues || AllowedValues.map(String).includes(String(value)))
    && (MaxLength === undefined || String(value).length <= MaxLength)
    && (MinValue === undefined || Number(value) >= MinValue)
    && (MaxValue === undefined || Number(value) <= MaxValue);
  return Object.keys(template.Parameters).filter((name) => !fits(template.Parameters[name], parameters[name]));
}

/** Returns the messages of the failed assertions, with which a deployment with these parameters is rejected. */
export function refusals(template, parameters) {
  const evaluate = reader(template, parameters, ['Fn::Contains']);
  return Object.values(template.Rules).flatMap(({ RuleCondition, Assertions }) => (
    RuleCondition === undefined || evaluate(RuleCondition) ? Assertions.filter(({ Assert }) => !evaluate(Assert)) : []
  )).map(({ AssertDescription }) => AssertDescription);
}

/** Evaluates the functions of both rules and conditions, and those in `own`. Any other function is an error, as in CloudFormation. */
function reader(template, parameters, own) {
  const value = (of) => {
    if (typeof of === 'string') return of;
    if (Array.isArray(of)) return of.map(value);
    if (!(of.Ref in template.Parameters)) throw new Error(`no parameter: ${JSON.stringify(of)}`);
    return String(parameters[of.Ref]);
  };
  const evaluate = (expression) => {
    const [[name, operands], ...more] = Object.entries(expression);
    if (more.length > 0) throw new Error(`two functions at once: ${JSON.stringify(expression)}`);
    switch (['Fn::Not', 'Fn::And', 'Fn::Or', 'Fn::Equals', ...own].includes(name) && name) {
      case 'Condition': return evaluate(template.Conditions[operands]);
      case 'Fn::Not': return !evaluate(operands[0]);
      case 'Fn::And': return operands.every(evaluate);
      case 'Fn::Or': return operands.some(evaluate);
      case 'Fn::Equals': return value(operands[0]) === value(operands[1]);
      case 'Fn::Contains': return value(operands[0]).includes(value(operands[1]));
      default: throw new Error(`no function here: ${name}`);
    }
  };
  return evaluate;
}

const NOTHING = Symbol('AWS::NoValue');

/**
 * Returns the resources and outputs of the stack with these parameters. Physical IDs appear as `<Name>` or
 * `<Name.Attribute>`. A reference to a resource that is not created is an error.
 */
export function stack(template, parameters) {
  const evaluate = reader(template, parameters, ['Condition']);
  const isMade = ({ Condition }) => Condition === undefined || evaluate(template.Conditions[Condition]);
  const resources = Object.fromEntries(Object.entries(template.Resources).filter(([, resource]) => isMade(resource)));
  const made = (name, as) => {
    if (!(name in resources)) throw new Error(`${as} refers to ${name}, which is not created`);
    return `<${as}>`;
  };
  const reference = (name) => {
    if (name === 'AWS::NoValue') return NOTHING;
    if (name in PSEUDO) return PSEUDO[name];
    if (name in template.Parameters) return parameters[name];
    return made(name, name);
  };
  const substitute = (pattern, own) => pattern.replace(/\$\{(!?)([^}]+)\}/g, (_, literal, name) => {
    if (literal) return `\${${name}}`;
    if (name in own) return own[name];
    return name.includes('.') ? made(name.split('.')[0], name) : reference(name);
  });
  const read = (node) => {
    if (Array.isArray(node)) return node.map(read).filter((item) => item !== NOTHING);
    if (node === null || typeof node !== 'object') return node;
    const [[name, operands] = [], ...more] = Object.entries(node);
    if (more.length === 0) {
      if (name === 'Ref') return reference(operands);
      if (name === 'Fn::GetAtt') return made(operands[0], operands.join('.'));
      if (name === 'Fn::If') return read(operands[evaluate(template.Conditions[operands[0]]) ? 1 : 2]);
      if (name === 'Fn::Split') return read(operands[1]).split(operands[0]);
      if (name === 'Fn::Sub') return typeof operands === 'string' ? substitute(operands, {}) : substitute(operands[0], read(operands[1]));
      if (name?.startsWith('Fn::')) throw new Error(`unknown function: ${name}`);
    }
    return Object.fromEntries(Object.entries(node).map(([key, item]) => [key, read(item)]).filter(([, item]) => item !== NOTHING));
  };
  return {
    resources: Object.fromEntries(Object.entries(resources).map(([name, { Type, Properties }]) => [name, { type: Type, ...read(Properties ?? {}) }])),
    outputs: Object.fromEntries(
      Object.entries(template.Outputs).filter(([, output]) => isMade(output)).map(([name, { Value }]) => [name, read(Value)]),
    ),
  };
}
