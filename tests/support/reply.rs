//! A response, and the checks that apply to every response.

use http::HeaderMap;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use super::app::API_SECRET;

/// The start of every problem's `type`.
const PROBLEMS: &str = "https://github.com/roomkey/roomkey/blob/main/docs/problems.md#";

/// The only headers of responses.
const HEADERS: [&str; 15] = [
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-max-age",
    "allow",
    "cache-control",
    "content-length",
    "content-type",
    "retry-after",
    "strict-transport-security",
    "vary",
    "www-authenticate",
    "x-content-type-options",
];

/// A response of the app.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// The `Origin` that was sent, if one was.
    pub(crate) origin: Option<String>,
}

impl Reply {
    /// The value of a header, which must not be repeated.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().map(|value| value.to_str().expect("a readable header"));
        assert!(values.next().is_none(), "{name} twice");
        value
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    /// The `code` of a problem document. Empty if there is none.
    pub(crate) fn code(&self) -> String {
        let body = serde_json::from_slice::<Value>(&self.body).unwrap_or_default();
        body["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The participant token itself.
    #[track_caller]
    pub(crate) fn participant_token(&self) -> String {
        self.expect_issued("a token");
        self.json()["participant_token"].as_str().unwrap().to_owned()
    }

    /// The claims of the participant token, its signature checked.
    #[track_caller]
    pub(crate) fn participant(&self) -> Value {
        self.participant_signed_with(API_SECRET)
    }

    /// The claims of a participant token that another secret signed.
    #[track_caller]
    pub(crate) fn participant_signed_with(&self, secret: &str) -> Value {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_exp = false;
        let key = DecodingKey::from_secret(secret.as_bytes()).unwrap();
        let token = self.participant_token();
        jsonwebtoken::decode::<Value>(&token, &key, &validation).expect("our signature").claims
    }

    /// Asserts a 201 and everything that every 201 contains.
    #[track_caller]
    pub(crate) fn expect_issued(&self, row: &str) -> &Self {
        assert_eq!(self.status, 201, "{row}: {}", self.text());
        assert_eq!(self.header("content-type"), Some("application/json"), "{row}");
        self.expect_promises(row);
        let body = self.json();
        for field in ["server_url", "participant_token", "room_name", "participant_name"] {
            assert!(body[field].is_string(), "{row}: {field}");
        }
        assert_eq!(body.as_object().unwrap().len(), 4, "{row}: exactly four members");
        self
    }

    /// Asserts this problem and everything that every problem contains.
    #[track_caller]
    pub(crate) fn expect_problem(&self, row: &str, status: u16, code: &str) -> &Self {
        let got = (self.status, self.code());
        assert_eq!(got, (status, code.to_owned()), "{row}: {}", self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{row}");
        self.expect_promises(row);
        let problem = self.json();
        assert_eq!(problem["status"], status, "{row}");
        assert_eq!(problem["type"], format!("{PROBLEMS}{code}"), "{row}");
        assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()), "{row}: title");
        for member in problem.as_object().unwrap().keys() {
            let known = ["type", "title", "status", "code", "detail", "instance"];
            assert!(known.contains(&member.as_str()), "{row}: member {member}");
        }
        if let Some(instance) = problem.get("instance") {
            let instance = instance.as_str().expect("a URI");
            assert!(instance.starts_with("urn:roomkey:request:"), "{row}: {instance}");
        }
        if !problem["detail"].is_null() {
            assert!(status < 500 && problem["detail"].is_string(), "{row}: detail");
        }
        self
    }

    /// Asserts the properties of every response.
    #[track_caller]
    fn expect_promises(&self, row: &str) {
        for name in self.headers.keys() {
            assert!(HEADERS.contains(&name.as_str()), "{row}: unexpected header {name}");
        }
        assert_eq!(self.header("cache-control"), Some("no-store"), "{row}: cache-control");
        self.expect_challenge(row);
        let retry = self.header("retry-after").map(str::parse);
        match self.status {
            429 | 503 => assert!(
                matches!(retry, Some(Ok(1..=30))),
                "{row}: retry-after {:?}",
                self.header("retry-after")
            ),
            403 if self.code() == "awaiting_admission" => assert_eq!(retry, Some(Ok(3)), "{row}"),
            _ => assert_eq!(retry, None::<Result<u32, _>>, "{row}: retry-after"),
        }
        assert_eq!(self.header("allow").is_some(), self.status == 405, "{row}: allow");
        if self.origin.is_none() {
            let allowed = self.header("access-control-allow-origin");
            assert!(matches!(allowed, None | Some("*")), "{row}: {allowed:?} to nobody");
        }
    }

    #[track_caller]
    fn expect_challenge(&self, row: &str) {
        let expected = match (self.status, self.code().as_str()) {
            (401, "missing_token") => Some(r#"Bearer realm="roomkey""#),
            (401, "token_expired") => Some(
                r#"Bearer realm="roomkey", error="invalid_token", error_description="The access token expired""#,
            ),
            (401, "invitation_expired") => Some(
                r#"Bearer realm="roomkey", error="invalid_token", error_description="The invitation expired""#,
            ),
            (401, "invalid_signature") => Some(r#"RTCstack-HMAC-SHA256 realm="roomkey""#),
            (401, _) => Some(r#"Bearer realm="roomkey", error="invalid_token""#),
            _ => None,
        };
        assert_eq!(self.header("www-authenticate"), expected, "{row}: www-authenticate");
    }
}
