//! The station side on a real vault (SoftHSM), a real database and the double of SF; once with a real mosquitto.
//!
//! SoftHSM reads `SOFTHSM2_CONF` when it is loaded, and a process may not change its own environment safely. So each test starts this
//! program again for itself alone, with the variable set, and passes if that run passes.

mod audit;
mod bench_events;
mod broker;
mod certificates;
mod desk;
mod enrolment;
mod init;
mod keys;
mod leases;
mod parcels;
mod poison;
mod release;
mod reports;
