//! Lookup of profiles: the sources in order, until everything needed is known.

use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::cache::ProfileCache;
use super::directory::{Directory, DirectoryKind};
use super::userinfo::UserInfo;
use super::{Paths, Profile, ProfileError, ProfileRequirements};
use crate::oidc::claims::VerifiedClaims;
use crate::oidc::provider::ProfileSource;
use crate::oidc::providers::GENERIC;
use crate::secrets::Secrets;
use crate::upstream::error::{FetchError, Unavailable};

/// Looks up profiles.
pub struct ProfileResolver {
    sources: Vec<Source>,
    /// Paths of the profile in a token's claims.
    token_paths: Paths,
    /// Paths of the profile in the responses of other sources.
    other_paths: Paths,
    needs: ProfileRequirements,
}

/// A source of profiles with its cache.
pub enum Source {
    /// The claims of the caller's token.
    Claims,
    /// The issuer's UserInfo endpoint.
    UserInfo(UserInfo, ProfileCache),
    /// A user directory.
    Directory(Directory, ProfileCache),
}

impl ProfileResolver {
    /// Returns a resolver over `sources` that reads a token's claims at `paths`.
    pub fn new(sources: Vec<Source>, paths: Paths, needs: ProfileRequirements) -> Self {
        // Other sources use standard claims. A configured path takes precedence there too.
        let other_paths = paths.or(&Paths::for_provider(&GENERIC));
        Self { sources, token_paths: paths, other_paths, needs }
    }

    /// Its requirements for a profile.
    pub fn requirements(&self) -> ProfileRequirements {
        self.needs
    }

    /// Returns the profile of the caller with `claims`. UserInfo receives their verified `token`;
    /// `secrets` contain the keys for user directories.
    ///
    /// Costs no I/O if the claims contain everything needed. Otherwise it costs one request for each
    /// further source, whose response is cached per subject for five minutes.
    ///
    /// # Errors
    ///
    /// [`ProfileError`] if a source fails: it is never skipped. If UserInfo refuses the token or does not
    /// know the user, that is an error only if more than a name is missing.
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
                // If the token has the address, its claims are the source, and the name is just empty.
                Source::Directory(directory, _)
                    if key_of(directory, secrets).is_none()
                        && profile.email().is_some()
                        && profile.has_needed(self.needs) =>
                {
                    continue;
                }
                Source::UserInfo(_, kept) | Source::Directory(_, kept) => kept,
            };
            let known = match kept.get(subject, now) {
                Some(known) => Ok(Some(known)),
                None => self.ask(source, claims, token, secrets, now).await,
            };
            match known {
                Ok(Some(known)) => profile.merge_missing(&known),
                Ok(None) => {}
                Err(error) => {
                    let is_refusal = matches!(source, Source::UserInfo(..)) && error.is_refusal();
                    if !is_refusal || !profile.has_needed(self.needs) {
                        return Err(error);
                    }
                }
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

    /// Requests the caller's profile from `source`, or returns `None` if it has none of this kind of token.
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
                let ask = || async { userinfo.ask(&endpoint, claims, token, now).await.map(read) };
                kept.get_or_ask(subject, token, now, ask).await.map(Some)
            }
            Source::Directory(directory, kept) => {
                let missing = FetchError::MissingKey(match directory.kind() {
                    DirectoryKind::Clerk => "CLERK_SECRET_KEY",
                    DirectoryKind::WorkOs => "WORKOS_API_KEY",
                });
                let key = key_of(directory, secrets)
                    .ok_or_else(|| Unavailable::failed(directory.kind().name(), missing))?;
                let user = claims.sub().unwrap_or(subject.as_str());
                let ask = || async { directory.ask(user, key).await.map(read) };
                // The directory does not receive the token.
                kept.get_or_ask(subject, "", now, ask).await.map(Some)
            }
        }
    }
}

/// Returns the key for the API of `directory`, if it is configured.
fn key_of<'a>(directory: &Directory, secrets: &'a Secrets) -> Option<&'a Zeroizing<String>> {
    match directory.kind() {
        DirectoryKind::Clerk => secrets.clerk_secret_key.as_ref(),
        DirectoryKind::WorkOs => secrets.workos_api_key.as_ref(),
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
