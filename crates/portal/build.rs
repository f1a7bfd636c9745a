//! Migrations are embedded: a new file must rebuild the crate.

#[allow(clippy::print_stdout)] // this is how cargo is told
fn main() {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=templates");
}
