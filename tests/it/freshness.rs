//! Withdrawn keys at every request rate, in a process that is frozen after each response as Lambda does.

use std::time::{Duration, Instant, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::gateway::Wire;
use crate::support::signed::{KEY, NEXT_SECRET, SECRET, Signed};
use crate::support::{
    API_KEY, API_SECRET, Bootstrap, Env, FakeClock, FakeIdp, FakeSecretsManager, Fault, Key, Reply,
    Route, SecretFault, clock,
};

/// Round trip to every upstream.
const LATENCY: Duration = Duration::from_millis(80);

/// Time from a response to the freeze.
const UNTIL_FREEZE: Duration = Duration::from_millis(2);

/// A name of LiveKit's key pair after its replacement.
const NEXT_KEY: &str = "nextkey";

/// The key that is withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Withdrawn {
    SigningKey,
    BackendKey,
    LivekitPair,
}

/// One environment with its upstreams, frozen between requests, on a clock of its own.
struct Environment {
    idp: FakeIdp,
    secrets: FakeSecretsManager,
    function: Bootstrap,
    clock: FakeClock,
    /// Start of the environment, in seconds since 1970, and on the monotonic clock.
    start: (u64, Instant),
    /// Time from the start to the current request, by the environment's clock.
    time: Duration,
}

impl Environment {
    async fn start(clock: FakeClock, ttl: u64) -> Self {
        let (idp, secrets) = (FakeIdp::start(), FakeSecretsManager::start());
        secrets.keep(secret(API_KEY, &json!({ KEY: SECRET, "backend-2": NEXT_SECRET })));
        idp.publish(&[&Key::rsa(), &Key::rsa_next()]);
        for route in [Route::Discovery, Route::Jwks] {
            idp.inject(route, Fault::Slow(LATENCY));
        }
        secrets.inject(SecretFault::Slow(80));
        let ttl = ttl.to_string();
        let env = Env::online(&idp)
            .secret_in(&secrets)
            .with_all(&[("JWKS_TTL_SECONDS", &ttl), ("SECRET_TTL_SECONDS", &ttl)]);
        let function = Bootstrap::start(&clock.give(env));
        function.init_time().await;
        function.freeze().await;
        let now = crate::support::clock().duration_since(UNIX_EPOCH).unwrap().as_secs();
        Self { idp, secrets, function, clock, start: (now, Instant::now()), time: Duration::ZERO }
    }

    /// Thaws the process for one request, `after` seconds later, and freezes it after the response.
    async fn send(&mut self, after: Duration, wire: impl Fn(&Self) -> Wire) -> Reply {
        self.time += after;
        let moved = self.time.as_secs_f64() - self.start.1.elapsed().as_secs_f64();
        self.clock.set_exactly(moved);
        let deadline = Duration::from_secs_f64(10.0 + moved.max(0.0));
        let event = wire(self).http_api().to_string();
        let reply = self.function.invoke_within(event, deadline);
        let (outcome, ()) = tokio::join!(reply, self.function.thaw());
        tokio::time::sleep(UNTIL_FREEZE).await;
        self.function.freeze().await;
        outcome.reply(&format!("{:?}: {}", self.time, self.function.output()))
    }

    /// A request with a token that `key` signed.
    fn token(&self, key: &Key) -> Wire {
        let dates = json!({ "iat": self.start.0 - 60, "exp": self.start.0 + 1_000_000 });
        Wire::token(&self.idp.token_by(key, &dates), &json!({}))
    }

    /// A request that the backend signed with its first key.
    fn signed(&self) -> Wire {
        let body = json!({
            "roomId": "room-abc", "userId": "user-123", "name": format!("{:?}", self.time),
            "role": "participant",
        });
        let timestamp = self.start.0 + self.time.as_secs();
        let request = Signed { timestamp: timestamp.to_string(), ..Signed::new(&body) };
        Wire::token("", &json!({}))
            .at("POST", "/v1/token")
            .without("authorization")
            .with("content-type", "application/json")
            .with("x-api-key", KEY)
            .with("x-rtcstack-timestamp", &request.timestamp)
            .with("x-rtcstack-signature", &request.signature())
            .text(&request.body)
    }

    fn withdraw(&self, key: Withdrawn) {
        match key {
            Withdrawn::SigningKey => self.idp.publish(&[&Key::rsa_next()]),
            Withdrawn::BackendKey => {
                self.secrets.keep(secret(API_KEY, &json!({ "backend-2": NEXT_SECRET })));
            }
            Withdrawn::LivekitPair => {
                self.secrets.keep(secret(NEXT_KEY, &json!({ KEY: SECRET })));
            }
        }
    }

    /// Sends a request with the key after `rate` seconds, and returns whether the key is in use.
    async fn is_in_use(&mut self, key: Withdrawn, rate: Duration) -> bool {
        let row = format!("{key:?} every {rate:?}");
        match key {
            Withdrawn::SigningKey => match self.send(rate, |it| it.token(&Key::rsa())).await {
                reply if reply.status == 201 => true,
                reply => {
                    reply.expect_problem(&row, 401, "invalid_token");
                    false
                }
            },
            Withdrawn::BackendKey => match self.send(rate, Self::signed).await.status {
                200 => true,
                status => {
                    assert_eq!(status, 401, "{row}: {}", self.function.output());
                    false
                }
            },
            Withdrawn::LivekitPair => {
                let reply = self.send(rate, |it| it.token(&Key::rsa_next())).await;
                reply.participant()["iss"] == API_KEY
            }
        }
    }

    /// Log lines of failed fetches, and of requests that used a stale value.
    fn failed_and_stale(&self) -> (usize, usize) {
        let lines = self.function.json_lines();
        let count = |is_counted: &dyn Fn(&Value) -> bool| {
            lines.iter().filter(|line| is_counted(line)).count()
        };
        (count(&|line| line["message"] == "fetch failed"), count(&|line| line["stale"] == true))
    }
}

fn secret(key: &str, backends: &Value) -> Value {
    let mut secret = FakeSecretsManager::secret(key, API_SECRET);
    secret["BACKEND_API_KEYS"] = backends.clone();
    secret
}

async fn withdrawn_key_is_out_of_use(key: Withdrawn, rate: u64, ttl: u64) {
    // Without libfaketime, the tables of `refresh` and `key_cache` cover the ages.
    let Some(clock) = FakeClock::find() else { return };
    let (rate, window) = (Duration::from_millis(rate), Duration::from_secs(ttl));
    let row = format!("{key:?} every {rate:?}");
    let mut environment = Environment::start(clock, ttl).await;
    while environment.time < window * 3 / 2 {
        assert!(environment.is_in_use(key, rate).await, "{row}: {:?}", environment.time);
    }
    environment.withdraw(key);
    let withdrawn = environment.time;
    let mut last_use = withdrawn;
    while environment.time < withdrawn + 2 * window + 2 * rate {
        if environment.is_in_use(key, rate).await {
            last_use = environment.time;
        }
    }
    assert!(
        last_use < withdrawn + window,
        "{row}: withdrawn at {withdrawn:?}, used at {last_use:?}"
    );
    assert_eq!(environment.failed_and_stale(), (0, 0), "{row}: {}", environment.function.output());
    if key == Withdrawn::LivekitPair {
        let most = environment.time.as_secs() / ttl + 1;
        let fetches = u64::try_from(environment.secrets.asked().len()).unwrap();
        assert!(fetches <= most, "{row}: {fetches} fetches in {:?}", environment.time);
    }

    environment.idp.down();
    environment.secrets.down();
    let outage = environment.time;
    while environment.time < outage + window * 3 / 2 {
        let reply = environment.send(rate, |it| it.token(&Key::rsa_next())).await;
        reply.expect_issued(&format!("{row}: during an outage"));
    }
    let (failed, stale) = environment.failed_and_stale();
    assert!(failed > 0 && stale > 0, "{row}: {failed} failed, {stale} stale");
    environment.idp.up();
    environment.secrets.up();
    let recovery = environment.time;
    while environment.time < recovery + Duration::from_secs(11) {
        environment.send(rate, |it| it.token(&Key::rsa_next())).await.expect_issued(&row);
    }
    let (_, before) = environment.failed_and_stale();
    environment.send(rate, |it| it.token(&Key::rsa_next())).await.expect_issued(&row);
    assert_eq!(environment.failed_and_stale().1, before, "{row}: fresh after the outage");
}

macro_rules! rates {
    ($($test:ident: $key:ident, $rate:expr, $ttl:expr;)*) => {
        $(#[tokio::test]
        async fn $test() {
            withdrawn_key_is_out_of_use(Withdrawn::$key, $rate, $ttl).await;
        })*
    };
}

rates! {
    signing_key_is_out_of_use_at_three_requests_per_second: SigningKey, 300, 12;
    signing_key_is_out_of_use_at_a_request_every_2_s: SigningKey, 2_000, 30;
    signing_key_is_out_of_use_at_a_request_every_10_s: SigningKey, 10_000, 60;
    // Not 600 s: the clock runs on by milliseconds, so that a value of just that age may be younger.
    signing_key_is_out_of_use_at_a_request_every_600_s: SigningKey, 600_000, 590;
    backend_key_is_out_of_use_at_three_requests_per_second: BackendKey, 300, 12;
    backend_key_is_out_of_use_at_a_request_every_2_s: BackendKey, 2_000, 30;
    backend_key_is_out_of_use_at_a_request_every_10_s: BackendKey, 10_000, 60;
    backend_key_is_out_of_use_at_a_request_every_600_s: BackendKey, 600_000, 300;
    livekit_pair_is_out_of_use_at_three_requests_per_second: LivekitPair, 300, 12;
    livekit_pair_is_out_of_use_at_a_request_every_2_s: LivekitPair, 2_000, 30;
    livekit_pair_is_out_of_use_at_a_request_every_10_s: LivekitPair, 10_000, 60;
    livekit_pair_is_out_of_use_at_a_request_every_600_s: LivekitPair, 600_000, 300;
}

/// A freeze in the middle of a fetch is no failure: the fetch is repeated for the same request.
#[tokio::test]
async fn fetch_that_a_freeze_interrupted_is_repeated() {
    let idp = FakeIdp::start();
    let function = Bootstrap::start(&Env::online(&idp));
    function.init_time().await;
    idp.inject(Route::UserInfo, Fault::Hang);
    let now = clock().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({ "name": null, "iat": now - 5, "exp": now + 300 });
    let event = Wire::token(&idp.token(&claims), &json!({})).http_api().to_string();
    let reply = function.invoke_within(event, Duration::from_secs(30));
    let freeze = async {
        while idp.counts().2 == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        function.freeze().await;
        // Longer than the time limit of the fetch, and shorter than that of the request.
        tokio::time::sleep(Duration::from_millis(3_500)).await;
        idp.restore(Route::UserInfo);
        function.thaw().await;
    };
    let (outcome, ()) = tokio::join!(reply, freeze);
    outcome.reply("interrupted").expect_issued("interrupted");
    assert_eq!(idp.counts().2, 2, "the interrupted fetch and its repetition");
    let failed = function.json_lines().into_iter().filter(|line| line["level"] == "WARN").count();
    assert_eq!(failed, 0, "{}", function.output());
}
