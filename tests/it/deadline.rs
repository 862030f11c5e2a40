//! The time budget of a request at its real value.

use std::time::{Duration, Instant};

use crate::support::{Call, Env, FakeIdp, Fault, Route};

#[tokio::test]
async fn slow_keys_and_hanging_userinfo_are_answered_within_five_seconds() {
    let idp = FakeIdp::start();
    idp.inject(Route::Jwks, Fault::Slow(Duration::from_millis(2_600)));
    idp.inject(Route::UserInfo, Fault::Hang);
    let app = Env::online(&idp).app();
    let started = Instant::now();
    let reply = Call::bare().bearer(&idp.bare_token()).send(&app).await;
    reply.expect_problem("slow and hanging", 503, "unavailable");
    assert!(started.elapsed() < Duration::from_millis(5_300), "{:?}", started.elapsed());
}
