//! Real models against their references in Python.

mod behaviour;
mod environment;
mod parity;
