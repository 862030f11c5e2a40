//! Stand-ins for Secrets Manager and an identity provider with TLS on loopback. They delay each
//! response and count each request.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;

use crate::Failure;
use crate::runtime::http_request;
use crate::tokens::{self, Issuer};

/// Requests to the stand-ins so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    pub secrets: usize,
    pub keys: usize,
    pub discovery: usize,
}

/// Time from the end of each request to its response so far: the delay, and the scheduling latency of
/// a busy machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Held {
    pub secrets: Duration,
    pub keys: Duration,
    pub discovery: Duration,
}

impl Asked {
    pub fn total(self) -> usize {
        self.secrets + self.keys + self.discovery
    }
}

#[derive(Default)]
struct Counters {
    secrets: Counter,
    keys: Counter,
    discovery: Counter,
}

#[derive(Default)]
struct Counter {
    requests: AtomicUsize,
    held_ns: AtomicU64,
}

impl Counter {
    fn add(&self, held: Duration) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let held = u64::try_from(held.as_nanos()).unwrap_or(u64::MAX);
        self.held_ns.fetch_add(held, Ordering::Relaxed);
    }
}

pub struct Upstream {
    pub secrets_port: u16,
    pub issuer_port: u16,
    pub roots: PathBuf,
    /// File with the CA of the run only, for programs with built-in roots.
    pub ca: PathBuf,
    counters: Arc<Counters>,
    /// Key sets by path.
    sets: Arc<RwLock<HashMap<String, String>>>,
}

/// Trusted root certificates in addition to the CA of the run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Roots {
    /// The system's root certificates, as in Lambda.
    System,
    /// None. The difference is the cost of reading the system's root certificates.
    Own,
}

/// Paths of root certificates in Linux distributions.
const SYSTEM_ROOTS: [&str; 2] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

impl Upstream {
    /// Starts both servers. Writes the file of trusted roots to `directory`.
    pub fn start(
        issuer: &Issuer,
        delay: Duration,
        roots: Roots,
        directory: &std::path::Path,
    ) -> Result<Self, Failure> {
        let (tls, roots, ca) = certificates(roots, directory)?;
        let secrets = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let issuer_listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let secrets_port = secrets.local_addr()?.port();
        let issuer_port = issuer_listener.local_addr()?.port();
        let counters = Arc::new(Counters::default());

        let secret = secret_answer();
        let tally = Arc::clone(&counters);
        serve(secrets, Arc::clone(&tls), delay, move |request| {
            let answer = Reply {
                kind: "application/x-amz-json-1.1",
                body: secret.clone(),
                tally: Arc::clone(&tally),
                counter: |tally| &tally.secrets,
            };
            request.starts_with("POST / ").then_some(answer)
        });

        let sets = HashMap::from([(JWKS_PATH.to_owned(), issuer.jwks())]);
        let sets = Arc::new(RwLock::new(sets));
        let known = Arc::clone(&sets);
        let discovery = discovery(issuer_port);
        let tally = Arc::clone(&counters);
        serve(issuer_listener, tls, delay, move |request| {
            let path = request.split(' ').nth(1).unwrap_or_default();
            let set = known.read().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
            let (counter, body): (fn(&Counters) -> &Counter, _) = if let Some(set) = set {
                (|tally| &tally.keys, set)
            } else if request.starts_with("GET /.well-known/openid-configuration ") {
                (|tally| &tally.discovery, discovery.clone())
            } else {
                return None;
            };
            Some(Reply { kind: "application/json", body, tally: Arc::clone(&tally), counter })
        });
        Ok(Self { secrets_port, issuer_port, roots, ca, counters, sets })
    }

    pub fn asked(&self) -> Asked {
        let read = |counter: &Counter| counter.requests.load(Ordering::Relaxed);
        Asked {
            secrets: read(&self.counters.secrets),
            keys: read(&self.counters.keys),
            discovery: read(&self.counters.discovery),
        }
    }

    pub fn held(&self) -> Held {
        let read =
            |counter: &Counter| Duration::from_nanos(counter.held_ns.load(Ordering::Relaxed));
        Held {
            secrets: read(&self.counters.secrets),
            keys: read(&self.counters.keys),
            discovery: read(&self.counters.discovery),
        }
    }

    pub fn issuer(&self) -> String {
        format!("https://localhost:{}", self.issuer_port)
    }

    /// Adds a key set and returns its URL.
    pub fn add_keys(&self, name: &str, set: String) -> String {
        let path = format!("/keys/{name}");
        let address = format!("{}{path}", self.issuer());
        self.sets.write().unwrap_or_else(PoisonError::into_inner).insert(path, set);
        address
    }

    pub fn jwks_uri(&self) -> String {
        format!("{}{JWKS_PATH}", self.issuer())
    }
}

const JWKS_PATH: &str = "/.well-known/jwks.json";

impl std::ops::Sub for Asked {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            secrets: self.secrets - earlier.secrets,
            keys: self.keys - earlier.keys,
            discovery: self.discovery - earlier.discovery,
        }
    }
}

impl std::ops::Sub for Held {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            secrets: self.secrets.saturating_sub(earlier.secrets),
            keys: self.keys.saturating_sub(earlier.keys),
            discovery: self.discovery.saturating_sub(earlier.discovery),
        }
    }
}

fn secret_answer() -> String {
    let secret = json!({
        "LIVEKIT_URL": tokens::SERVER_URL,
        "LIVEKIT_API_KEY": tokens::API_KEY,
        "LIVEKIT_API_SECRET": tokens::API_SECRET,
    });
    json!({
        "ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:bench/livekit-AbCdEf",
        "CreatedDate": 1_767_225_600.0,
        "Name": tokens::SECRET_ID,
        "SecretString": secret.to_string(),
        "VersionId": "8a1f2c9e-0d37-4bb0-9f5e-3f1f1d7f2a11",
        "VersionStages": ["AWSCURRENT"],
    })
    .to_string()
}

fn discovery(port: u16) -> String {
    let at = |path: &str| format!("https://localhost:{port}{path}");
    json!({
        "issuer": at(""),
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "userinfo_endpoint": at("/userinfo"),
        "jwks_uri": at(JWKS_PATH),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
    })
    .to_string()
}

/// Creates a certificate for `localhost`, and a file with the system's roots and the CA of the run.
/// Reading about 140 certificates is part of a cold start.
fn certificates(
    roots: Roots,
    directory: &std::path::Path,
) -> Result<(Arc<ServerConfig>, PathBuf, PathBuf), Failure> {
    // With the same name as its CA, the leaf certificate would appear to be self-signed.
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.distinguished_name.push(DnType::CommonName, "bench CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let mut leaf = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    leaf.distinguished_name.push(DnType::CommonName, "localhost");
    let leaf = leaf.signed_by(&key, &ca)?;

    let system = match roots {
        Roots::Own => Some(String::new()),
        Roots::System => SYSTEM_ROOTS.iter().find_map(|path| std::fs::read_to_string(path).ok()),
    };
    let roots = system.ok_or("no system roots: install ca-certificates")? + &ca.pem();
    let path = directory.join("roots.pem");
    std::fs::write(&path, roots)?;
    let alone = directory.join("ca.pem");
    std::fs::write(&alone, ca.pem())?;

    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let tls = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)?;
    Ok((Arc::new(tls), path, alone))
}

/// Response and its counter.
struct Reply {
    kind: &'static str,
    body: String,
    tally: Arc<Counters>,
    counter: fn(&Counters) -> &Counter,
}

/// Answers requests on separate threads until the harness ends.
fn serve<A>(listener: TcpListener, tls: Arc<ServerConfig>, delay: Duration, answer: A)
where
    A: Fn(&str) -> Option<Reply> + Send + Sync + 'static,
{
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (tls, answer) = (Arc::clone(&tls), Arc::clone(&answer));
            // A client that disconnects is a function that was stopped.
            std::thread::spawn(move || drop(converse(stream, tls, delay, &*answer)));
        }
    });
}

fn converse(
    stream: TcpStream,
    tls: Arc<ServerConfig>,
    delay: Duration,
    answer: &dyn Fn(&str) -> Option<Reply>,
) -> Result<(), Failure> {
    stream.set_nodelay(true)?;
    let mut stream = StreamOwned::new(ServerConnection::new(tls)?, stream);
    let mut read = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        let count = stream.read(&mut chunk)?;
        if count == 0 {
            return Ok(());
        }
        read.extend_from_slice(&chunk[..count]);
        let Some((request, _)) = http_request(&read)? else { continue };
        let asked = Instant::now();
        read.clear();
        hold(delay);
        let Some(Reply { kind, body, tally, counter }) = answer(&request) else {
            stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
            stream.flush()?;
            continue;
        };
        let length = body.len();
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n");
        // Count before sending, because the client can finish before this thread continues.
        counter(&tally).add(asked.elapsed());
        stream.write_all((head + &body).as_bytes())?;
        stream.flush()?;
    }
}

/// Waits for exactly this time. A plain sleep would add the wake-up latency.
fn hold(delay: Duration) {
    const WAKE_UP: Duration = Duration::from_micros(300);
    let until = Instant::now() + delay;
    std::thread::sleep(delay.saturating_sub(WAKE_UP));
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}
