//! Who is asked for a profile, in order, until enough is said.

use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Map, Value};

use super::cache::ProfileCache;
use super::directory::{Directory, DirectoryKind};
use super::userinfo::UserInfo;
use super::{Paths, Profile, ProfileError, ProfileRequirements};
use crate::oidc::claims::VerifiedClaims;
use crate::oidc::provider::ProfileSource;
use crate::oidc::providers::GENERIC;
use crate::secrets::Secrets;
use crate::upstream::error::FetchError;
use crate::upstream::error::Unavailable;

/// Finds profiles.
pub struct ProfileResolver {
    sources: Vec<Source>,
    /// Where a token's claims hold the profile.
    token_paths: Paths,
    /// Where other sources hold it.
    other_paths: Paths,
    needs: ProfileRequirements,
}

/// A source of profiles, with what it needs to be asked.
pub enum Source {
    /// The claims of the caller's token.
    Claims,
    /// The issuer's UserInfo, and what it said.
    UserInfo(UserInfo, ProfileCache),
    /// A user directory, and what it said.
    Directory(Directory, ProfileCache),
}

impl ProfileResolver {
    /// Returns a resolver over `sources` that reads a token's claims at `paths`.
    #[must_use]
    pub fn new(sources: Vec<Source>, paths: Paths, needs: ProfileRequirements) -> Self {
        // Other sources speak standard claims; a path of one's own comes first there too.
        let other_paths = paths.or(&Paths::for_provider(&GENERIC));
        Self { sources, token_paths: paths, other_paths, needs }
    }

    /// The profile of the caller with `claims`, whose verified `token` is shown to the issuer where
    /// UserInfo is asked; `secrets` hold the keys to user directories.
    ///
    /// Costs no I/O where the claims hold what is needed, else one request for each further source,
    /// whose answer is kept per subject for five minutes, and a failure for ten seconds.
    ///
    /// # Errors
    ///
    /// [`ProfileError`]: a source that should be asked and cannot be is never passed over, or a
    /// guess would stand in for its answer.
    pub async fn find(
        &self,
        claims: &VerifiedClaims,
        token: &str,
        secrets: &Secrets,
        now: SystemTime,
    ) -> Result<Profile, ProfileError> {
        let subject = claims.subject();
        let mut profile = Profile::default();
        for source in &self.sources {
            if profile.satisfies(self.needs) {
                break;
            }
            let kept = match source {
                Source::Claims => {
                    profile.merge_missing(&Profile::read(claims.as_object(), &self.token_paths));
                    continue;
                }
                Source::UserInfo(_, kept) | Source::Directory(_, kept) => kept,
            };
            let known = match kept.get(subject, now) {
                Some(known) => Some(known),
                None => self.ask(source, claims, token, secrets, now).await?,
            };
            if let Some(known) = known {
                profile.merge_missing(&known);
            }
        }
        Ok(profile)
    }

    /// Returns the profile in `claims`, and the sources that [`find`](Self::find) queries for the
    /// rest.
    pub fn in_claims(&self, claims: &VerifiedClaims) -> (Profile, Vec<ProfileSource>) {
        let (mut profile, mut others) = (Profile::default(), Vec::new());
        for source in &self.sources {
            if profile.satisfies(self.needs) {
                break;
            }
            match source {
                Source::Claims => {
                    profile.merge_missing(&Profile::read(claims.as_object(), &self.token_paths));
                }
                Source::UserInfo(userinfo, _) if !userinfo.takes(claims) => {}
                Source::UserInfo(..) | Source::Directory(..) => others.push(source.kind()),
            }
        }
        (profile, others)
    }

    /// The sources, in order.
    pub fn sources(&self) -> impl Iterator<Item = ProfileSource> {
        self.sources.iter().map(Source::kind)
    }

    /// What `source` says of the caller; `None` where it is no source for them.
    async fn ask(
        &self,
        source: &Source,
        claims: &VerifiedClaims,
        token: &str,
        secrets: &Secrets,
        now: SystemTime,
    ) -> Result<Option<Arc<Profile>>, ProfileError> {
        let subject = claims.subject();
        let read = |answer: Map<String, Value>| Profile::read(&answer, &self.other_paths);
        match source {
            Source::Claims => Ok(None),
            Source::UserInfo(userinfo, _) if !userinfo.takes(claims) => Ok(None),
            Source::UserInfo(userinfo, kept) => {
                let Some(endpoint) = userinfo.endpoint(now).await? else { return Ok(None) };
                let ask = || async { userinfo.ask(&endpoint, subject, token).await.map(read) };
                kept.get_or_ask(subject, token, now, ask).await.map(Some)
            }
            Source::Directory(directory, kept) => {
                let key = match directory.kind() {
                    DirectoryKind::Clerk => secrets.clerk_secret_key.as_ref(),
                    DirectoryKind::WorkOs => secrets.workos_api_key.as_ref(),
                };
                let missing = FetchError::Refused("its key is not in the secret");
                let key =
                    key.ok_or_else(|| Unavailable::failed(directory.kind().name(), missing))?;
                let ask = || async { directory.ask(subject, key).await.map(read) };
                // The token is not shown: another one makes no difference.
                kept.get_or_ask(subject, "", now, ask).await.map(Some)
            }
        }
    }
}

impl Source {
    fn kind(&self) -> ProfileSource {
        match self {
            Self::Claims => ProfileSource::Claims,
            Self::UserInfo(..) => ProfileSource::UserInfo,
            Self::Directory(directory, _) => match directory.kind() {
                DirectoryKind::Clerk => ProfileSource::Clerk,
                DirectoryKind::WorkOs => ProfileSource::WorkOs,
            },
        }
    }
}
