//! Status words as types: what the key said, in words.

use std::fmt;

macro_rules! status_words {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $text:literal;)*) => {
        /// A status word.
        ///
        /// Named where a source names it (ISO 7816-4, or the AS568 firmware for the 69xx and 6Axx words of GM/T 0017);
        /// every other value is kept as it came.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum StatusWord {
            /// 63Cx: a wrong PIN or device key; `left` tries remain (some products always say 0: ask INS 14).
            VerificationFailed {
                /// What stands in the last nibble.
                left: u8,
            },
            $($(#[$doc])* $name,)*
            /// Anything else.
            Other(u16),
        }

        impl StatusWord {
            /// Every named word except 63Cx, for tables and tests.
            pub const NAMED: &'static [Self] = &[$(Self::$name,)*];

            /// The word of a reply's last two bytes.
            #[must_use]
            pub fn from_u16(value: u16) -> Self {
                match value {
                    0x63C0..=0x63CF => Self::VerificationFailed { left: (value & 0xF) as u8 },
                    $($value => Self::$name,)*
                    other => Self::Other(other),
                }
            }

            /// The two bytes as a number.
            #[must_use]
            pub fn to_u16(self) -> u16 {
                match self {
                    Self::VerificationFailed { left } => 0x63C0 | u16::from(left & 0xF),
                    $(Self::$name => $value,)*
                    Self::Other(other) => other,
                }
            }

            /// What the word says, in one line.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self {
                    Self::VerificationFailed { .. } => "wrong PIN or key; a try is used up",
                    $(Self::$name => $text,)*
                    Self::Other(_) => "a status word that no source names",
                }
            }
        }
    };
}

status_words! {
    /// 9000.
    Success = 0x9000, "done";
    /// 6581.
    WriteFailed = 0x6581, "writing to the key's memory failed";
    /// 6700.
    WrongLength = 0x6700, "wrong length";
    /// 6915.
    KeyGenerationFailed = 0x6915, "generating the key pair failed";
    /// 6982.
    SecurityNotSatisfied = 0x6982, "the right for this is missing; authenticate first";
    /// 6983.
    Locked = 0x6983, "locked: no tries are left";
    /// 6984.
    ReferenceDataInvalid = 0x6984, "the reference data is invalid, or no challenge was asked for";
    /// 6985.
    ConditionsNotSatisfied = 0x6985, "not possible in the key's present state";
    /// 6986.
    NotAllowed = 0x6986, "the command is not allowed";
    /// 6988.
    BadSecureMessaging = 0x6988, "the message authentication code is wrong";
    /// 698A.
    ApplicationNotOpen = 0x698A, "the application is not open";
    /// 6A80.
    WrongData = 0x6A80, "the command's data is wrong";
    /// 6A81.
    Unsupported = 0x6A81, "the key does not support this";
    /// 6A84.
    NoSpace = 0x6A84, "the key has no space left";
    /// 6A86.
    WrongParameters = 0x6A86, "P1 or P2 is wrong";
    /// 6A88.
    ApplicationMissing = 0x6A88, "there is no such application";
    /// 6A89.
    ApplicationExists = 0x6A89, "the application exists already";
    /// 6A8A.
    ApplicationAlreadyOpen = 0x6A8A, "an application is open already";
    /// 6A8B.
    ApplicationNameNotFound = 0x6A8B, "no application has this name";
    /// 6A8C.
    NoSessionKey = 0x6A8C, "there is no session key";
    /// 6A8D.
    DataError = 0x6A8D, "the data is damaged";
    /// 6A90.
    SecondApplication = 0x6A90, "the key takes no second application";
    /// 6A91.
    ContainerNameMissing = 0x6A91, "no container has this name";
    /// 6A92.
    FileExists = 0x6A92, "the file exists already";
    /// 6A93.
    FileMissing = 0x6A93, "there is no such file";
    /// 6A94.
    ContainerMissing = 0x6A94, "no container has this id";
    /// 6A95.
    NoKeyPair = 0x6A95, "the container has no such key pair";
    /// 6A96.
    NoCertificate = 0x6A96, "the container has no such certificate";
    /// 6A97.
    StoreFailed = 0x6A97, "storing the object failed";
    /// 6A98.
    SignatureWrong = 0x6A98, "the signature does not verify";
    /// 6A99.
    UnsupportedCipher = 0x6A99, "the symmetric algorithm is not supported";
    /// 6A9A.
    EncryptFailed = 0x6A9A, "asymmetric encryption failed";
    /// 6A9B.
    DecryptFailed = 0x6A9B, "asymmetric decryption failed; the envelope is not for this key";
    /// 6A9C.
    SignFailed = 0x6A9C, "signing failed";
    /// 6A9D.
    UnsupportedHash = 0x6A9D, "the hash algorithm is not supported";
    /// 6A9E.
    MoreData = 0x6A9E, "more data follows";
    /// 6A9F.
    KeyNotFound = 0x6A9F, "there is no such key";
    /// 6B00.
    WrongOffset = 0x6B00, "the offset lies outside the file";
    /// 6B01.
    AgreementFailed = 0x6B01, "key agreement failed";
    /// 6B02.
    AgreementRefused = 0x6B02, "key agreement was refused";
    /// 6C00.
    WrongLe = 0x6C00, "the expected length is wrong";
    /// 6D00.
    WrongInstruction = 0x6D00, "the key does not know this command";
    /// 6E00.
    WrongClass = 0x6E00, "the key does not know this command class";
    /// 6E01.
    ReplyTooLong = 0x6E01, "the reply would be too long";
    /// 6E02.
    ContainerExists = 0x6E02, "the container exists already";
}

impl StatusWord {
    /// Whether the command was carried out.
    #[must_use]
    pub fn is_success(self) -> bool {
        self == Self::Success
    }

    /// The two bytes as they end a reply.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 2] {
        self.to_u16().to_be_bytes()
    }
}

impl fmt::Display for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X} ({})", self.to_u16(), self.meaning())
    }
}

#[cfg(test)]
mod tests {
    use super::StatusWord;

    #[test]
    fn every_value_reads_back_as_itself() {
        for value in 0..=u16::MAX {
            assert_eq!(StatusWord::from_u16(value).to_u16(), value);
        }
    }

    #[test]
    fn every_named_word_has_its_own_meaning() {
        let mut meanings: Vec<_> = StatusWord::NAMED.iter().map(|word| word.meaning()).collect();
        meanings.sort_unstable();
        let all = meanings.len();
        meanings.dedup();
        assert_eq!(meanings.len(), all);
    }

    #[test]
    fn a_wrong_try_carries_the_count() {
        assert_eq!(StatusWord::from_u16(0x63C3), StatusWord::VerificationFailed { left: 3 });
        assert_eq!(StatusWord::from_u16(0x6983).to_string(), "6983 (locked: no tries are left)");
    }
}
