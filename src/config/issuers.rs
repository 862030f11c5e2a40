//! The issuers: one with the plain variables, or several by name with variables of their own.

mod settings;

use std::time::Duration;

use super::reader::{Name, Reader};
use super::{MAX_AGE, seconds};
use crate::oidc::issuer::KeySource;
use crate::oidc::provider::ProfileSource;
use crate::oidc::verifier::{Expected, Verifier};
use crate::participant::Identity;
use crate::profile::{Paths, ProfileRequirements};
use crate::reason::Reason;
use crate::text;
use crate::upstream::last_good::Limits;
use settings::IssuerSettings;

/// Maximum length of the name of one of several issuers, in bytes.
const NAME_BYTES: usize = 16;

/// The variables that each issuer has for itself. For the issuer `staff`, they are
/// `OIDC_STAFF_AUDIENCE`, `OIDC_STAFF_PROFILE_SOURCE` and so on.
const OWN_VARIABLES: [&str; 15] = [
    "OIDC_PROVIDER",
    "OIDC_AUDIENCE",
    "OIDC_AUTHORIZED_PARTIES",
    "OIDC_DEDICATED_ISSUER",
    "OIDC_JWKS_URI",
    "OIDC_JWKS",
    "OIDC_ALGORITHMS",
    "OIDC_HS256_SECRET",
    "SUBJECT_CLAIM",
    "PROFILE_SOURCE",
    "EMAIL_CLAIM",
    "EMAIL_VERIFIED_CLAIM",
    "NAME_CLAIM",
    "PICTURE_CLAIM",
    "REQUIRE_VERIFIED_EMAIL",
];

/// The settings of one issuer.
pub struct IssuerConfig {
    /// The issuer's name in `OIDC_ISSUER`.
    pub name: Option<String>,
    /// `OIDC_ISSUER`, `OIDC_PROVIDER`, `OIDC_AUDIENCE`, `OIDC_AUTHORIZED_PARTIES`,
    /// `OIDC_DEDICATED_ISSUER`, `OIDC_ALGORITHMS`, `SUBJECT_CLAIM`, `CLOCK_SKEW_SECONDS`
    pub verifier: Verifier,
    /// `OIDC_JWKS`, `OIDC_JWKS_URI`, the preset's URL, or discovery
    pub keys: KeySource,
    /// `JWKS_TTL_SECONDS`, `JWKS_COOLDOWN_SECONDS`
    pub jwks_limits: Limits,
    /// `PROFILE_SOURCE`
    pub sources: Vec<ProfileSource>,
    /// `EMAIL_CLAIM`, `EMAIL_VERIFIED_CLAIM`, `NAME_CLAIM`, `PICTURE_CLAIM`
    pub paths: Paths,
    /// `REQUIRE_VERIFIED_EMAIL`
    pub require_verified_email: bool,
    /// The name of the secret that the issuer shares with this application: `OIDC_HS256_SECRET`
    pub hs256_name: String,
}

impl IssuerConfig {
    /// Returns what a profile must contain, if `identity` is the participant's identity.
    pub fn requirements(&self, identity: Identity) -> ProfileRequirements {
        ProfileRequirements {
            email: identity == Identity::Email,
            verified_email: self.require_verified_email,
        }
    }
}

/// Settings that all issuers share.
struct Common {
    clock_skew: Duration,
    limits: Limits,
}

/// An item of `OIDC_ISSUER`.
struct Item {
    name: Option<String>,
    issuer: String,
}

/// Reads `OIDC_ISSUER` and the variables of each issuer.
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
    // Without an issuer, the faults of the other variables are found as well.
    let unknown = || vec![Item { name: None, issuer: String::new() }];
    let items = items.unwrap_or_else(unknown);
    if items.iter().any(|item| item.name.is_some()) {
        refuse_plain_variables(reader);
    }
    let read: Vec<Option<(Item, IssuerSettings)>> = items
        .into_iter()
        .map(|item| {
            let of = |variable: &'static str| variable_of(item.name.as_deref(), variable);
            let settings = IssuerSettings::read(reader, &of, &item.issuer)?;
            Some((item, settings))
        })
        .collect();
    let common = Common {
        clock_skew: clock_skew?,
        limits: Limits { ttl: ttl?, cooldown: cooldown?, max_age: MAX_AGE },
    };
    let issuers: Vec<IssuerConfig> = read
        .into_iter()
        .map(|read| read.map(|(item, settings)| config_of(item, settings, &common)))
        .collect::<Option<_>>()?;
    let is_distinct = |(place, issuer): (usize, &IssuerConfig)| {
        issuers[..place]
            .iter()
            .all(|before| !before.verifier.accepts_issuer(issuer.verifier.issuer()))
    };
    if !issuers.iter().enumerate().all(is_distinct) {
        let reason = "must not list an issuer twice: another spelling is the same issuer";
        reader.fault("OIDC_ISSUER", reason);
    }
    Some(issuers)
}

/// A variable without a name would be ignored beside named issuers.
fn refuse_plain_variables<L: Fn(&str) -> Option<String>>(reader: &mut Reader<L>) {
    for variable in OWN_VARIABLES {
        if reader.text(variable).is_some() {
            let named = variable_of(Some("name"), variable);
            let reason = format!(
                "must not be set if OIDC_ISSUER names issuers: each has its own, {named} for the \
                 issuer called name"
            );
            reader.fault(variable, reason);
        }
    }
}

fn config_of(item: Item, settings: IssuerSettings, common: &Common) -> IssuerConfig {
    let hs256_name = variable_of(item.name.as_deref(), "OIDC_HS256_SECRET").into_owned();
    let verifier = Verifier::new(Expected {
        provider: settings.provider,
        aliases: settings.provider.aliases_of(&item.issuer),
        issuer: item.issuer,
        audience: settings.audience,
        subject_claim: settings.subject_claim,
        subject_bytes: text::NAME_BYTES - item.name.as_ref().map_or(0, |name| name.len() + 1),
        algorithms: settings.algorithms,
        clock_skew: common.clock_skew,
    });
    IssuerConfig {
        name: item.name,
        verifier,
        keys: settings.keys,
        jwks_limits: common.limits,
        sources: settings.sources,
        paths: settings.paths,
        require_verified_email: settings.require_verified_email,
        hs256_name,
    }
}

/// Returns the name of `variable` for the issuer `name`.
fn variable_of(name: Option<&str>, variable: &'static str) -> Name {
    match name {
        None => Name::Borrowed(variable),
        Some(name) => {
            let rest = variable.strip_prefix("OIDC_").unwrap_or(variable);
            Name::Owned(format!("OIDC_{}_{rest}", name.to_ascii_uppercase()))
        }
    }
}

/// Parses one issuer, or several as `name=issuer`.
fn items(text: &str) -> Result<Vec<Item>, Reason> {
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
        Err(Reason("must name issuers with 1 to 16 lower-case letters and digits"))
    } else if items.iter().any(|item| item.issuer.is_empty()) {
        Err(Reason("must be an issuer, or a comma-separated list of name=issuer"))
    } else if items.len() > 1 && items.iter().any(|item| item.name.is_none()) {
        Err(Reason("must give each of several issuers a name: app=https://…,staff=https://…"))
    } else if !is_distinct(&items, |item| item.name.as_deref())
        || !is_distinct(&items, |item| Some(item.issuer.as_str()))
    {
        Err(Reason("must not list a name or an issuer twice"))
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
