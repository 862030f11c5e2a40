//! The settings of one issuer.

use std::fmt;

use super::super::reader::{Name, Reader, default_of};
use super::super::{boolean, url};
use crate::oidc::algorithm::AllowedAlgorithms;
use crate::oidc::audience::Audience;
use crate::oidc::issuer::KeySource;
use crate::oidc::jwks::KeySet;
use crate::oidc::provider::{ProfileSource, Provider};
use crate::oidc::providers;
use crate::profile::Paths;
use crate::reason::Reason;
use crate::upstream::client::is_https_or_loopback;

/// The variables of one issuer.
pub(super) struct IssuerSettings {
    pub(super) provider: &'static Provider,
    pub(super) audience: Audience,
    pub(super) subject_claim: String,
    pub(super) algorithms: AllowedAlgorithms,
    pub(super) keys: KeySource,
    pub(super) sources: Vec<ProfileSource>,
    pub(super) paths: Paths,
    pub(super) require_verified_email: bool,
}

impl IssuerSettings {
    /// Reads the variables of `issuer`, whose names `of` returns.
    pub(super) fn read<L: Fn(&str) -> Option<String>>(
        reader: &mut Reader<L>,
        of: &impl Fn(&'static str) -> Name,
        issuer: &str,
    ) -> Option<Self> {
        let provider = provider(reader, of, issuer);
        if let Some(reason) = provider.unsupported_reason(issuer) {
            reader.fault("OIDC_ISSUER", reason);
        }
        let sources = match reader.text(&of("PROFILE_SOURCE")) {
            Some(_) => reader.optional(of("PROFILE_SOURCE"), sources),
            None => Some(provider.sources.to_vec()),
        };
        let algorithms = match reader.text(&of("OIDC_ALGORITHMS")).as_deref() {
            Some("HS256") => Some(AllowedAlgorithms::hs256()),
            Some(_) => reader.optional(of("OIDC_ALGORITHMS"), AllowedAlgorithms::parse),
            None => AllowedAlgorithms::parse(default_of("OIDC_ALGORITHMS")).ok(),
        };
        let keys = keys(reader, of, provider, issuer, algorithms.as_ref());
        let is_discovered = matches!(keys, Some(KeySource::Discovered))
            || sources.as_ref().is_some_and(|sources| sources.contains(&ProfileSource::UserInfo));
        if is_discovered && !issuer.is_empty() && !is_https_or_loopback(issuer) {
            let (jwks_uri, profile_source) = (of("OIDC_JWKS_URI"), of("PROFILE_SOURCE"));
            let reason = format!(
                "must be an https URL, since its discovery document is read. If the provider's \
                 issuer is not, set {jwks_uri} and {profile_source}=claims"
            );
            reader.fault("OIDC_ISSUER", reason);
        }
        let audience = audience(reader, of, provider, issuer);
        let subject_claim = with_default(reader, of, "SUBJECT_CLAIM", claim_path);
        let paths = paths(reader, of, provider);
        let require_verified_email = with_default(reader, of, "REQUIRE_VERIFIED_EMAIL", boolean);
        Some(Self {
            provider,
            audience: audience?,
            subject_claim: subject_claim?,
            algorithms: algorithms?,
            keys: keys?,
            sources: sources?,
            paths,
            require_verified_email: require_verified_email?,
        })
    }
}

/// Returns the parsed variable of the issuer, or the default of the variable without the name.
fn with_default<L: Fn(&str) -> Option<String>, T, E: fmt::Display>(
    reader: &mut Reader<L>,
    of: &impl Fn(&'static str) -> Name,
    variable: &'static str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Option<T> {
    match reader.text(&of(variable)) {
        Some(_) => reader.optional(of(variable), parse),
        None => parse(default_of(variable)).ok(),
    }
}

/// Returns the preset of the variable, or else the one that recognizes the issuer.
fn provider<L: Fn(&str) -> Option<String>>(
    reader: &mut Reader<L>,
    of: &impl Fn(&'static str) -> Name,
    issuer: &str,
) -> &'static Provider {
    let recognized = providers::recognize(issuer);
    let Some(name) = reader.text(&of("OIDC_PROVIDER")) else { return recognized };
    let Some(named) = providers::by_name(&name) else {
        let names: Vec<_> = providers::PROVIDERS.iter().map(|provider| provider.name).collect();
        reader.fault(of("OIDC_PROVIDER"), format!("must be one of {}", names.join(", ")));
        return recognized;
    };
    let is_generic = |provider: &Provider| provider.name == providers::GENERIC.name;
    if named.name != recognized.name && !is_generic(named) && !is_generic(recognized) {
        let reason = format!(
            "must not be {}: OIDC_ISSUER is an issuer of {}. Leave {} out, or correct OIDC_ISSUER",
            named.name,
            recognized.name,
            of("OIDC_PROVIDER")
        );
        reader.fault(of("OIDC_PROVIDER"), reason);
    }
    named
}

fn keys<L: Fn(&str) -> Option<String>>(
    reader: &mut Reader<L>,
    of: &impl Fn(&'static str) -> Name,
    provider: &Provider,
    issuer: &str,
    algorithms: Option<&AllowedAlgorithms>,
) -> Option<KeySource> {
    let given = reader.optional(of("OIDC_JWKS"), |text| {
        KeySet::read(text.as_bytes())
            .ok_or(Reason("must be a JSON key set with a usable public key"))
    });
    let at = reader.optional(of("OIDC_JWKS_URI"), url);
    let has = |variable| reader.text(&of(variable)).is_some();
    let (has_keys, has_address) = (has("OIDC_JWKS"), has("OIDC_JWKS_URI"));
    let is_shared = algorithms == Some(&AllowedAlgorithms::hs256());
    if is_shared && (has_keys || has_address) {
        let reason = "is HS256, which uses a shared secret and no key set: leave out OIDC_JWKS and \
                      OIDC_JWKS_URI";
        reader.fault(of("OIDC_ALGORITHMS"), reason);
    }
    match (has_keys, has_address) {
        (true, true) => {
            reader.fault(of("OIDC_JWKS"), "and OIDC_JWKS_URI are both set: leave one of them out");
            None
        }
        (true, false) => given.map(|keys| KeySource::Given(Box::new(keys))),
        (false, true) => at.map(KeySource::At),
        (false, false) if is_shared => Some(KeySource::Shared),
        (false, false) => match provider.key_location(issuer) {
            Ok(address) => Some(address.map_or(KeySource::Discovered, KeySource::At)),
            Err(error) => {
                reader.fault(of("OIDC_JWKS_URI"), format!("{error}, as for {}", provider.name));
                None
            }
        },
    }
}

/// Returns the decision which tokens are meant for this application. Without one, tokens that were
/// issued to any other application would be accepted.
fn audience<L: Fn(&str) -> Option<String>>(
    reader: &mut Reader<L>,
    of: &impl Fn(&'static str) -> Name,
    provider: &Provider,
    issuer: &str,
) -> Option<Audience> {
    let has = |variable| reader.text(&of(variable)).is_some();
    let (has_audience, has_party) = (has("OIDC_AUDIENCE"), has("OIDC_AUTHORIZED_PARTIES"));
    let audiences = reader.optional(of("OIDC_AUDIENCE"), list);
    let parties = reader.optional(of("OIDC_AUTHORIZED_PARTIES"), list);
    let dedicated = with_default(reader, of, "OIDC_DEDICATED_ISSUER", boolean);
    if let Some(reason) = provider.audience_conflict.filter(|_| has_audience && has_party) {
        reader.fault(of("OIDC_AUDIENCE"), reason);
    }
    if dedicated == Some(true) && providers::is_shared(issuer) {
        let reason = format!(
            "must be false for this issuer, which serves the applications of many organizations: \
             set {}",
            of("OIDC_AUDIENCE")
        );
        reader.fault(of("OIDC_DEDICATED_ISSUER"), reason);
    }
    let default = provider.default_audiences(issuer);
    let has_default = default.is_some();
    let audiences = if has_audience { audiences } else { Some(default.unwrap_or_default()) };
    let parties = if has_party { parties } else { Some(Vec::new()) };
    let (audiences, parties, dedicated) = (audiences?, parties?, dedicated?);
    let is_dedicated = dedicated || (has_default && audiences.is_empty() && parties.is_empty());
    let decided = Audience::new(audiences, parties, is_dedicated);
    if decided.is_none() {
        let reason = format!(
            "must be set, or {}, or {}=true if the issuer serves this application alone: \
             otherwise tokens that were issued to other applications would be accepted",
            of("OIDC_AUTHORIZED_PARTIES"),
            of("OIDC_DEDICATED_ISSUER")
        );
        reader.fault(of("OIDC_AUDIENCE"), reason);
    }
    decided
}

fn paths<L: Fn(&str) -> Option<String>>(
    reader: &mut Reader<L>,
    of: &impl Fn(&'static str) -> Name,
    provider: &Provider,
) -> Paths {
    let mut paths = Paths::for_provider(provider);
    let email = reader.optional(of("EMAIL_CLAIM"), claim_path);
    let verified = reader.optional(of("EMAIL_VERIFIED_CLAIM"), claim_path);
    match (email, verified) {
        // No claim vouches for another one.
        (Some(email), None) => {
            let verified = format!("{email}_verified");
            paths.emails = vec![(email, verified)];
        }
        (Some(email), Some(verified)) => paths.emails = vec![(email, verified)],
        (None, Some(verified)) => {
            paths.emails.truncate(1);
            for (_, default) in &mut paths.emails {
                default.clone_from(&verified);
            }
        }
        (None, None) => {}
    }
    if let Some(name) = reader.optional(of("NAME_CLAIM"), claim_path) {
        paths.names = vec![name];
        paths.has_name_parts = false;
    }
    if let Some(picture) = reader.optional(of("PICTURE_CLAIM"), claim_path) {
        paths.pictures = vec![picture];
    }
    paths
}

fn sources(text: &str) -> Result<Vec<ProfileSource>, Reason> {
    let source = |name: &str| match name.trim() {
        "claims" => Ok(ProfileSource::Claims),
        "userinfo" => Ok(ProfileSource::UserInfo),
        "clerk" => Ok(ProfileSource::Clerk),
        "workos" => Ok(ProfileSource::WorkOs),
        _ => Err(Reason("must be a comma-separated list of claims, userinfo, clerk and workos")),
    };
    text.split(',').map(source).collect()
}

fn list(text: &str) -> Result<Vec<String>, Reason> {
    let items: Vec<String> = text.split(',').map(|item| item.trim().to_owned()).collect();
    let is_whole = !items.iter().any(String::is_empty);
    if is_whole {
        Ok(items)
    } else {
        Err(Reason("must be a comma-separated list without empty items"))
    }
}

fn claim_path(text: &str) -> Result<String, Reason> {
    if text.len() <= 256 {
        Ok(text.to_owned())
    } else {
        Err(Reason("must be at most 256 bytes long"))
    }
}
