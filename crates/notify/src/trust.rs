//! Whose certificates we believe: the authorities that this system trusts, and those that are configured.

use std::{
    path::Path,
    sync::{Arc, LazyLock},
};

use alignwatch_model::notice::{Failure, FailureReason};
use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::{failure::failed, plain_file};

/// The largest file of certificates, in bytes. Source: ours; the public ones of a system are about 250 KB.
const FILE_AT_MOST: usize = 4 << 20;

/// The one provider of cryptography, also for libraries that ask for the one of this process.
///
/// With two of them in the program rustls would panic at the first handshake, so that it is said here.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        // Somebody else may have said so already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Arc::new(rustls::crypto::ring::default_provider())
    });
    Arc::clone(&PROVIDER)
}

/// All authorities that are believed: those of the system, and those in these files.
///
/// Errors: a file that cannot be read or holds none.
pub(crate) fn roots(files: &[String]) -> Result<Vec<CertificateDer<'static>>, Failure> {
    // A program that runs for months sees a system's new authorities at its next start.
    static OF_SYSTEM: LazyLock<Vec<CertificateDer<'static>>> =
        LazyLock::new(|| rustls_native_certs::load_native_certs().certs);
    let mut roots = OF_SYSTEM.clone();
    for file in files {
        roots.extend(of_file(file)?);
    }
    if roots.is_empty() {
        let detail =
            "this system trusts no authority (install ca-certificates, or name files in `egress: {certificates: […]}`)";
        return Err(failed(FailureReason::Configuration, detail));
    }
    Ok(roots)
}

fn of_file(path: &str) -> Result<Vec<CertificateDer<'static>>, Failure> {
    // It may be there again in a moment, as when somebody replaces it.
    let wrong =
        |why: &str| failed(FailureReason::Configuration, format!("cannot read the certificates in `{path}`: {why}"));
    let pem = plain_file::read(Path::new(path), FILE_AT_MOST).map_err(|error| wrong(&error.to_string()))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(wrong("it holds none in PEM form")),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(wrong(&error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_that_cannot_be_read_now_are_looked_for_again() {
        for path in ["/no/such/file", "/dev/zero", "/etc/passwd"] {
            let failure = roots(&[path.to_owned()]).expect_err(path);
            assert!(!failure.is_permanent && failure.detail.contains(path), "{failure:?}");
        }
    }
}
