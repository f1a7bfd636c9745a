//! Where the chip's random bytes come from: challenges and private keys.

use gm::SigningKey;
use model::Secret;
use zeroize::Zeroizing;

/// The system's randomness, unless a seed was set.
#[derive(Debug, Default)]
pub(crate) struct Source {
    seeded: Option<Seeded>,
}

#[derive(Debug)]
struct Seeded {
    seed: u64,
    drawn: u64,
}

impl Source {
    /// From now on the bytes follow from `seed` and from how many were drawn since: no secret rests on them any more.
    pub fn seed(&mut self, seed: u64) {
        self.seeded = Some(Seeded { seed, drawn: 0 });
    }

    /// Fills `bytes`; `false` when the system has none.
    pub fn fill(&mut self, bytes: &mut [u8]) -> bool {
        let Some(Seeded { seed, drawn }) = &mut self.seeded else { return getrandom::fill(bytes).is_ok() };
        for chunk in bytes.chunks_mut(32) {
            let block = gm::sm3(&[seed.to_be_bytes(), drawn.to_be_bytes()].concat());
            *drawn += 1;
            chunk.copy_from_slice(block.get(..chunk.len()).unwrap_or_default());
        }
        true
    }

    /// A new private key; `None` when the system has no random bytes.
    pub fn signing_key(&mut self) -> Option<SigningKey> {
        loop {
            let mut bytes = Zeroizing::new(vec![0; 32]);
            if !self.fill(&mut bytes) {
                return None;
            }
            // Outside 1 to n-2 with probability 2^-32: draw again.
            if let Ok(key) = SigningKey::from_secret(&Secret::new(bytes.to_vec())) {
                return Some(key);
            }
        }
    }
}
