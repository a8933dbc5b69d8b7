//! The tools crate against real git, in directories of its own.

#[cfg(test)]
mod apply;
#[cfg(test)]
mod checks;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod fence;
#[cfg(test)]
mod history;
#[cfg(test)]
mod proposal;
#[cfg(test)]
mod repositories;
#[cfg(test)]
mod support;
#[cfg(test)]
mod undo;
#[cfg(test)]
mod unsaved;
