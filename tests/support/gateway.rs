//! The events that AWS's gateways create for one HTTP request.

use serde_json::{Value, json};

const HOST: &str = "abc123.execute-api.eu-central-1.amazonaws.com";
const TIME: &str = "01/Jan/2026:00:00:00 +0000";
const EPOCH: u64 = 1_767_225_600_000;

/// An HTTP request before a gateway wraps it.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<String>,
    pub(crate) base64: bool,
}

impl Wire {
    /// `POST /token` with this bearer and this JSON body.
    pub(crate) fn token(bearer: &str, body: &Value) -> Self {
        Self {
            method: "POST",
            path: "/token",
            headers: vec![
                ("authorization", format!("Bearer {bearer}")),
                ("content-type", "application/json".into()),
                ("origin", "https://app.example".into()),
            ],
            body: Some(body.to_string()),
            base64: false,
        }
    }

    /// Sets the method and the path, and removes the body.
    pub(crate) fn at(mut self, method: &'static str, path: &'static str) -> Self {
        self.method = method;
        self.path = path;
        self.body = None;
        self.without("content-type")
    }

    /// Removes a header.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(header, _)| *header != name);
        self
    }

    /// Sets a header.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self = self.without(name);
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Sets the body.
    pub(crate) fn text(mut self, body: &str) -> Self {
        self.body = Some(body.to_owned());
        self
    }

    /// Sets the body and marks it as base64.
    pub(crate) fn base64(mut self, body: &str) -> Self {
        self.base64 = true;
        self.text(body)
    }

    /// Payload 2.0 of an HTTP API.
    pub(crate) fn http_api(&self) -> Value {
        self.payload_2(HOST, &format!("{} {}", self.method, self.path))
    }

    /// A function URL's event, which has the same form.
    pub(crate) fn function_url(&self) -> Value {
        self.payload_2(
            "abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-central-1.on.aws",
            "$default",
        )
    }

    /// Payload 1.0 of an HTTP API.
    pub(crate) fn http_api_1(&self) -> Value {
        let mut event = self.payload_1(self.path, "$default");
        event["version"] = json!("1.0");
        event["requestContext"]["path"] = json!(self.path);
        event
    }

    /// A REST API's event, behind a stage.
    pub(crate) fn rest(&self, stage: &str) -> Value {
        let mut event = self.payload_1(self.path, stage);
        event["requestContext"]["path"] = json!(format!("/{stage}{}", self.path));
        event
    }

    /// An Application Load Balancer's event; header names arrive in lower case.
    pub(crate) fn alb(&self) -> Value {
        let arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/roomkey/6d0ecf831eec9f09";
        json!({
            "requestContext": { "elb": { "targetGroupArn": arn } },
            "httpMethod": self.method,
            "path": self.path,
            "queryStringParameters": {},
            "headers": self.headers("roomkey.example"),
            "body": self.body.clone().unwrap_or_default(),
            "isBase64Encoded": self.base64,
        })
    }

    fn payload_2(&self, host: &str, route: &str) -> Value {
        let mut event = json!({
            "version": "2.0",
            "routeKey": route,
            "rawPath": self.path,
            "rawQueryString": "",
            "headers": self.headers(host),
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "abc123",
                "domainName": host,
                "domainPrefix": host.split('.').next(),
                "http": {
                    "method": self.method,
                    "path": self.path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.1",
                    "userAgent": "Mozilla/5.0",
                },
                "requestId": "JKJaXmPLvHcESHA=",
                "routeKey": route,
                "stage": "$default",
                "time": TIME,
                "timeEpoch": EPOCH,
            },
            "isBase64Encoded": self.base64,
        });
        if let Some(body) = &self.body {
            event["body"] = json!(body);
        }
        event
    }

    fn payload_1(&self, path: &str, stage: &str) -> Value {
        let headers = self.headers(HOST);
        let members = headers.as_object().into_iter().flatten();
        let lists = members.map(|(name, value)| (name.clone(), json!([value])));
        json!({
            "resource": path,
            "path": path,
            "httpMethod": self.method,
            "headers": headers,
            "multiValueHeaders": lists.collect::<serde_json::Map<_, _>>(),
            "queryStringParameters": null,
            "multiValueQueryStringParameters": null,
            "pathParameters": null,
            "stageVariables": null,
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "abc123",
                "domainName": HOST,
                "domainPrefix": "abc123",
                "httpMethod": self.method,
                "protocol": "HTTP/1.1",
                "requestId": "a3d5b6d1-7c5d-4e0e-9a3f-2c1f5e8b9d10",
                "extendedRequestId": "EXTENDED-vHcESHA=",
                "requestTime": TIME,
                "requestTimeEpoch": EPOCH,
                "resourceId": "us4z18",
                "resourcePath": path,
                "stage": stage,
                "identity": { "sourceIp": "192.0.2.1", "userAgent": "Mozilla/5.0" },
            },
            "body": self.body,
            "isBase64Encoded": self.base64,
        })
    }

    fn headers(&self, host: &str) -> Value {
        let mut headers = json!({
            "accept": "*/*",
            "host": host,
            "user-agent": "Mozilla/5.0",
            "x-forwarded-for": "192.0.2.1",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        });
        for (name, value) in &self.headers {
            headers[name] = json!(value);
        }
        headers
    }
}
