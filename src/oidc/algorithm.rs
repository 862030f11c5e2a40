//! The signature algorithms that an access token may have.

pub use jsonwebtoken::Algorithm;
use jsonwebtoken::AlgorithmFamily;

use crate::reason::Reason;

/// Names of algorithms that are known and never accepted, for the operator's log.
const NOT_ACCEPTED: [&str; 12] = [
    "none",
    "HS256",
    "HS384",
    "HS512",
    "RS1",
    "ES512",
    "ES256K",
    "Ed448",
    "RSA-OAEP",
    "RSA-OAEP-256",
    "RSA1_5",
    "dir",
];

/// The accepted signature algorithms: asymmetric ones, or HS256 alone. The configuration selects them,
/// never the token ([RFC 8725 §3.1](https://www.rfc-editor.org/rfc/rfc8725#section-3.1)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedAlgorithms(Vec<Algorithm>);

impl AllowedAlgorithms {
    /// Parses a comma-separated list of JWS names.
    ///
    /// # Errors
    ///
    /// A reason that completes "`<variable>` …", if a name is unknown or symmetric.
    ///
    /// # Examples
    ///
    /// ```
    /// use roomkey::oidc::algorithm::AllowedAlgorithms;
    ///
    /// let allowed = AllowedAlgorithms::parse("RS256, ES256").unwrap();
    /// assert!(allowed.get("ES256").is_some());
    /// // A token cannot select an algorithm that is not listed.
    /// assert!(allowed.get("RS384").is_none() && allowed.get("none").is_none());
    /// assert!(AllowedAlgorithms::parse("RS256,HS256").is_err());
    /// ```
    pub fn parse(list: &str) -> Result<Self, Reason> {
        list.split(',')
            .map(|name| by_name(name.trim()))
            .collect::<Option<Vec<_>>>()
            .map(Self)
            .ok_or(Reason(
                "must list RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA only",
            ))
    }

    /// HS256 alone, for a secret that the issuer shares with this application.
    pub fn hs256() -> Self {
        Self(vec![Algorithm::HS256])
    }

    /// The algorithm with this name, if it is accepted.
    pub fn get(&self, name: &str) -> Option<Algorithm> {
        let named = if name == "HS256" { Some(Algorithm::HS256) } else { by_name(name) };
        named.filter(|algorithm| self.0.contains(algorithm))
    }
}

/// The asymmetric algorithm with this name ([RFC 7518 §3.1], [RFC 8037 §3.1], [RFC 9864 §2.2]). Case is
/// significant.
///
/// [RFC 7518 §3.1]: https://www.rfc-editor.org/rfc/rfc7518#section-3.1
/// [RFC 8037 §3.1]: https://www.rfc-editor.org/rfc/rfc8037#section-3.1
/// [RFC 9864 §2.2]: https://www.rfc-editor.org/rfc/rfc9864#section-2.2
pub fn by_name(name: &str) -> Option<Algorithm> {
    Some(match name {
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        "PS256" => Algorithm::PS256,
        "PS384" => Algorithm::PS384,
        "PS512" => Algorithm::PS512,
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        // Ed25519 is the only curve of the keys that are accepted.
        "EdDSA" | "Ed25519" => Algorithm::EdDSA,
        _ => return None,
    })
}

/// Returns `name` as a constant, which is safe to log, if it is a known algorithm.
pub fn known_name(name: &str) -> Option<&'static str> {
    let asymmetric = [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "Ed25519",
    ];
    asymmetric.into_iter().chain(NOT_ACCEPTED).find(|known| *known == name)
}

/// Whether `algorithm` is one of RSA's.
pub fn is_rsa(algorithm: Algorithm) -> bool {
    algorithm.family() == AlgorithmFamily::Rsa
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_accepts_asymmetric_names_only() {
        let allowed = AllowedAlgorithms::parse("RS256, EdDSA").unwrap();
        for name in ["EdDSA", "Ed25519"] {
            assert_eq!(allowed.get(name), Some(Algorithm::EdDSA), "{name}");
        }
        for name in ["ES256", "rs256", "ed25519", "Ed448", "HS256", "none", ""] {
            assert_eq!(allowed.get(name), None, "{name}");
        }
        let shared = AllowedAlgorithms::hs256();
        assert_eq!(shared.get("HS256"), Some(Algorithm::HS256));
        assert_eq!(shared.get("RS256"), None);
        for list in ["", "RS256,", "RS256,HS256", "none", "RS256;ES256", "ES512"] {
            assert!(AllowedAlgorithms::parse(list).is_err(), "{list}");
        }
    }

    #[test]
    fn known_name_is_a_constant() {
        assert_eq!(known_name("ES512"), Some("ES512"));
        assert_eq!(known_name("RS256"), Some("RS256"));
        assert_eq!(known_name("a name that a client chose"), None);
    }
}
