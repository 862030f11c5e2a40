//! The issuers: one with the plain variables, or several by name with variables of their own.

use std::time::Duration;

use super::reader::{Name, Reader, default_of};
use super::{MAX_AGE, seconds};
use crate::oidc::algorithm::AllowedAlgorithms;
use crate::oidc::issuer::KeySource;
use crate::oidc::jwks::KeySet;
use crate::oidc::provider::ProfileSource;
use crate::oidc::provider::{DefaultAudience, Provider, last_segment};
use crate::oidc::providers;
use crate::oidc::verifier::{Expected, Verifier};
use crate::profile::Paths;
use crate::upstream::client::is_https_or_loopback;
use crate::upstream::last_good::Limits;

/// Longest name of one of several issuers, in bytes.
const NAME_BYTES: usize = 16;

/// What is configured for one issuer. For one of several, named `staff`, the variables are
/// `OIDC_STAFF_AUDIENCE`, `OIDC_STAFF_PROFILE_SOURCE` and so on, and the plain ones do not count.
pub struct IssuerConfig {
    /// Its name among several.
    pub name: Option<String>,
    /// `OIDC_ISSUER`, `OIDC_PROVIDER`, `OIDC_AUDIENCE`, `OIDC_AUTHORIZED_PARTIES`, `OIDC_ALGORITHMS`,
    /// `CLOCK_SKEW_SECONDS`
    pub verifier: Verifier,
    /// `OIDC_JWKS`, `OIDC_JWKS_URI`, the provider's address, or discovery
    pub keys: KeySource,
    /// `JWKS_TTL_SECONDS`, `JWKS_COOLDOWN_SECONDS`
    pub jwks_limits: Limits,
    /// `PROFILE_SOURCE`
    pub sources: Vec<ProfileSource>,
    /// `EMAIL_CLAIM`, `NAME_CLAIM`, `PICTURE_CLAIM`
    pub paths: Paths,
    /// Where the secret may hold what the issuer shares with us: `OIDC_HS256_SECRET`
    pub hs256_name: String,
}

/// What holds for all issuers.
struct Common {
    clock_skew: Duration,
    limits: Limits,
}

/// An item of `OIDC_ISSUER`.
struct Item {
    name: Option<String>,
    issuer: String,
}

/// Reads `OIDC_ISSUER` and the variables that belong to each issuer.
pub(super) fn read<L: Fn(&str) -> Option<String>>(
    reader: &mut Reader<L>,
) -> Option<Vec<IssuerConfig>> {
    let items = reader.required("OIDC_ISSUER", items);
    let clock_skew = reader.parsed("CLOCK_SKEW_SECONDS", |text| {
        seconds(text, 0..=60, "must be a whole number of seconds from 0 to 60")
    });
    let ttl = reader.parsed("JWKS_TTL_SECONDS", |text| {
        seconds(text, 1..=86_400, "must be a whole number of seconds from 1 to 86400")
    });
    let cooldown = reader.parsed("JWKS_COOLDOWN_SECONDS", |text| {
        seconds(text, 1..=3600, "must be a whole number of seconds from 1 to 3600")
    });
    // Without an issuer, the faults of the variables beside it are found all the same.
    let unknown = || vec![Item { name: None, issuer: String::new() }];
    let read: Vec<Option<Partial>> =
        items.unwrap_or_else(unknown).into_iter().map(|item| Partial::read(reader, item)).collect();
    let common = Common {
        clock_skew: clock_skew?,
        limits: Limits { ttl: ttl?, cooldown: cooldown?, max_age: MAX_AGE },
    };
    let issuers: Vec<IssuerConfig> = read
        .into_iter()
        .map(|partial| partial.map(|partial| partial.with(&common)))
        .collect::<Option<_>>()?;
    let is_another = |(place, issuer): (usize, &IssuerConfig)| {
        issuers[..place]
            .iter()
            .all(|before| !before.verifier.accepts_issuer(issuer.verifier.issuer()))
    };
    if !issuers.iter().enumerate().all(is_another) {
        reader
            .fault("OIDC_ISSUER", "must not list an issuer twice, not in another spelling either");
    }
    Some(issuers)
}

/// What belongs to one issuer alone.
struct Partial {
    name: Option<String>,
    provider: &'static Provider,
    issuer: String,
    audiences: Vec<String>,
    authorized_parties: Vec<String>,
    algorithms: AllowedAlgorithms,
    keys: KeySource,
    sources: Vec<ProfileSource>,
    paths: Paths,
    hs256_name: String,
}

impl Partial {
    fn read<L: Fn(&str) -> Option<String>>(reader: &mut Reader<L>, item: Item) -> Option<Self> {
        let Item { name, issuer } = item;
        let of = |variable: &'static str| variable_of(name.as_deref(), variable);
        let provider = reader
            .optional(of("OIDC_PROVIDER"), |text| {
                providers::by_name(text).ok_or(
                    "must be generic, clerk, auth0, cognito, okta, entra, google, firebase, \
                     supabase, keycloak, workos, zitadel or ory",
                )
            })
            .unwrap_or_else(|| providers::recognize(&issuer));
        if let Some(unsupported_reason) = provider.unsupported_reason(&issuer) {
            reader.fault("OIDC_ISSUER", unsupported_reason);
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
        let keys = keys(reader, &of, provider, &issuer, algorithms.as_ref());
        let is_asked = matches!(keys, Some(KeySource::Discovered))
            || sources.as_ref().is_some_and(|sources| sources.contains(&ProfileSource::UserInfo));
        if is_asked && !issuer.is_empty() && !is_https_or_loopback(&issuer) {
            reader.fault("OIDC_ISSUER", "must be an https URL");
        }
        let (audiences, authorized_parties) = audiences(reader, &of, provider, &issuer);
        let paths = paths(reader, &of, provider);
        Some(Self {
            provider,
            audiences: audiences?,
            authorized_parties: authorized_parties?,
            algorithms: algorithms?,
            keys: keys?,
            sources: sources?,
            paths,
            hs256_name: of("OIDC_HS256_SECRET").into_owned(),
            issuer,
            name,
        })
    }

    fn with(self, common: &Common) -> IssuerConfig {
        let verifier = Verifier::new(Expected {
            provider: self.provider,
            issuers: self.provider.spellings(&self.issuer),
            audiences: self.audiences,
            authorized_parties: self.authorized_parties,
            algorithms: self.algorithms,
            clock_skew: common.clock_skew,
        });
        IssuerConfig {
            name: self.name,
            verifier,
            keys: self.keys,
            jwks_limits: common.limits,
            sources: self.sources,
            paths: self.paths,
            hs256_name: self.hs256_name,
        }
    }
}

/// The variable's name for the issuer of that name.
fn variable_of(name: Option<&str>, variable: &'static str) -> Name {
    match name {
        None => Name::Borrowed(variable),
        Some(name) => {
            let rest = variable.strip_prefix("OIDC_").unwrap_or(variable);
            Name::Owned(format!("OIDC_{}_{rest}", name.to_ascii_uppercase()))
        }
    }
}

/// One issuer, or several as `name=issuer`.
fn items(text: &str) -> Result<Vec<Item>, &'static str> {
    let items: Vec<Item> = text.split(',').map(|item| read_item(item.trim())).collect();
    let is_distinct = |items: &[Item], of: fn(&Item) -> Option<&str>| {
        let mut seen: Vec<_> = items.iter().filter_map(of).collect();
        seen.sort_unstable();
        seen.windows(2).all(|pair| pair[0] != pair[1])
    };
    let is_misnamed = |item: &Item| {
        let before_scheme = item.issuer.split("://").next().unwrap_or_default();
        item.name.is_none() && before_scheme.contains('=')
    };
    if items.iter().any(is_misnamed) {
        Err("must name issuers with 1 to 16 lower-case letters and digits")
    } else if items.iter().any(|item| item.issuer.is_empty()) {
        Err("must be an issuer, or a comma list of name=issuer")
    } else if items.len() > 1 && items.iter().any(|item| item.name.is_none()) {
        Err("must give each of several issuers a name: app=https://…,staff=https://…")
    } else if !is_distinct(&items, |item| item.name.as_deref())
        || !is_distinct(&items, |item| Some(item.issuer.as_str()))
    {
        Err("must not list a name or an issuer twice")
    } else {
        Ok(items)
    }
}

fn read_item(item: &str) -> Item {
    match item.split_once('=') {
        Some((name, issuer)) if is_name(name) => {
            Item { name: Some(name.to_owned()), issuer: issuer.to_owned() }
        }
        _ => Item { name: None, issuer: item.to_owned() },
    }
}

fn is_name(name: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=NAME_BYTES).contains(&name.len()) && name.bytes().all(is_known)
}

fn keys<L: Fn(&str) -> Option<String>>(
    reader: &mut Reader<L>,
    of: &impl Fn(&'static str) -> Name,
    provider: &Provider,
    issuer: &str,
    algorithms: Option<&AllowedAlgorithms>,
) -> Option<KeySource> {
    let given = reader.optional(of("OIDC_JWKS"), |text| {
        KeySet::read(text.as_bytes()).ok_or("must be a JSON key set with a usable public key")
    });
    let at = reader.optional(of("OIDC_JWKS_URI"), super::url);
    let has = |variable| reader.text(&of(variable)).is_some();
    let (has_keys, has_address) = (has("OIDC_JWKS"), has("OIDC_JWKS_URI"));
    let is_shared = algorithms == Some(&AllowedAlgorithms::hs256());
    if is_shared && (has_keys || has_address) {
        let reason = "is HS256, which takes a shared secret and no key set: leave out OIDC_JWKS and \
                      OIDC_JWKS_URI";
        reader.fault(of("OIDC_ALGORITHMS"), reason);
    }
    match (has_keys, has_address) {
        (true, true) => {
            reader.fault(of("OIDC_JWKS"), "and OIDC_JWKS_URI are both set: one is enough");
            None
        }
        (true, false) => given.map(|keys| KeySource::Given(Box::new(keys))),
        (false, true) => at.map(KeySource::At),
        (false, false) if is_shared => Some(KeySource::Shared),
        (false, false) => {
            Some(provider.keys_of(issuer).map_or(KeySource::Discovered, KeySource::At))
        }
    }
}

fn audiences<L: Fn(&str) -> Option<String>>(
    reader: &mut Reader<L>,
    of: &impl Fn(&'static str) -> Name,
    provider: &Provider,
    issuer: &str,
) -> (Option<Vec<String>>, Option<Vec<String>>) {
    let has = |variable| reader.text(&of(variable)).is_some();
    let (has_audience, has_party) = (has("OIDC_AUDIENCE"), has("OIDC_AUTHORIZED_PARTIES"));
    let audiences = reader.optional(of("OIDC_AUDIENCE"), list);
    let parties = reader.optional(of("OIDC_AUTHORIZED_PARTIES"), list);
    if let Some(reason) = provider.audience_conflict.filter(|_| has_audience && has_party) {
        reader.fault(of("OIDC_AUDIENCE"), reason);
    }
    let substitute = match provider.audience {
        DefaultAudience::Audience(audience) => vec![audience.to_owned()],
        DefaultAudience::LastSegment => {
            last_segment(issuer).map(str::to_owned).into_iter().collect()
        }
        DefaultAudience::Issuer | DefaultAudience::None => Vec::new(),
    };
    let is_settled = has_audience
        || has_party
        || !substitute.is_empty()
        || matches!(provider.audience, DefaultAudience::Issuer);
    if !is_settled {
        let reason = "is not set, and neither is its counterpart for authorized parties \
                      (OIDC_AUTHORIZED_PARTIES): one of them must be, or tokens that were issued to \
                      others would be accepted";
        reader.fault(of("OIDC_AUDIENCE"), reason);
    }
    (
        if has_audience { audiences } else { Some(substitute) },
        if has_party { parties } else { Some(Vec::new()) },
    )
}

fn paths<L: Fn(&str) -> Option<String>>(
    reader: &mut Reader<L>,
    of: &impl Fn(&'static str) -> Name,
    provider: &Provider,
) -> Paths {
    let mut paths = Paths::for_provider(provider);
    if let Some(email) = reader.optional(of("EMAIL_CLAIM"), claim_path) {
        // Whether it is verified stands beside it: no claim vouches for another.
        let verified = format!("{email}_verified");
        paths.emails = vec![(email, verified)];
    }
    if let Some(name) = reader.optional(of("NAME_CLAIM"), claim_path) {
        paths.names = vec![name];
    }
    if let Some(picture) = reader.optional(of("PICTURE_CLAIM"), claim_path) {
        paths.pictures = vec![picture];
    }
    paths
}

fn sources(text: &str) -> Result<Vec<ProfileSource>, &'static str> {
    let source = |name: &str| match name.trim() {
        "claims" => Ok(ProfileSource::Claims),
        "userinfo" => Ok(ProfileSource::UserInfo),
        "clerk" => Ok(ProfileSource::Clerk),
        "workos" => Ok(ProfileSource::WorkOs),
        _ => Err("must be a comma list of claims, userinfo, clerk and workos"),
    };
    text.split(',').map(source).collect()
}

fn list(text: &str) -> Result<Vec<String>, &'static str> {
    let items: Vec<String> = text.split(',').map(|item| item.trim().to_owned()).collect();
    let is_whole = !items.iter().any(String::is_empty);
    if is_whole { Ok(items) } else { Err("must be a comma list without empty items") }
}

fn claim_path(text: &str) -> Result<String, &'static str> {
    if text.len() <= 256 { Ok(text.to_owned()) } else { Err("must be at most 256 bytes long") }
}
