//! Orders: JSON that a customer's system or a file brings in.

use std::{path::Path, sync::LazyLock};

use portal::{orders::OrderForm, programmes::Programmes};

static PROGRAMMES: LazyLock<Programmes> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/programmes");
    Programmes::load(&folder).expect("the shipped programmes are right")
});

/// One order against the shipped programmes. What is refused is refused with a field and a remedy for each mistake.
pub fn orders(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice(bytes) else { return };
    match OrderForm::read(&value, &PROGRAMMES) {
        Ok(form) => {
            let programme = PROGRAMMES.get(&form.content.programme);
            assert!(programme.is_some(), "an order of no programme was taken");
            assert!(form.content.quantity > 0 && form.content.years > 0, "an order of nothing was taken");
        }
        Err(errors) => {
            assert!(!errors.is_empty(), "refused without a reason");
            assert!(errors.iter().all(|error| !error.message.is_empty()), "refused without a remedy");
        }
    }
}
