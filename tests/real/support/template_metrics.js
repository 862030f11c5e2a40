// The metrics in alarms and dashboards.

/** Returns all metrics as `{ namespace, name, dimensions: [names] }`. */
export function metricsOf(resources) {
  return Object.values(resources).flatMap((resource) => {
    if (resource.type === 'AWS::CloudWatch::Alarm') return ofAlarm(resource);
    if (resource.type === 'AWS::CloudWatch::Dashboard') return JSON.parse(resource.DashboardBody).widgets.flatMap(ofWidget);
    return [];
  });
}

function ofAlarm({ Namespace, MetricName, Dimensions, Metrics }) {
  const alone = MetricName ? [{ Namespace, MetricName, Dimensions }] : [];
  return [...alone, ...(Metrics ?? []).flatMap(({ MetricStat }) => MetricStat?.Metric ?? [])]
    .map((metric) => ({ namespace: metric.Namespace, name: metric.MetricName, dimensions: metric.Dimensions.map(({ Name }) => Name) }));
}

function ofWidget({ type, properties }) {
  if (type !== 'metric') return [];
  let before = [];
  return properties.metrics.map((row) => {
    const given = row.filter((cell) => typeof cell === 'string');
    const { expression } = row.find((cell) => typeof cell === 'object') ?? {};
    if (expression) return ofSearch(expression);
    // `.` repeats the cell above, and `...` repeats all cells above that are not given.
    const cells = given[0] === '...' ? [...before.slice(0, before.length - given.length + 1), ...given.slice(1)]
      : given.map((cell, place) => (cell === '.' ? before[place] : cell));
    before = cells;
    const [namespace, name, ...dimensions] = cells;
    return { namespace, name, dimensions: dimensions.filter((_, place) => place % 2 === 0) };
  });
}

function ofSearch(expression) {
  const [, schema, filter] = expression.match(/^SEARCH\('\{([^}]+)\} ([^']+)', '[A-Za-z0-9]+', \d+\)$/) ?? [];
  if (!schema) throw new Error(`not a search: ${expression}`);
  const [namespace, ...dimensions] = schema.split(',');
  return { namespace, name: filter.match(/MetricName="(\w+)"/)[1], dimensions };
}
