//! Instruction bytes of GM/T 0017 under CLA 80 and 84, with their names.
//!
//! Numbers seen in two or more products: 04 10 18 1C 22 26 28 42 46 4A 4E 50 74 88; the others rest on one
//! complete firmware table.

/// CLA of a plain command.
pub const CLA_PLAIN: u8 = 0x80;
/// CLA of a command with secure messaging (12, 16, 1A).
pub const CLA_SECURE: u8 = 0x84;

macro_rules! instructions {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $text:literal;)*) => {
        $($(#[$doc])* pub const $name: u8 = $value;)*

        /// The command's name as the standard writes it, for errors and traces.
        #[must_use]
        pub fn name(ins: u8) -> &'static str {
            match ins {
                $($value => $text,)*
                _ => "unknown command",
            }
        }
    };
}

instructions! {
    /// Writes the device label.
    SET_LABEL = 0x02, "SetLabel";
    /// Reads the 288-byte device info.
    GET_DEV_INFO = 0x04, "GetDevInfo";
    /// Proves the device authentication key.
    DEV_AUTH = 0x10, "DevAuth";
    /// Replaces the device authentication key.
    CHANGE_DEV_AUTH_KEY = 0x12, "ChangeDevAuthKey";
    /// Reads a PIN's counts.
    GET_PIN_INFO = 0x14, "GetPINInfo";
    /// Replaces a PIN.
    CHANGE_PIN = 0x16, "ChangePIN";
    /// Proves a PIN.
    VERIFY_PIN = 0x18, "VerifyPIN";
    /// Gives the user a new PIN by the admin PIN.
    UNBLOCK_PIN = 0x1A, "UnblockPIN";
    /// Drops every right won in an application.
    CLEAR_SECURE_STATE = 0x1C, "ClearSecureState";
    /// Makes an application with both PINs.
    CREATE_APPLICATION = 0x20, "CreateApplication";
    /// Lists applications.
    ENUM_APPLICATION = 0x22, "EnumApplication";
    /// Deletes an application.
    DELETE_APPLICATION = 0x24, "DeleteApplication";
    /// Opens an application.
    OPEN_APPLICATION = 0x26, "OpenApplication";
    /// Closes an application.
    CLOSE_APPLICATION = 0x28, "CloseApplication";
    /// Makes a file.
    CREATE_FILE = 0x30, "CreateFile";
    /// Deletes a file.
    DELETE_FILE = 0x32, "DeleteFile";
    /// Lists files.
    ENUM_FILES = 0x34, "EnumFiles";
    /// Reads a file's size and rights.
    GET_FILE_INFO = 0x36, "GetFileInfo";
    /// Reads from a file.
    READ_FILE = 0x38, "ReadFile";
    /// Writes into a file.
    WRITE_FILE = 0x3A, "WriteFile";
    /// Makes a container.
    CREATE_CONTAINER = 0x40, "CreateContainer";
    /// Opens a container.
    OPEN_CONTAINER = 0x42, "OpenContainer";
    /// Closes a container.
    CLOSE_CONTAINER = 0x44, "CloseContainer";
    /// Lists containers.
    ENUM_CONTAINER = 0x46, "EnumContainer";
    /// Deletes a container with its keys.
    DELETE_CONTAINER = 0x48, "DeleteContainer";
    /// Reads what a container holds.
    GET_CONTAINER_INFO = 0x4A, "GetContainerInfo";
    /// Writes a certificate.
    IMPORT_CERTIFICATE = 0x4C, "ImportCertificate";
    /// Reads a certificate.
    EXPORT_CERTIFICATE = 0x4E, "ExportCertificate";
    /// Random bytes; the key remembers the last ones as the challenge.
    GEN_RANDOM = 0x50, "GenRandom";
    /// Makes the SM2 signing key pair on the key.
    GEN_ECC_KEY_PAIR = 0x70, "GenECCKeyPair";
    /// Brings the SM2 encryption key pair in as an envelope.
    IMPORT_ECC_KEY_PAIR = 0x72, "ImportECCKeyPair";
    /// Signs.
    ECC_SIGN_DATA = 0x74, "ECCSignData";
    /// Reads a public key.
    EXPORT_PUBLIC_KEY = 0x88, "ExportPublicKey";
}

/// Whether the command's data (or what it answers to) must never be shown: PINs, keys and cryptograms made of them.
#[must_use]
pub fn carries_secret(ins: u8) -> bool {
    matches!(
        ins,
        DEV_AUTH
            | CHANGE_DEV_AUTH_KEY
            | CHANGE_PIN
            | VERIFY_PIN
            | UNBLOCK_PIN
            | CREATE_APPLICATION
            | IMPORT_ECC_KEY_PAIR
    )
}
