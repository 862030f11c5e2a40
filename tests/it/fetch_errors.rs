//! Errors of fetches as the operator's log shows them: each names its cause.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::gateway::Wire;
use crate::support::{
    Bootstrap, Env, FakeIdp, FakeSecretsManager, Fault, Key, Route, SecretFault, key_set, today,
    token,
};

/// The error of the failed fetch from `upstream`.
async fn error_of(function: &Bootstrap, upstream: &str) -> String {
    let line = function.failed_fetch(upstream).await;
    line["error"].as_str().expect("a string").to_owned()
}

#[tokio::test]
async fn fetch_error_names_the_cause() {
    let rows = [
        ("500", Fault::Status(500), "status 500"),
        ("cut off", Fault::Truncated, "connection closed by the peer"),
        ("too large", Fault::Padded(150_001), "response is too large"),
        ("a page", Fault::Html, "response is not a key set with a usable key"),
    ];
    for (name, fault, expected) in rows {
        let idp = FakeIdp::start();
        idp.inject(Route::Jwks, fault);
        let function = Bootstrap::start(&Env::online(&idp));
        function.init_time().await;
        assert_eq!(error_of(&function, "keys").await, expected, "{name}");
    }
}

#[tokio::test]
async fn fetch_error_names_the_cause_of_a_failed_connection() {
    let down = FakeIdp::start();
    down.down();
    let plain = FakeIdp::start();
    // The top-level domain `invalid` has no hosts (RFC 6761).
    let rows = [
        ("no such host", "https://idp.invalid/keys".to_owned(), "no such host"),
        ("refused", down.url("/keys"), "connection refused"),
        ("no TLS", plain.url("/keys").replace("http:", "https:"), "TLS handshake failed"),
    ];
    for (name, address, expected) in rows {
        let env = Env::offline().without("OIDC_JWKS").with("OIDC_JWKS_URI", &address);
        let function = Bootstrap::start(&env);
        function.init_time().await;
        assert_eq!(error_of(&function, "keys").await, expected, "{name}");
        let event = Wire::token(&token(&today()), &json!({})).http_api();
        let reply = function.answer(name, &event).await;
        reply.expect_problem(name, 503, "unavailable");
        assert!(!reply.text().contains(expected), "{name}: only in the log");
    }
}

/// Serves the usual key set over TLS with this certificate.
async fn tls_server(name: &str) -> SocketAddr {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys/tls");
    let read = |kind: &str| std::fs::read(folder.join(format!("{name}.{kind}.der"))).unwrap();
    let key = PrivatePkcs8KeyDer::from(read("key"));
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![read("cert").into()], key.into())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _request = stream.read(&mut [0; 4096]).await;
            let body = key_set(&[&Key::rsa()]).to_string();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            let _sent = stream.write_all((head + &body).as_bytes()).await;
        }
    });
    address
}

#[tokio::test]
async fn fetch_error_names_the_fault_of_a_certificate() {
    let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/tls/authority.pem");
    let rows = [
        ("valid", None),
        ("expired", Some("certificate has expired")),
        ("other", Some("certificate is for another name")),
        ("untrusted", Some("certificate is not trusted")),
    ];
    for (name, expected) in rows {
        let address = format!("https://localhost:{}/keys", tls_server(name).await.port());
        let env = Env::offline()
            .without("OIDC_JWKS")
            .with_all(&[("OIDC_JWKS_URI", &address), ("SSL_CERT_FILE", authority)]);
        let function = Bootstrap::start(&env);
        function.init_time().await;
        if let Some(expected) = expected {
            assert_eq!(error_of(&function, "keys").await, expected, "{name}");
        } else {
            let event = Wire::token(&token(&today()), &json!({})).http_api();
            function.answer(name, &event).await.expect_issued(name);
        }
    }
}

#[tokio::test]
async fn key_set_is_fetched_with_the_roots_of_a_file_or_of_folders() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/tls");
    let authority = &format!("{folder}/authority.pem");
    let elsewhere = env!("CARGO_MANIFEST_DIR");
    let address = format!("https://localhost:{}/keys", tls_server("valid").await.port());
    let rows = [
        (vec![("SSL_CERT_DIR", folder)], true),
        (vec![("SSL_CERT_DIR", folder), ("SSL_CERT_FILE", "missing.pem")], true),
        (vec![("SSL_CERT_DIR", elsewhere), ("SSL_CERT_FILE", authority)], true),
        (vec![("SSL_CERT_DIR", ""), ("SSL_CERT_FILE", authority)], true),
        (vec![("SSL_CERT_DIR", elsewhere)], false),
        (vec![("SSL_CERT_FILE", "missing.pem")], false),
        (vec![], false),
    ];
    for (variables, is_trusted) in rows {
        let env = Env::offline()
            .without("OIDC_JWKS")
            .without("SSL_CERT_FILE")
            .with_all(&[("OIDC_JWKS_URI", &address)])
            .with_all(&variables);
        let function = Bootstrap::start(&env);
        function.init_time().await;
        if is_trusted {
            let event = Wire::token(&token(&today()), &json!({})).http_api();
            function.answer("token", &event).await.expect_issued(&format!("{variables:?}"));
        } else {
            let error = error_of(&function, "keys").await;
            assert_eq!(error, "certificate is not trusted", "{variables:?}");
        }
    }
}

#[tokio::test]
async fn fetch_error_names_the_code_of_aws_if_it_is_known() {
    let rows = [
        ("AccessDeniedException", "refused: AccessDeniedException"),
        ("ResourceNotFoundException", "refused: ResourceNotFoundException"),
        ("DecryptionFailure", "refused: DecryptionFailure"),
        ("ExpiredTokenException", "refused: ExpiredTokenException"),
        ("ThrottlingException", "refused: ThrottlingException"),
        ("Zx9markerException", "status 400"),
    ];
    for (code, expected) in rows {
        let secrets = FakeSecretsManager::start();
        secrets.inject(SecretFault::Error(code));
        let function = Bootstrap::start(&Env::offline().secret_in(&secrets));
        function.init_time().await;
        assert_eq!(error_of(&function, "secret").await, expected, "{code}");
        let output = function.output();
        assert!(!output.contains("upstream-words") && !output.contains("Zx9"), "{output}");
    }
}

#[tokio::test]
async fn fetch_error_names_every_fault_of_a_secret() {
    let secrets = FakeSecretsManager::start();
    secrets.keep(json!({
        "LIVEKIT_URL": "ftp://Zx9marker",
        "LIVEKIT_API_KEY": "Zx9 marker",
        "LIVEKIT_API_SECRET": "Zx9marker",
        "OIDC_STAFF_HS256_SECRET": "Zx9marker",
        "CLERK_SECRET_KEY": 7,
        "BACKEND_API_KEYS": "Zx9marker",
        "LIVEBLOCKS_SECRET_KEY": "Zx9marker",
        "OTHER": ["Zx9marker"],
    }));
    let env = Env::offline()
        .secret_in(&secrets)
        .without("OIDC_JWKS")
        .without("OIDC_AUDIENCE")
        .without("PROFILE_SOURCE")
        .with_all(&[
            ("OIDC_ISSUER", "staff=https://staff.example,guests=https://guests.example"),
            ("OIDC_STAFF_AUDIENCE", "roomkey"),
            ("OIDC_STAFF_ALGORITHMS", "HS256"),
            ("OIDC_GUESTS_AUDIENCE", "roomkey"),
            ("OIDC_GUESTS_JWKS_URI", "http://127.0.0.1:1/keys"),
        ]);
    let function = Bootstrap::start(&env);
    function.init_time().await;
    let error = error_of(&function, "secret").await;
    assert_eq!(
        error,
        "invalid secret: CLERK_SECRET_KEY must be a string; LIVEKIT_URL must be a ws, wss, http or \
         https URL without credentials; LIVEKIT_API_KEY must not contain white space or invisible \
         characters; LIVEKIT_API_SECRET must be at least 32 bytes; LIVEBLOCKS_SECRET_KEY must start \
         with sk_; BACKEND_API_KEYS must be a JSON object of API keys and their secrets, each key \
         once; OIDC_STAFF_HS256_SECRET must be at least 32 bytes"
    );
    assert!(!function.output().contains("Zx9"), "{}", function.output());
}

#[tokio::test]
async fn fetch_lines_name_the_issuer_if_there_are_several() {
    let (staff, guests) = (FakeIdp::start(), FakeIdp::start());
    guests.inject(Route::Jwks, Fault::Status(500));
    let env = Env::offline()
        .without("OIDC_JWKS")
        .without("OIDC_AUDIENCE")
        .without("PROFILE_SOURCE")
        .with_all(&[
            ("OIDC_ISSUER", &format!("staff={},guests={}", staff.issuer(), guests.issuer())),
            ("OIDC_STAFF_AUDIENCE", "roomkey"),
            ("OIDC_GUESTS_AUDIENCE", "roomkey"),
        ]);
    let function = Bootstrap::start(&env);
    function.init_time().await;
    let failed = function.failed_fetch("keys").await;
    assert_eq!(failed["issuer"], "guests", "{failed}");
    let fetched = function.fetch_lines(4).await;
    let of_staff = fetched.iter().filter(|line| line["issuer"] == "staff").count();
    assert_eq!((fetched.len(), of_staff), (4, 2), "{fetched:?}");

    let single = Bootstrap::start(&Env::online(&staff));
    single.init_time().await;
    assert!(single.fetch_lines(2).await[0]["issuer"].is_null(), "{}", single.output());
}
