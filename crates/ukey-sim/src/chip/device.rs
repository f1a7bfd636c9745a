//! The device: label, device info, random bytes, the device authentication key.

use model::Secret;
use ukey::{DeviceInfo, StatusWord, apdu::Command, crypto};
use zeroize::Zeroizing;

use super::{Answered, Chip, fields::Fields, fields::name, no_parameters};
use crate::flash::HexSecret;

/// Memory of the virtual chip in bytes, as its device info says.
const TOTAL_SPACE: u32 = 64 * 1024;
/// Most random bytes one GenRandom gives.
const MAX_RANDOM: u16 = 256;
/// Longest device label (INS 02 takes less than 32 bytes).
const MAX_LABEL: usize = 31;
/// SGD_SM3 and SGD_SHA1 (GM/T 0006).
const HASHES: u32 = 0x3;

impl Chip {
    pub(super) fn set_label(&mut self, command: &Command) -> Answered {
        no_parameters(command)?;
        if self.store.flash().is_factory_stage() {
            return Err(StatusWord::NotAllowed);
        }
        if command.data.is_empty() || command.data.len() > MAX_LABEL {
            return Err(StatusWord::WrongLength);
        }
        self.store.edit().label = name(&command.data, MAX_LABEL)?;
        Ok(Vec::new())
    }

    pub(super) fn device_info(&mut self, command: &Command) -> Answered {
        no_parameters(command)?;
        Fields::new(&command.data, self.order()).end()?;
        let flash = self.store.flash();
        let dialect = &flash.dialect;
        if dialect.device_info_le_exact && command.le.map(usize::from) != Some(DeviceInfo::LEN) {
            return Err(StatusWord::WrongLe);
        }
        let used: usize = flash.applications.iter().map(crate::flash::Application::size).sum();
        let info = DeviceInfo {
            struct_version: [1, 0],
            spec_version: [1, 0],
            manufacturer: flash.manufacturer.clone(),
            issuer: flash.manufacturer.clone(),
            label: flash.label.clone(),
            serial: flash.serial.clone(),
            hardware_version: [1, 0],
            firmware_version: [1, 0],
            symmetric_algorithms: dialect.algorithm_ids.sm4_ecb,
            asymmetric_algorithms: dialect.algorithm_ids.sm2_sign | dialect.algorithm_ids.sm2_encrypt,
            hash_algorithms: HASHES,
            device_auth_algorithm: dialect.algorithm_ids.sm4_ecb,
            total_space: TOTAL_SPACE,
            free_space: TOTAL_SPACE.saturating_sub(u32::try_from(used).unwrap_or(u32::MAX)),
            max_command_data: flash.limits.max_command_data,
            user_auth_method: 0,
            device_type: 0,
            max_containers: flash.limits.max_containers,
            max_certificates: flash.limits.max_containers.saturating_mul(2),
            max_files: super::application::MAX_FILES,
        };
        info.encode(dialect.byte_order).ok_or(StatusWord::ReferenceDataInvalid)
    }

    pub(super) fn random(&mut self, command: &Command) -> Answered {
        no_parameters(command)?;
        Fields::new(&command.data, self.order()).end()?;
        let count = command.le.filter(|le| (1..=MAX_RANDOM).contains(le)).ok_or(StatusWord::WrongLe)?;
        let mut bytes = vec![0; usize::from(count)];
        if !self.source.fill(&mut bytes) {
            return Err(StatusWord::ConditionsNotSatisfied);
        }
        self.session.challenge = Some(Zeroizing::new(bytes.clone()));
        Ok(bytes)
    }

    pub(super) fn authenticate_device(&mut self, command: &Command) -> Answered {
        let auth = self.device_parameters(command)?;
        let mut fields = Fields::new(&command.data, self.order());
        let cryptogram: [u8; 16] = fields.array()?;
        fields.end()?;
        let challenge = self.take_challenge()?;
        let random = challenge.get(..usize::from(auth.random_len)).ok_or(StatusWord::ReferenceDataInvalid)?;
        self.session.device_authenticated = false;
        let left = self.store.flash().device_tries_left;
        if left == 0 {
            return Err(StatusWord::Locked);
        }
        if crypto::device_auth_cryptogram(&self.device_key()?, random) != cryptogram {
            self.store.edit().device_tries_left = left - 1;
            return Err(StatusWord::VerificationFailed { left: left - 1 });
        }
        if left != auth.tries {
            self.store.edit().device_tries_left = auth.tries;
        }
        self.session.device_authenticated = true;
        Ok(Vec::new())
    }

    pub(super) fn change_device_key(&mut self, command: &Command) -> Answered {
        self.device_parameters(command)?;
        let mut fields = Fields::new(&command.data, self.order());
        let (sealed, code): ([u8; 16], [u8; 4]) = (fields.array()?, fields.array()?);
        fields.end()?;
        self.require_device()?;
        let old = self.device_key()?;
        self.check_mac(&old, command.header(), &sealed, code)?;
        let new = crypto::decrypt_block(&old, &sealed);
        self.store.edit().device_key = HexSecret(Secret::new(new.to_vec()));
        Ok(Vec::new())
    }

    /// Fails unless the device key was proved since the last reset.
    pub(super) fn require_device(&self) -> Result<(), StatusWord> {
        if self.session.device_authenticated { Ok(()) } else { Err(StatusWord::SecurityNotSatisfied) }
    }

    fn device_parameters(&self, command: &Command) -> Result<profile::dialect::DeviceAuth, StatusWord> {
        let auth = self.dialect().device_auth;
        if (command.p1, command.p2) == (0, auth.p2) { Ok(auth) } else { Err(StatusWord::WrongParameters) }
    }

    fn device_key(&self) -> Result<crypto::Block16, StatusWord> {
        crypto::key16(&self.store.flash().device_key.0).ok_or(StatusWord::ReferenceDataInvalid)
    }
}
