//! Fetches a participant token with LiveKit's crate and prints it: `fetch_token URL BEARER ROOM`.

use livekit_token_source::{TokenSourceConfigurable as _, TokenSourceFetchOptions, endpoint};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [url, bearer, room] = std::env::args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| "three arguments")?;
    let source = endpoint(url).with_header("Authorization", format!("Bearer {bearer}"));
    let answer = source.fetch(&TokenSourceFetchOptions::new().with_room_name(room)).await?;
    println!("{}\n{}", answer.server_url, answer.participant_token);
    Ok(())
}
