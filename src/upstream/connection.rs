//! Causes of failed connections, in words for the operator.

use std::error::Error;
use std::io::{self, ErrorKind};

use aws_smithy_runtime_api::client::result::ConnectorError;
use rustls::CertificateError;

/// The cause of a failed connection, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The name of the host has no address.
    #[error("no such host")]
    NoSuchHost,
    /// No process listens at the address.
    #[error("connection refused")]
    Refused,
    /// There is no route to the address.
    #[error("network is unreachable")]
    Unreachable,
    /// The peer closed the connection before the end of its response.
    #[error("connection closed by the peer")]
    Closed,
    /// No trusted authority issued the certificate.
    #[error("certificate is not trusted")]
    Untrusted,
    /// The certificate's period of validity has passed.
    #[error("certificate has expired")]
    Expired,
    /// The certificate's period of validity has not begun.
    #[error("certificate is not valid yet")]
    NotYetValid,
    /// The certificate names other hosts.
    #[error("certificate is for another name")]
    OtherName,
    /// The peers found no common TLS version or cipher, or the peer does not speak TLS.
    #[error("TLS handshake failed")]
    Handshake,
    /// Any other cause.
    #[error("connection failed")]
    Other,
}

impl ConnectionError {
    /// Finds the cause in the chain of errors.
    pub(super) fn of(error: &ConnectorError) -> Self {
        let mut next: Option<&(dyn Error + 'static)> = error.source();
        let mut cause = Self::Other;
        while let Some(error) = next {
            if let Some(found) = Self::read(error) {
                return found;
            }
            // hyper does not export the types of these two.
            match error.to_string().as_str() {
                "dns error" => return Self::NoSuchHost,
                "connection closed before message completed" => cause = Self::Closed,
                _ => {}
            }
            next = error.source();
        }
        cause
    }

    fn read(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(Self::of_tls(error));
        }
        let error = error.downcast_ref::<io::Error>()?;
        if let Some(inner) = error.get_ref() {
            return Self::read(inner);
        }
        match error.kind() {
            ErrorKind::ConnectionRefused => Some(Self::Refused),
            ErrorKind::NetworkUnreachable
            | ErrorKind::HostUnreachable
            | ErrorKind::AddrNotAvailable => Some(Self::Unreachable),
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::NotConnected
            | ErrorKind::UnexpectedEof => Some(Self::Closed),
            _ => None,
        }
    }

    fn of_tls(error: &rustls::Error) -> Self {
        let rustls::Error::InvalidCertificate(error) = error else { return Self::Handshake };
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYetValid
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::OtherName
            }
            _ => Self::Untrusted,
        }
    }
}
