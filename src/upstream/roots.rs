//! Root certificates that TLS connections trust.

use std::fs;
use std::path::PathBuf;

use base64_simd::STANDARD;
use memchr::{memchr, memmem};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

/// The system's root certificates on Amazon Linux, Fedora, Debian, Alpine and openSUSE.
const SYSTEM_FILES: [&str; 3] = [
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/ca-bundle.pem",
];

/// The source of the root certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RootSource {
    /// The system.
    #[default]
    System,
    /// `SSL_CERT_FILE`: a PEM file, in place of the system's certificates.
    File(PathBuf),
    /// `SSL_CERT_DIR`, with or without `SSL_CERT_FILE`: folders of PEM files.
    Folders,
}

impl RootSource {
    /// Reads the certificates. Without a usable one, no TLS connection succeeds, and the log says so.
    pub(super) fn load(&self) -> RootCertStore {
        let file = match self {
            Self::System => SYSTEM_FILES.iter().find_map(|file| fs::read(file).ok()),
            Self::File(file) => Some(fs::read(file).unwrap_or_default()),
            Self::Folders => None,
        };
        // Reads the folders, and knows the stores of other systems.
        let native = || rustls_native_certs::load_native_certs().certs;
        let certificates = file.map_or_else(native, |pem| certificates(&pem));
        let mut roots = RootCertStore::empty();
        let (usable, _) = roots.add_parsable_certificates(certificates);
        if usable == 0 {
            tracing::warn!("no root certificates");
        }
        roots
    }
}

/// Returns the certificates of a PEM file ([RFC 7468 §5]), without malformed ones.
///
/// A general PEM reader takes ten times as long, which is a third of the CPU time of a cold start.
///
/// [RFC 7468 §5]: https://www.rfc-editor.org/rfc/rfc7468#section-5
fn certificates(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    let end = memmem::Finder::new("-----END CERTIFICATE-----");
    let begin = memmem::FinderRev::new("-----BEGIN CERTIFICATE-----");
    let (mut certificates, mut base64) = (Vec::new(), Vec::new());
    let mut rest = pem;
    while let Some(at) = end.find(rest) {
        if let Some(start) = begin.rfind(&rest[..at]) {
            let mut lines = &rest[start + begin.needle().len()..at];
            base64.clear();
            while let Some(end) = memchr(b'\n', lines) {
                base64.extend_from_slice(lines[..end].trim_ascii());
                lines = &lines[end + 1..];
            }
            base64.extend_from_slice(lines.trim_ascii());
            certificates.extend(STANDARD.decode_to_vec(&base64).ok().map(CertificateDer::from));
        }
        rest = &rest[at + end.needle().len()..];
    }
    certificates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_found_in_any_text_and_malformed_ones_are_skipped() {
        let block = |base64: &str| {
            format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n")
        };
        let (one, two) = (b"one".to_vec(), b"two22".to_vec());
        #[rustfmt::skip]
        let rows = [
            (String::new(), vec![]),
            (block("b25l"), vec![&one]),
            (block("b25l") + &block("dHdvMjI="), vec![&one, &two]),
            (block("dHdv\nMjI="), vec![&two]),
            (block("dHd\nvMj\nI="), vec![&two]),
            (block("dHdv\nMjI=").replace('\n', "\r\n"), vec![&two]),
            (block(" dHdvMjI= \t"), vec![&two]),
            (format!("# F\u{151}tan\u{fa}s\u{ed}tv\u{e1}ny\n{}\n", block("b25l")), vec![&one]),
            (block("b25l").trim_end().to_owned(), vec![&one]),
            (block("b2*l") + &block("b25l"), vec![&one]),
            (block("b25") + &block("b25l"), vec![&one]),
            ("-----BEGIN CERTIFICATE-----\nb25l\n".to_owned() + &block("dHdvMjI="), vec![&two]),
            ("b25l\n-----END CERTIFICATE-----\n".to_owned() + &block("b25l"), vec![&one]),
            (block("b25l").replace("CERT", "TRUSTED CERT"), vec![]),
            (block("b25l").replace("CERTIFICATE", "PRIVATE KEY"), vec![]),
        ];
        for (pem, expected) in rows {
            let found = certificates(pem.as_bytes());
            let found: Vec<_> = found.iter().map(|found| found.to_vec()).collect();
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{pem}");
        }
        let latin_1 = [b"# M\xfcnchen\n", block("b25l").as_bytes()].concat();
        assert_eq!(certificates(&latin_1).len(), 1);
    }

    #[test]
    fn roots_of_a_file_are_those_that_a_general_reader_finds() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/tls/authority.pem");
        let pem = fs::read(file).unwrap();
        let expected = rustls_native_certs::load_certs_from_paths(Some(file.as_ref()), None);
        assert_eq!(certificates(&pem), expected.certs);
        assert_eq!(RootSource::File(file.into()).load().len(), 1);
        assert!(RootSource::File("missing".into()).load().is_empty());
    }
}
