//! What fails, as far as two runs can tell it is the same.

use std::{collections::BTreeSet, fmt};

/// A test that failed, or a problem of a build, without what moves with every
/// change: line numbers and times.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Failure {
    /// As the tool names it.
    pub(crate) name: String,
    /// What it is in, where the name alone may mean several: a package, a file.
    /// None if the output does not say.
    pub(crate) place: Option<String>,
}

impl Failure {
    /// One whose place nothing is known of.
    pub(crate) fn named(name: String) -> Self {
        Self { name, place: None }
    }

    /// Whether this may be the other one in another run. What is not known of
    /// a place is not held against a change.
    fn may_be(&self, other: &Self) -> bool {
        let is_same = |one: &str, other: &str| one.ends_with(other) || other.ends_with(one);
        let places = self.place.as_deref().zip(other.place.as_deref());
        self.name == other.name && places.is_none_or(|(one, other)| is_same(one, other))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{} ({place})", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Those of `after` that none of `before` may be.
pub(super) fn new_ones(before: &BTreeSet<Failure>, after: &BTreeSet<Failure>) -> BTreeSet<Failure> {
    let is_new = |failure: &&Failure| !before.iter().any(|old| old.may_be(failure));
    after.iter().filter(is_new).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_one_name_are_told_apart_by_their_places() {
        let read = |failures: &[(&str, Option<&str>)]| -> BTreeSet<Failure> {
            let failure = |(name, place): &(&str, Option<&str>)| Failure {
                name: (*name).to_owned(),
                place: place.map(str::to_owned),
            };
            failures.iter().map(failure).collect()
        };
        let check = |before: &[_], after: &[_], expect: &[&str]| {
            let new = new_ones(&read(before), &read(after));
            let new: Vec<String> = new.iter().map(ToString::to_string).collect();
            assert_eq!(new, expect, "{before:?} {after:?}");
        };
        check(&[], &[("t", None)], &["t"]);
        check(
            &[("t", Some("-p a --lib"))],
            &[("t", Some("-p b --lib"))],
            &["t (-p b --lib)"],
        );
        check(&[("t", Some("-p a --lib"))], &[("t", Some("-p a --lib"))], &[]);
        // A run that broke off does not say where its tests are.
        check(&[("t", Some("-p a --lib"))], &[("t", None)], &[]);
        check(&[("t", None)], &[("t", Some("-p a --lib"))], &[]);
        // Alone in its workspace, a package is not named.
        check(&[("t", Some("--lib"))], &[("t", Some("-p a --lib"))], &[]);
    }
}
