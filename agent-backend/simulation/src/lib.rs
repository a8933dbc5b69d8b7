//! Lives of workflows in which everything goes wrong: the process is killed
//! before and after each commit, power is lost, the disk is full, a process
//! that was thought dead goes on, the clock jumps, models fail, stop and repeat
//! themselves, people change their minds. After each step an auditor checks
//! what must hold whatever happens.
//!
//! A life is a function of its seed: the same seed gives the same trace. It
//! drives the engine alone (`decide`, `advance`, `react`); the journal, the
//! repository and the clients are small models of the real ones, with faults.
//! What they promise is proven of the real ones elsewhere, with processes that
//! are killed.
//!
//! It must never know: a clock, randomness but its own, I/O.

pub mod audit;
pub mod brain;
pub mod client;
pub mod disk;
pub mod life;
pub mod outputs;
pub mod process;
pub mod repository;
pub mod rng;

pub use audit::Broken;
pub use brain::{Brain, Real};
pub use life::{Trace, live};
