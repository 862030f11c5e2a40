//! Responses in the form that all gateways accept.

use std::collections::BTreeMap;

use http::Response;
use lambda_http::request::RequestOrigin;
use serde::Serialize;

/// A response in the form that all gateways take.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Outgoing {
    status_code: u16,
    /// What ALB shows beside the status.
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
    /// Headers stand where `origin` looks for them: payload 1.0 would send twice what stands in both
    /// places, ALB reads the one or the other as its target group is set.
    pub(super) fn new(response: Response<Vec<u8>>, origin: &RequestOrigin) -> Self {
        let (parts, body) = response.into_parts();
        let is_alb = matches!(origin, RequestOrigin::Alb);
        let mut headers = BTreeMap::new();
        let mut multi_value_headers = BTreeMap::new();
        for (name, value) in &parts.headers {
            // We set none that is not text, and none twice.
            let value = value.to_str().unwrap_or_default().to_owned();
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
            // Our bodies are JSON.
            body: String::from_utf8(body).unwrap_or_default(),
            is_base64_encoded: false,
        }
    }
}
