//! The names of what is made for a job outside its process: they tell which process
//! made it, so that what one left that was killed is found and removed.

use std::{
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use shared::processes;

/// Before the number of the maker, in every name.
pub(crate) const PREFIX: &str = "agentic-ide-sandbox-";

/// One that nothing else has.
pub(crate) fn fresh() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{}{number}", ours())
}

/// How the names begin that this process gives.
pub(crate) fn ours() -> String {
    format!("{PREFIX}{}-", process::id())
}

/// Whether this is the name of something whose maker has died.
pub(crate) fn is_left(name: &str) -> bool {
    let maker = name
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split_once('-')?.0.parse().ok());
    maker.is_some_and(|pid| !processes::lives(pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_dead_are_left() {
        // No process has this number: it is above what a kernel gives.
        assert!(is_left("agentic-ide-sandbox-99999999-0"));
        let others = [
            "agentic-ide-99999999-0",
            "agentic-ide-sandbox-x-0",
            "agentic-ide-sandbox-99999999",
        ];
        assert!(!is_left(&fresh()) && others.iter().all(|name| !is_left(name)));
        assert_ne!(fresh(), fresh());
    }
}
