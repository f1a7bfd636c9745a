//! Key pairs for tests and for a stack on this machine. They guard nothing.

use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
};

/// The files of both sides.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The merchant's private key, PKCS#8 PEM.
    pub app_private: PathBuf,
    /// The merchant's public key, PEM.
    pub app_public: PathBuf,
    /// The pretended Alipay's private key, PKCS#8 PEM.
    pub alipay_private: PathBuf,
    /// The pretended Alipay's public key, PEM.
    pub alipay_public: PathBuf,
}

impl Keys {
    /// Makes both pairs in `dir` with openssl, which keeps private keys to their owner (mode 600).
    ///
    /// # Errors
    /// openssl is not there, or fails.
    pub fn make(dir: &Path) -> io::Result<Self> {
        let keys = Self::of(dir);
        pair(&keys.app_private, &keys.app_public)?;
        pair(&keys.alipay_private, &keys.alipay_public)?;
        Ok(keys)
    }

    /// The pairs in `dir`; made where there are none.
    ///
    /// # Errors
    /// As [`Keys::make`].
    pub fn open_or_make(dir: &Path) -> io::Result<Self> {
        let keys = Self::of(dir);
        if keys.alipay_public.exists() {
            return Ok(keys);
        }
        std::fs::create_dir_all(dir)?;
        Self::make(dir)
    }

    fn of(dir: &Path) -> Self {
        Self {
            app_private: dir.join("alipay-app-private.pem"),
            app_public: dir.join("alipay-app-public.pem"),
            alipay_private: dir.join("alipay-own-private.pem"),
            alipay_public: dir.join("alipay-own-public.pem"),
        }
    }
}

fn pair(private: &Path, public: &Path) -> io::Result<()> {
    let bits = "rsa_keygen_bits:2048";
    openssl(
        Command::new("openssl").args(["genpkey", "-algorithm", "RSA", "-pkeyopt", bits, "-out"]).arg(private),
    )?;
    openssl(Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(private).arg("-out").arg(public))?;
    // A power cut afterwards leaves both or the next start makes both anew.
    for file in [private, public] {
        std::fs::File::open(file)?.sync_all()?;
    }
    Ok(())
}

fn openssl(command: &mut Command) -> io::Result<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("openssl: {}", String::from_utf8_lossy(&output.stderr).trim())))
}
