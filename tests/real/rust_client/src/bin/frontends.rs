//! Fetches tokens with the Rust code of `docs/frontends.md`. Reads one request per line, `URL ROOM BEARER RENEWED`, and
//! writes one line: `token TOKEN` or `problem CODE`.

#[path = "../roomkey.rs"]
mod roomkey;

use livekit_token_source::TokenSourceFetchOptions;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    for line in std::io::stdin().lines() {
        let line = line?;
        let [url, room, bearer, renewed] =
            line.split(' ').collect::<Vec<_>>().try_into().map_err(|_| "four words")?;
        let options = TokenSourceFetchOptions::new().with_room_name(room);
        let access_token = async |renew| String::from(if renew { renewed } else { bearer });
        match roomkey::fetch(url, &options, access_token).await {
            Ok(answer) => println!("token {}", answer.participant_token),
            Err(error) => println!("problem {}", roomkey::code(&error)),
        }
    }
    Ok(())
}
