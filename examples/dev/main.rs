//! roomkey on this machine, with an identity provider for signing in.
//!
//! `cargo run --example dev` starts the token endpoint on <http://127.0.0.1:3000> and the identity
//! provider of `idp.rs` on <http://127.0.0.1:3001>. It prints ready-to-paste requests, and serves a
//! page that sends them, joins rooms and moderates them. Any variable of `docs/configuration.md` overrides
//! the defaults below.

mod endpoint;
mod idp;

use std::fmt::Display;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::net::TcpListener;

use crate::idp::{IdentityProvider, PEOPLE};

/// Address of the token endpoint and the page.
const ENDPOINT: &str = "127.0.0.1:3000";

/// Default configuration, for a LiveKit server that was started with `livekit-server --dev`.
const DEFAULTS: [(&str, &str); 10] = [
    ("OIDC_ISSUER", idp::ISSUER),
    ("OIDC_AUDIENCE", idp::AUDIENCE),
    ("LIVEKIT_URL", "ws://127.0.0.1:7880"),
    ("LIVEKIT_API_KEY", "devkey"),
    ("LIVEKIT_API_SECRET", "secret"),
    // Any origin, since the port of a frontend's development server is unknown.
    ("ALLOWED_ORIGINS", "*"),
    // The page can join as a separate device, so that one person can use two tabs.
    ("PARTICIPANT_DEVICES", "true"),
    // Links for guests. Public like the keys above: choose another one for a deployment.
    ("INVITATION_SECRET", "an invitation secret of the example"),
    // Bans, given roles and waiting guests, until this program ends.
    ("STATE_TABLE", "memory"),
    ("POLICY", include_str!("policy.toml")),
];

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), String> {
    let config = roomkey::Config::from_lookup(variable).map_err(|error| error.to_string())?;
    let endpoint = bind(ENDPOINT).await?;
    let people = bind(idp::ADDRESS).await?;

    let provider = Arc::new(IdentityProvider::new().map_err(|error| error.to_string())?);
    tokio::spawn(axum::serve(people, idp::router(Arc::clone(&provider))).into_future());

    roomkey::logging::init(config.log_level, now, None);
    let app = Arc::new(roomkey::App::new(config));
    print_welcome(&provider)?;
    app.warm_up(now()).await;

    tokio::select! {
        ended = axum::serve(endpoint, endpoint::router(app)) => ended.map_err(|error| error.to_string()),
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

/// Returns the variable of the environment, or the default above.
fn variable(name: &str) -> Option<String> {
    from_environment(name)
        .or_else(|| DEFAULTS.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into()))
}

#[expect(clippy::disallowed_methods, reason = "the example reads its own environment")]
fn from_environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[expect(clippy::disallowed_methods, reason = "the one clock of this example")]
fn now() -> SystemTime {
    SystemTime::now()
}

async fn bind(address: &str) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            format!("{address} is in use: stop the program that listens there, then start again")
        }
        _ => format!("cannot listen on {address}: {error}"),
    })
}

fn print_welcome(provider: &IdentityProvider) -> Result<(), String> {
    println!("roomkey and an identity provider, on this machine only. Ctrl-C stops both.\n");
    println!("  page               http://{ENDPOINT}/");
    println!("  token endpoint     http://{ENDPOINT}/token");
    println!("  identity provider  {}", idp::ISSUER);
    println!("  LiveKit            {}", variable("LIVEKIT_URL").unwrap_or_default());
    let policy =
        from_environment("POLICY").map_or("examples/dev/policy.toml", |_| "the variable POLICY");
    println!("  policy             {policy}");
    print_livekit_server();

    if variable("OIDC_ISSUER").as_deref() != Some(idp::ISSUER) {
        println!(
            "\nOIDC_ISSUER is another issuer: send its tokens. Those of the page receive 401."
        );
        return Ok(());
    }
    for person in &PEOPLE {
        let token = provider.access_token(person, now(), idp::LIFETIME).map_err(text)?;
        println!("\n# {}: {}", person.label, person.outcome);
        println!(
            "curl -i http://{ENDPOINT}/token -H 'Content-Type: application/json' \
             -d '{{\"room_name\":\"standup\"}}' -H 'Authorization: Bearer {token}'"
        );
    }
    println!("\nThese tokens expire after an hour. The page gets new ones: http://{ENDPOINT}/");
    println!("With a policy in the variable POLICY, the response can be 403.");
    println!("The following log has one line per request.\n");
    Ok(())
}

/// Prints the configuration and the command of a LiveKit server on this machine, if that is used. The
/// webhook lets roomkey remove banned participants who join with an earlier token.
fn print_livekit_server() {
    let is_local = variable("LIVEKIT_URL").is_some_and(|url| url.starts_with("ws://127.0.0.1"));
    if let (true, Some(key)) = (is_local, variable("LIVEKIT_API_KEY")) {
        println!("\n# The LiveKit server, with roomkey's webhook:");
        println!(
            "cat > livekit.yaml <<'END'\nwebhook:\n  api_key: {key}\n  urls: \
             [http://{ENDPOINT}/v1/livekit-webhook]\nEND\nlivekit-server --dev --config livekit.yaml"
        );
    }
}

fn text(error: impl Display) -> String {
    error.to_string()
}
