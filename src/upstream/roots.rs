//! Root certificates that TLS connections trust.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;

use base64_simd::STANDARD;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

/// The system's root certificates on Amazon Linux, Fedora, Debian, Alpine and openSUSE.
const SYSTEM_FILES: [&str; 3] = [
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/ca-bundle.pem",
];

/// Bytes of a file that are read at once.
const BUFFER_BYTES: usize = 32 * 1024;

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
        let mut roots = RootCertStore::empty();
        let file = match self {
            Self::System => SYSTEM_FILES.iter().find_map(|file| File::open(file).ok()),
            Self::File(file) => File::open(file).ok(),
            Self::Folders => None,
        };
        if let Some(file) = file {
            // An error ends the file. Certificates before it are trusted all the same.
            let _ = read_certificates(file, |der| {
                // A malformed certificate is not trusted.
                let _ = roots.add(CertificateDer::from(der));
            });
        } else if !matches!(self, Self::File(_)) {
            // Reads the folders, and knows the stores of other systems.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        if roots.is_empty() {
            tracing::warn!("no root certificates");
        }
        roots
    }
}

/// Calls `found` with each certificate of a PEM file ([RFC 7468 §5]).
///
/// A general PEM reader takes ten times as long, which is a third of the CPU time of a cold start. Neither
/// the file nor the certificates stay in memory.
///
/// [RFC 7468 §5]: https://www.rfc-editor.org/rfc/rfc7468#section-5
fn read_certificates(pem: impl Read, mut found: impl FnMut(&[u8])) -> io::Result<()> {
    let mut pem = BufReader::with_capacity(BUFFER_BYTES, pem);
    let (mut line, mut base64) = (Vec::new(), Vec::new());
    let mut is_inside = false;
    while pem.read_until(b'\n', &mut line)? > 0 {
        match line.trim_ascii() {
            b"-----BEGIN CERTIFICATE-----" => {
                is_inside = true;
                base64.clear();
            }
            b"-----END CERTIFICATE-----" if is_inside => {
                is_inside = false;
                if let Ok(der) = STANDARD.decode_inplace(&mut base64) {
                    found(der);
                }
            }
            text if is_inside => base64.extend_from_slice(text),
            _ => {}
        }
        line.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificates(pem: &[u8]) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        read_certificates(pem, |der| found.push(der.to_vec())).unwrap();
        found
    }

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
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{pem}");
        }
        let latin_1 = [b"# M\xfcnchen\n", block("b25l").as_bytes()].concat();
        assert_eq!(certificates(&latin_1).len(), 1);
    }

    #[test]
    fn roots_of_a_file_are_those_that_a_general_reader_finds() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/tls/authority.pem");
        let pem = std::fs::read(file).unwrap();
        let expected = rustls_native_certs::load_certs_from_paths(Some(file.as_ref()), None).certs;
        let expected: Vec<_> = expected.iter().map(|der| der.to_vec()).collect();
        assert_eq!(certificates(&pem), expected);
        assert_eq!(RootSource::File(file.into()).load().len(), 1);
        assert!(RootSource::File("missing".into()).load().is_empty());
        assert!(RootSource::File(env!("CARGO_MANIFEST_DIR").into()).load().is_empty());
    }
}
