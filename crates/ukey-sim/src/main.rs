//! `ukey-sim`: makes virtual keys, shows what they hold, and plugs them into pcscd's virtual readers.

fn main() {}
