//! Minimal function on `lambda_http`, the base of every ratio in the benchmark.

use lambda_http::{Body, Error, Request, Response, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(hello)).await
}

async fn hello(_request: Request) -> Result<Response<Body>, Error> {
    let answer = Response::builder()
        .status(201)
        .header("content-type", "application/json")
        .header("cache-control", "no-store")
        .body(Body::from(r#"{"hello":"world"}"#))?;
    Ok(answer)
}
