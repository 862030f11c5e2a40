//! Events for the targets.

use serde_json::json;

use crate::runtime::Event;

/// The origin of the page that sends the requests.
pub const ORIGIN: &str = "https://app.example";

/// Returns a browser's `POST /token` as an event of an HTTP API (payload format 2.0).
pub fn event(token: &str, room: &str) -> Event {
    let body = json!({"room_name": room}).to_string();
    let event = json!({
        "version": "2.0",
        "routeKey": "POST /token",
        "rawPath": "/token",
        "rawQueryString": "",
        "headers": {
            "accept": "*/*",
            "accept-encoding": "gzip, deflate, br, zstd",
            "accept-language": "en-GB,en;q=0.9",
            "authorization": format!("Bearer {token}"),
            "content-length": body.len().to_string(),
            "content-type": "application/json",
            "host": "r3pmxmplak.execute-api.us-east-1.amazonaws.com",
            "origin": ORIGIN,
            "referer": format!("{ORIGIN}/"),
            "sec-ch-ua": "\"Chromium\";v=\"142\", \"Not_A Brand\";v=\"99\"",
            "sec-ch-ua-mobile": "?0",
            "sec-ch-ua-platform": "\"Linux\"",
            "sec-fetch-dest": "empty",
            "sec-fetch-mode": "cors",
            "sec-fetch-site": "cross-site",
            "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
            "x-amzn-trace-id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
            "x-forwarded-for": "203.0.113.7",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "r3pmxmplak",
            "domainName": "r3pmxmplak.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "r3pmxmplak",
            "http": {
                "method": "POST",
                "path": "/token",
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "POST /token",
            "stage": "$default",
            "time": "10/Mar/2026:05:16:23 +0000",
            "timeEpoch": 1_773_119_783_636_u64,
        },
        "body": body,
        "isBase64Encoded": false,
    });
    Event::new(&event.to_string())
}
