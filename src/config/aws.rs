//! The variables for access to services of AWS, which Lambda sets.

use aws_credential_types::Credentials;

use super::boolean;
use super::reader::Reader;
use crate::reason::Reason;
use crate::upstream::aws::AwsAccess;

/// Reads the access to a service whose own endpoint variable is `endpoint_variable`. `region` replaces
/// `AWS_REGION`.
pub(super) fn access<L: Fn(&str) -> Option<String>>(
    reader: &mut Reader<L>,
    endpoint_variable: &'static str,
    region: Option<&str>,
) -> Option<AwsAccess> {
    let unchecked = |text: &str| Ok::<_, Reason>(text.to_owned());
    let region = match region {
        Some(region) => Some(region.to_owned()),
        None => reader.required("AWS_REGION", unchecked),
    };
    let key = reader.required("AWS_ACCESS_KEY_ID", unchecked);
    let secret = reader.required("AWS_SECRET_ACCESS_KEY", unchecked);
    let session = reader.text("AWS_SESSION_TOKEN");
    let endpoint = reader.text(endpoint_variable).or_else(|| reader.text("AWS_ENDPOINT_URL"));
    let mut flag = |name: &'static str| {
        let is_set = reader.optional(name, boolean).unwrap_or_default();
        if is_set && endpoint.is_some() {
            let reason =
                "must not be true if AWS_ENDPOINT_URL or the service's own variable is set";
            reader.fault(name, reason);
        }
        is_set
    };
    let uses_fips = flag("AWS_USE_FIPS_ENDPOINT");
    let uses_dual_stack = flag("AWS_USE_DUALSTACK_ENDPOINT");
    Some(AwsAccess {
        region: region?,
        endpoint,
        credentials: Credentials::new(key?, secret?, session, None, "environment"),
        uses_fips,
        uses_dual_stack,
    })
}
