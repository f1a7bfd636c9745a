//! The PKCS#11 module: loaded and started once a process, as the standard wants it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
    slot::Slot,
};

use crate::error::VaultError;

/// Modules of this process. Never finalised: C_Finalize would take the module away from every other handle.
static LOADED: Mutex<BTreeMap<PathBuf, Pkcs11>> = Mutex::new(BTreeMap::new());

/// The module at `path`, loaded if it was not.
pub(crate) fn load(path: &Path) -> Result<Pkcs11, VaultError> {
    let failed = |e: Error| VaultError::Module { module: path.to_owned(), detail: e.to_string() };
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(module) = loaded.get(path) {
        return Ok(module.clone());
    }
    let module = Pkcs11::new(path).map_err(failed)?;
    start(&module).map_err(failed)?;
    loaded.insert(path.to_owned(), module.clone());
    Ok(module)
}

/// Starts the module; that another part of the process did is fine.
pub(crate) fn start(module: &Pkcs11) -> Result<(), Error> {
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        other => other,
    }
}

/// The one slot whose token has the label; `None` if no token has it.
pub(crate) fn find_slot(module: &Pkcs11, label: &str) -> Result<Option<Slot>, crate::keys::Failure> {
    let mut found = Vec::new();
    for slot in module.get_slots_with_initialized_token()? {
        if module.get_token_info(slot)?.label() == label {
            found.push(slot);
        }
    }
    match found.as_slice() {
        [] => Ok(None),
        [slot] => Ok(Some(*slot)),
        many => Err(VaultError::ManyTokens { label: label.to_owned(), count: many.len() }.into()),
    }
}
