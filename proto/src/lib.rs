//! The gRPC contract, generated from `agentic_ide/v1/*.proto`.
//!
//! Only edges, the GUI and the launcher's control server may use it: the
//! engine and its crates never see a wire type.

/// Version 1 of the contract.
#[allow(
    clippy::all,
    clippy::pedantic,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    missing_debug_implementations,
    reason = "generated code"
)]
pub mod v1 {
    tonic::include_proto!("agentic_ide.v1");
}

/// Encoded `FileDescriptorSet` of the contract, for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
