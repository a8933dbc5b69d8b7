//! Toolboxes over real servers, and over scripts that do what servers should not.

#[cfg(test)]
mod builtin;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod real;
#[cfg(test)]
mod support;
