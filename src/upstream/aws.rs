//! Access to services of AWS: region, credentials and endpoint, and failures without a word of the
//! response.

use std::fmt;

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::client::failure;
use super::connection::ConnectionError;
use super::error::FetchError;

/// Access to one service, from the environment. `Debug` shows nothing.
#[derive(Clone)]
pub struct AwsAccess {
    /// The service's region.
    pub region: String,
    /// The service's endpoint, if it is not AWS's own.
    pub endpoint: Option<String>,
    /// Credentials of the function's role.
    pub credentials: Credentials,
    /// Whether AWS's FIPS endpoint receives the requests.
    pub uses_fips: bool,
    /// Whether AWS's dual-stack endpoint receives the requests.
    pub uses_dual_stack: bool,
}

impl fmt::Debug for AwsAccess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AwsAccess(…)")
    }
}

/// Returns the failure of a request, with the error code if `codes` lists it and otherwise with the
/// status. `expected` describes the response of a success.
pub fn refusal<E: ProvideErrorMetadata>(
    error: &SdkError<E, HttpResponse>,
    codes: &[&'static str],
    expected: &'static str,
) -> FetchError {
    match error {
        SdkError::TimeoutError(_) => FetchError::Timeout,
        SdkError::DispatchFailure(dispatch) if dispatch.is_timeout() => FetchError::Timeout,
        SdkError::DispatchFailure(dispatch) => match dispatch.as_connector_error() {
            Some(error) => failure(error),
            None => ConnectionError::Other.into(),
        },
        SdkError::ServiceError(service) => {
            let code = service.err().code();
            let status = service.raw().status().as_u16();
            let unknown = FetchError::Status { status, retry_after: None };
            let known = codes.iter().find(|known| Some(**known) == code);
            known.map_or(unknown, |code| FetchError::Refused(code))
        }
        _ => FetchError::Malformed(expected),
    }
}
