//! Whom the probe believes when it asks a Qdrant over TLS.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio_rustls::rustls::{
    self, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};

use super::unusable;
use crate::error::Result;

/// Which certificates are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Those of the public authorities.
    Public,
    /// Those that an authority in this PEM file signed.
    Authorities(PathBuf),
    /// The first one in this PEM file, whatever its name and whoever signed it:
    /// the launcher gave it to its child itself.
    Pinned(PathBuf),
}

impl Trust {
    /// The settings of a client that believes them; none for a client's own
    /// settings, which believe the public authorities.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) with the file that cannot be used.
    pub fn client(&self) -> Result<Option<ClientConfig>> {
        let provider = Arc::new(ring::default_provider());
        let builder = |path: &Path| {
            ClientConfig::builder_with_provider(Arc::clone(&provider))
                .with_safe_default_protocol_versions()
                .map_err(|error| unusable(path, &error))
        };
        match self {
            Self::Public => Ok(None),
            Self::Authorities(path) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(path)? {
                    roots.add(certificate).map_err(|error| unusable(path, &error))?;
                }
                let config = builder(path)?.with_root_certificates(roots);
                Ok(Some(config.with_no_client_auth()))
            }
            Self::Pinned(path) => {
                let pinned = Pinned {
                    certificate: first(path)?,
                    file: path.clone(),
                    provider: Arc::clone(&provider),
                };
                let config = builder(path)?
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(pinned));
                Ok(Some(config.with_no_client_auth()))
            }
        }
    }
}

/// The certificates of a PEM file, at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let chain = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|error| unusable(path, &error))?;
    if chain.is_empty() {
        Err(unusable(path, &"it holds no certificate"))
    } else {
        Ok(chain)
    }
}

fn first(path: &Path) -> Result<CertificateDer<'static>> {
    let mut chain = certificates(path)?;
    Ok(chain.swap_remove(0))
}

/// Believes one certificate. That the peer has its key is checked as always.
#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
    /// Read again when another certificate comes: Qdrant reads its own again
    /// from time to time, so that it can be renewed under way.
    file: PathBuf,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let renewed = || first(&self.file).is_ok_and(|renewed| renewed == *end_entity);
        if self.certificate == *end_entity || renewed() {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
