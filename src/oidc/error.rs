//! Reasons to reject a token.

/// The reason why a token is rejected. `Display` is for the operator's log. The client receives the
/// same response for all of them, except for [`Expired`](Self::Expired).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Not three parts of canonical base64url with JSON objects in the first two.
    #[error("not a well-formed JWT")]
    NotAJwt,
    /// Five parts: the token is encrypted for somebody else, as a rule for its issuer
    /// ([RFC 7516 §3.1](https://www.rfc-editor.org/rfc/rfc7516#section-3.1)).
    #[error("encrypted token (JWE), which only its issuer can read")]
    Encrypted,
    /// The header's `alg` is missing or unknown.
    #[error("alg is missing or unknown")]
    Algorithm,
    /// The header's `alg` is known and not accepted.
    #[error("alg {0} is not accepted")]
    AlgorithmNotAccepted(&'static str),
    /// A field of the header has a value that is not accepted.
    #[error("header field {0} has a value that is not accepted")]
    Header(&'static str),
    /// The key set has no key with the token's `kid`.
    #[error("the key set has no key with this kid")]
    UnknownKey,
    /// The named key does not fit the algorithm, or several keys fit.
    #[error("no single key of the set fits the token's kid and alg")]
    UnfitKey,
    /// The signature was not made with the key.
    #[error("the signature is invalid")]
    Signature,
    /// `iss` is not the configured issuer.
    #[error("iss is not OIDC_ISSUER")]
    Issuer,
    /// The token is bound to a key.
    #[error("claim cnf binds the token to a key, whose proof of possession is not checked")]
    Bound,
    /// The claim says that the token is not a person's access token.
    #[error("claim {0} indicates that this is not a user's access token")]
    TokenKind(&'static str),
    /// `aud` contains none of the configured audiences.
    #[error("aud contains none of OIDC_AUDIENCE")]
    Audience,
    /// `azp`, `client_id`, `cid` or `appid` is not one of the configured parties, or all are absent.
    #[error("azp, client_id, cid or appid is none of OIDC_AUTHORIZED_PARTIES")]
    AuthorizedParty,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` or `iat` is in the future.
    #[error("{0} is in the future")]
    NotYetValid(&'static str),
    /// A claim is missing or of the wrong type.
    #[error("claim {0} is missing or malformed")]
    Claim(&'static str),
    /// The claim that `SUBJECT_CLAIM` names is missing or malformed.
    #[error("the claim in SUBJECT_CLAIM is missing or malformed")]
    SubjectClaim,
    /// The issuer rejects the token at its UserInfo endpoint.
    #[error("the issuer's UserInfo endpoint rejected the token")]
    RefusedByIssuer,
    /// UserInfo answered for another `sub`.
    #[error("UserInfo answered for another sub")]
    SubjectMismatch,
}
