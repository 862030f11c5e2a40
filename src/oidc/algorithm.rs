//! The signature algorithms that a caller's token may have.

pub use jsonwebtoken::Algorithm;
use jsonwebtoken::AlgorithmFamily;

/// What a token may be signed with: asymmetric algorithms, or HS256 alone, chosen by us and never by
/// the token
/// ([RFC 8725 §3.1](https://www.rfc-editor.org/rfc/rfc8725#section-3.1)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedAlgorithms(Vec<Algorithm>);

impl AllowedAlgorithms {
    /// Reads a comma list of JWS names.
    ///
    /// # Errors
    ///
    /// The end of a sentence that starts with the variable's name.
    pub fn parse(list: &str) -> Result<Self, &'static str> {
        list.split(',')
            .map(|name| by_name(name.trim()))
            .collect::<Option<Vec<_>>>()
            .map(Self)
            .ok_or("may list RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA only")
    }

    /// HS256 and nothing else, for a secret that the issuer shares with us.
    #[must_use]
    pub fn hs256() -> Self {
        Self(vec![Algorithm::HS256])
    }

    /// The algorithm of that name, if it is allowed.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Algorithm> {
        let named = if name == "HS256" { Some(Algorithm::HS256) } else { by_name(name) };
        named.filter(|algorithm| self.0.contains(algorithm))
    }
}

/// The asymmetric algorithm of that name ([RFC 7518 §3.1], [RFC 8037 §3.1]); case counts.
///
/// [RFC 7518 §3.1]: https://www.rfc-editor.org/rfc/rfc7518#section-3.1
/// [RFC 8037 §3.1]: https://www.rfc-editor.org/rfc/rfc8037#section-3.1
#[must_use]
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
        "EdDSA" => Algorithm::EdDSA,
        _ => return None,
    })
}

/// Whether `algorithm` is one of RSA's.
#[must_use]
pub fn is_rsa(algorithm: Algorithm) -> bool {
    algorithm.family() == AlgorithmFamily::Rsa
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_list_and_nothing_symmetric() {
        let allowed = AllowedAlgorithms::parse("RS256, EdDSA").unwrap();
        assert_eq!(allowed.get("EdDSA"), Some(Algorithm::EdDSA));
        for name in ["ES256", "rs256", "HS256", "none", ""] {
            assert_eq!(allowed.get(name), None, "{name}");
        }
        let shared = AllowedAlgorithms::hs256();
        assert_eq!(shared.get("HS256"), Some(Algorithm::HS256));
        assert_eq!(shared.get("RS256"), None);
        for list in ["", "RS256,", "RS256,HS256", "none", "RS256;ES256"] {
            assert!(AllowedAlgorithms::parse(list).is_err(), "{list}");
        }
    }
}
