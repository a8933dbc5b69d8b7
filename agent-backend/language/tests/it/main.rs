//! Real programs: whatever a server does, and the servers themselves.

#[cfg(test)]
mod faults;
#[cfg(test)]
mod real;
#[cfg(test)]
mod support;
