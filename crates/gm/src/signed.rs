//! What certificates, requests and revocation lists share: a body, an algorithm, a signature over the body's own bytes.

use der::asn1::{Any, BitString};
use der::{Decode, Encode, Sequence};
use sm2::dsa::DerSignature;
use spki::{AlgorithmIdentifierOwned, ObjectIdentifier, SubjectPublicKeyInfoOwned};

use crate::{GmError, PublicKey, Signature, SigningKey};

/// SM2-with-SM3 (GM/T 0006).
pub(crate) const SM2_WITH_SM3: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.501");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SM2_CURVE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.301");

#[derive(Sequence)]
pub(crate) struct Signed {
    body: Any,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
}

impl Signed {
    /// Takes the outer form apart. What is checked later is exactly what stood in `der`: a form that would not come out
    /// byte for byte the same is refused.
    pub(crate) fn from_der(what: &'static str, der: &[u8]) -> Result<Self, GmError> {
        let signed = Self::from_der_form(der).map_err(|why| GmError::malformed(what, why))?;
        if !is_sm2_with_sm3(&signed.algorithm) {
            return Err(GmError::malformed(what, "it is not signed with SM2-with-SM3 (1.2.156.10197.1.501)"));
        }
        Ok(signed)
    }

    fn from_der_form(der: &[u8]) -> der::Result<Self> {
        let signed = <Self as Decode>::from_der(der)?;
        if signed.to_der()? == der { Ok(signed) } else { Err(der::ErrorKind::Failed.into()) }
    }

    /// The DER of the signed part.
    pub(crate) fn body(&self) -> Result<Vec<u8>, GmError> {
        self.body.to_der().map_err(|why| GmError::malformed("signed part", why))
    }

    pub(crate) fn verify(&self, key: &PublicKey) -> Result<(), GmError> {
        let signature = self.signature.as_bytes().ok_or(GmError::NotASignature)?;
        key.verify(&self.body()?, &Signature::from_der(signature)?)
    }

    /// Puts a body and its signature together.
    pub(crate) fn assemble(
        what: &'static str,
        body: &[u8],
        signature: &Signature,
    ) -> Result<Vec<u8>, GmError> {
        let encode = || -> der::Result<Vec<u8>> {
            let signature = BitString::from_bytes(&signature.to_der())?;
            Self { body: Any::from_der(body)?, algorithm: algorithm(), signature }.to_der()
        };
        encode().map_err(|why| GmError::malformed(what, why))
    }
}

/// The algorithm identifier to write: parameters absent, which OpenSSL and GmSSL both take.
pub(crate) fn algorithm() -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned { oid: SM2_WITH_SM3, parameters: None }
}

/// Whether an algorithm is SM2-with-SM3; NULL parameters, which some CAs write, are let pass.
pub(crate) fn is_sm2_with_sm3(found: &AlgorithmIdentifierOwned) -> bool {
    found.oid == SM2_WITH_SM3 && found.parameters.as_ref().is_none_or(Any::is_null)
}

/// The public key in a SubjectPublicKeyInfo, if it is an SM2 key.
pub(crate) fn public_key(what: &'static str, info: &SubjectPublicKeyInfoOwned) -> Result<PublicKey, GmError> {
    let curve = info.algorithm.parameters.as_ref().and_then(|p| p.decode_as::<ObjectIdentifier>().ok());
    if info.algorithm.oid != EC_PUBLIC_KEY || curve != Some(SM2_CURVE) {
        return Err(GmError::malformed(what, "its public key is not on the SM2 curve (1.2.156.10197.1.301)"));
    }
    match info.subject_public_key.as_bytes() {
        Some([4, xy @ ..]) => PublicKey::from_xy(xy.try_into().map_err(|_| GmError::NotAPoint)?),
        _ => Err(GmError::malformed(what, "its public key is not an uncompressed point")),
    }
}

/// The SubjectPublicKeyInfo of a key.
pub(crate) fn public_key_info(key: &PublicKey) -> Result<SubjectPublicKeyInfoOwned, GmError> {
    SubjectPublicKeyInfoOwned::from_key(&key.0).map_err(|why| GmError::malformed("public key", why))
}

/// A signing key in the shape the certificate builder wants. The sm2 crate's own key must not be given to it:
/// that compiles, and puts r ‖ s instead of DER in the certificate.
pub(crate) struct CertificateSigner<'a>(pub(crate) &'a SigningKey);

impl signature::Keypair for CertificateSigner<'_> {
    type VerifyingKey = sm2::PublicKey;
    fn verifying_key(&self) -> sm2::PublicKey {
        self.0.public_key().0
    }
}

impl spki::DynSignatureAlgorithmIdentifier for CertificateSigner<'_> {
    fn signature_algorithm_identifier(&self) -> spki::Result<AlgorithmIdentifierOwned> {
        Ok(algorithm())
    }
}

impl signature::Signer<DerSignature> for CertificateSigner<'_> {
    fn try_sign(&self, message: &[u8]) -> Result<DerSignature, signature::Error> {
        Ok(self.0.sign(message).map_err(|_| signature::Error::new())?.0.to_der())
    }
}
