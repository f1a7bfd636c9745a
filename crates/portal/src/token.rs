//! Random texts that open something: sessions, links, drafts.

use model::Secret;

/// A session's token: the cookie's value. Only its digest is stored.
pub struct Token(Secret);

impl Token {
    /// A new one, of 256 random bits.
    ///
    /// # Errors
    /// The machine gives no random bytes.
    pub fn random() -> Result<Self, getrandom::Error> {
        Ok(Self(Secret::new(random_hex::<32>()?.into_bytes())))
    }

    /// The cookie's value.
    #[must_use]
    pub fn expose(&self) -> &str {
        std::str::from_utf8(self.0.expose()).unwrap_or_default()
    }
}

/// What is stored of a token. It has 256 random bits: a plain digest is enough, there is nothing to guess.
pub(crate) fn digest(token: &str) -> String {
    hex::encode(gm::sm3(token.as_bytes()))
}

/// So many random bytes, in hex.
pub(crate) fn random_hex<const BYTES: usize>() -> Result<String, getrandom::Error> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(hex::encode(bytes))
}
