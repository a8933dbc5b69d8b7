//! Everything that is promised of a journal, in one binary.

mod concurrent;
mod conformance;
mod crash;
mod faults;
mod support;
mod torn;
