//! Responses in the form that all gateways accept.

use std::collections::BTreeMap;

use http::Response;
use lambda_http::request::RequestOrigin;
use serde::Serialize;

/// A response in the form that all gateways accept.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Outgoing {
    status_code: u16,
    /// The status with its reason phrase, for ALB.
    #[serde(skip_serializing_if = "Option::is_none")]
    status_description: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    multi_value_headers: BTreeMap<String, Vec<String>>,
    body: String,
    is_base64_encoded: bool,
}

impl Outgoing {
    /// Converts `response`, with its headers where `origin` reads them: payload 1.0 would send a header
    /// twice that is in both places, and ALB reads one of the two as its target group is configured.
    pub(super) fn new(response: Response<Vec<u8>>, origin: &RequestOrigin) -> Self {
        let (parts, body) = response.into_parts();
        let is_alb = matches!(origin, RequestOrigin::Alb);
        let mut headers = BTreeMap::new();
        let mut multi_value_headers = BTreeMap::new();
        for (name, value) in &parts.headers {
            // All headers of the endpoint are ASCII, and none is set twice.
            let Ok(value) = value.to_str().map(str::to_owned) else { continue };
            if is_alb || matches!(origin, RequestOrigin::ApiGatewayV1) {
                multi_value_headers.insert(name.to_string(), vec![value.clone()]);
            }
            if !matches!(origin, RequestOrigin::ApiGatewayV1) {
                headers.insert(name.to_string(), value);
            }
        }
        Self {
            status_code: parts.status.as_u16(),
            status_description: is_alb.then(|| parts.status.to_string()),
            headers,
            multi_value_headers,
            // Bodies are JSON or plain text, and so UTF-8. Whatever else they contained would be replaced.
            body: String::from_utf8(body)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
            is_base64_encoded: false,
        }
    }
}
