//! Reasons for which a token is refused.

/// Why a token is not believed. `Display` is for the operator's log; the caller hears one bland
/// answer for all of them but [`Expired`](Self::Expired).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Not three parts of canonical base64url with JSON objects in the first two.
    #[error("not a well-formed JWT")]
    NotAJwt,
    /// The header's `alg` is absent or not in the allow-list.
    #[error("alg is not allowed")]
    Algorithm,
    /// A member of the header asks for what we do not do.
    #[error("header member {0} is not acceptable")]
    Header(&'static str),
    /// The key set holds no key of that `kid`.
    #[error("the key set has no such kid")]
    UnknownKey,
    /// The named key does not fit the algorithm, or more than one fits.
    #[error("no single key of the set fits kid and alg")]
    UnfitKey,
    /// The signature is not the key's.
    #[error("the signature does not hold")]
    Signature,
    /// `iss` is not the configured issuer.
    #[error("iss is not OIDC_ISSUER")]
    Issuer,
    /// The claim tells that the token is not a person's, or not meant for us.
    #[error("claim {0} tells that this is not a person's access token")]
    TokenKind(&'static str),
    /// `aud` holds none of the configured audiences.
    #[error("aud holds none of OIDC_AUDIENCE")]
    Audience,
    /// `azp`, `client_id` or `cid` is not one of the configured parties, or all are absent.
    #[error("azp, client_id or cid is none of OIDC_AUTHORIZED_PARTIES")]
    AuthorizedParty,
    /// `exp` has passed.
    #[error("the token expired")]
    Expired,
    /// `nbf` or `iat` is ahead.
    #[error("{0} is ahead of the clock")]
    NotYetValid(&'static str),
    /// A claim is missing or of the wrong type.
    #[error("claim {0} is missing or malformed")]
    Claim(&'static str),
    /// The issuer itself does not accept the token at its UserInfo endpoint.
    #[error("the issuer's UserInfo endpoint refused the token")]
    RefusedByIssuer,
    /// UserInfo answered for another `sub`.
    #[error("UserInfo answered for another sub")]
    SubjectMismatch,
}
