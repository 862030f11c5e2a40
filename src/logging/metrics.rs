//! CloudWatch metrics in the [Embedded Metric Format][EMF]: fields of the log line, from which
//! CloudWatch Logs makes metrics. They need no request and no agent.
//!
//! [EMF]: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

/// The field, and the dimension, with the name of the function.
const FUNCTION: &str = "FunctionName";

/// One metric of a line.
pub(super) struct Metric {
    name: &'static str,
    /// Milliseconds; `None` is a count of one.
    milliseconds: Option<f64>,
    /// The field of the line whose value is a second dimension.
    by: Option<&'static str>,
}

impl Metric {
    pub(super) fn count(name: &'static str) -> Self {
        Self { name, milliseconds: None, by: None }
    }

    pub(super) fn count_by(name: &'static str, field: &'static str) -> Self {
        Self { by: Some(field), ..Self::count(name) }
    }

    pub(super) fn milliseconds(name: &'static str, milliseconds: f64) -> Self {
        Self { milliseconds: Some(milliseconds), ..Self::count(name) }
    }
}

/// The fields that define the metrics of a line.
pub(super) struct Metrics<'a> {
    function: &'a str,
    /// Milliseconds since 1970.
    timestamp: i64,
    list: Vec<Metric>,
}

impl<'a> Metrics<'a> {
    /// Returns `None` outside Lambda and for a line without metrics.
    pub(super) fn new(
        function: Option<&'a str>,
        timestamp: i64,
        list: Vec<Metric>,
    ) -> Option<Self> {
        let function = function.filter(|_| !list.is_empty())?;
        Some(Self { function, timestamp, list })
    }
}

impl Serialize for Metrics<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(FUNCTION, self.function)?;
        for metric in &self.list {
            match metric.milliseconds {
                Some(milliseconds) => map.serialize_entry(metric.name, &milliseconds)?,
                None => map.serialize_entry(metric.name, &1)?,
            }
        }
        let directives = Directives(&self.list);
        map.serialize_entry("_aws", &Metadata { timestamp: self.timestamp, directives })?;
        map.end()
    }
}

#[derive(Serialize)]
struct Metadata<'a> {
    #[serde(rename = "Timestamp")]
    timestamp: i64,
    #[serde(rename = "CloudWatchMetrics")]
    directives: Directives<'a>,
}

/// One directive for all metrics without a second dimension, and one for each other metric.
struct Directives<'a>(&'a [Metric]);

impl Serialize for Directives<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut directives = serializer.serialize_seq(None)?;
        let plain: Vec<_> = self.0.iter().filter(|metric| metric.by.is_none()).collect();
        if !plain.is_empty() {
            directives.serialize_element(&Directive::new(&[&[FUNCTION]], &plain))?;
        }
        for metric in self.0 {
            if let Some(field) = metric.by {
                let dimensions: [&[&str]; 2] = [&[FUNCTION], &[FUNCTION, field]];
                directives.serialize_element(&Directive::new(&dimensions, &[metric]))?;
            }
        }
        directives.end()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive<'a> {
    namespace: &'static str,
    dimensions: &'a [&'a [&'a str]],
    metrics: Vec<Definition>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    name: &'static str,
    unit: &'static str,
}

impl<'a> Directive<'a> {
    fn new(dimensions: &'a [&'a [&'a str]], metrics: &[&Metric]) -> Self {
        let definition = |metric: &&Metric| Definition {
            name: metric.name,
            unit: if metric.milliseconds.is_some() { "Milliseconds" } else { "Count" },
        };
        let metrics = metrics.iter().map(definition).collect();
        Self { namespace: env!("CARGO_PKG_NAME"), dimensions, metrics }
    }
}
