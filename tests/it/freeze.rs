//! Freezes between invocations, during which connections close.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::gateway::Wire;
use crate::support::{
    Bootstrap, Env, FakeIdp, FakeSecretsManager, Fault, Key, Outcome, Route, extend, today,
};

fn event(idp: &FakeIdp, change: &Value) -> Value {
    Wire::token(&idp.token(&extend(today(), change)), &json!({})).http_api()
}

#[tokio::test]
async fn freeze_with_closed_connections_fails_no_request() {
    let idp = FakeIdp::start();
    let secrets = FakeSecretsManager::start();
    let env = Env::online(&idp).secret_in(&secrets).with("SECRET_TTL_SECONDS", "1");
    let mut function = Bootstrap::start(&env);
    function.answer("cold", &event(&idp, &json!({}))).await.expect_issued("cold");
    for round in 0..6 {
        function.freeze().await;
        idp.down();
        secrets.down();
        idp.up();
        secrets.up();
        tokio::time::sleep(Duration::from_millis(300)).await;
        function.thaw().await;
        let started = Instant::now();
        let change = json!({ "sub": format!("user-{round}"), "name": null });
        let reply = function.answer("thawed", &event(&idp, &change)).await;
        reply.expect_issued(&format!("thaw {round}"));
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    }
    assert!(function.is_alive());
}

/// A fetch that a freeze interrupted fails when the process thaws. The next request must not fail
/// with it.
#[tokio::test]
async fn freeze_during_a_fetch_does_not_fail_the_next_request() {
    let idp = FakeIdp::start();
    let env = Env::online(&idp).with("JWKS_COOLDOWN_SECONDS", "1");
    let function = Bootstrap::start(&env);
    function.init_time().await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    idp.inject(Route::Jwks, Fault::Hang);
    idp.publish(&[&Key::rsa_next()]);
    let bearer = idp.token_by(&Key::rsa_next(), &today());
    let event = Wire::token(&bearer, &json!({})).http_api();
    let outcome = function.invoke_within(event.to_string(), Duration::from_millis(700)).await;
    outcome.reply("hanging").expect_problem("hanging", 503, "unavailable");
    function.freeze().await;
    idp.down();
    idp.restore(Route::Jwks);
    idp.up();
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    function.thaw().await;
    match function.invoke(&event).await {
        Outcome::Answer(reply) => _ = reply.expect_issued("thawed"),
        other => panic!("{other:?}"),
    }
}
