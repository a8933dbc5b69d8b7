//! Which engine is found, and what is said when none is.

use sandbox::{Choice, Error, Kind, Options, Promise, Sandbox};
use shared::error::Code;

use crate::support::{options, sandbox};

#[test]
fn without_an_engine_nothing_runs() {
    let check = |options: &Options, expect: &str| {
        let error = Sandbox::detect(options).unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), error.code()),
            (expect, Code::SandboxUnavailable)
        );
    };
    let off = Options {
        engine: Choice::None,
        ..options()
    };
    let turned_off = "the sandbox is turned off by the configuration, and nothing is run without one";
    check(&off, turned_off);
    let missing = Options {
        bubblewrap: "no-such-bwrap".into(),
        ..options()
    };
    check(
        &missing,
        "no sandbox can be used here: bubblewrap: no-such-bwrap is not installed \
         (`sudo apt-get install bubblewrap`)",
    );
}

#[test]
fn an_engine_that_fails_its_canary_is_not_taken() {
    let Some(_) = sandbox() else { return };
    // A helper that restricts nothing, and an engine that is none.
    let refused = |options: &Options| match Sandbox::detect(options) {
        Err(Error::Unavailable { why }) => why,
        other => panic!("{other:?}"),
    };
    let careless = Options {
        helper: "/bin/true".into(),
        ..options()
    };
    let why = refused(&careless);
    assert_eq!(why[0].0, Kind::Bubblewrap);
    assert!(why[0].1.contains("the canary did not run"), "{why:?}");
    let fake = Options {
        bubblewrap: "/bin/true".into(),
        ..options()
    };
    let why = refused(&fake);
    assert!(why[0].1.contains("too old"), "{why:?}");
}

#[test]
fn every_promise_is_tried() {
    let Some(sandbox) = sandbox() else { return };
    let tried: Vec<Promise> = sandbox.guarantees().iter().map(|each| each.promise).collect();
    assert_eq!(tried, Promise::ALL);
    assert_eq!(sandbox.kind(), Kind::Bubblewrap);
    for promise in Promise::ALL {
        assert_eq!(Promise::parse(promise.key()), Some(*promise));
    }
    // What needs no control group holds wherever anything holds.
    for promise in [Promise::FileLimit, Promise::TimeLimit, Promise::SystemCalls] {
        let found = sandbox.guarantees().iter().find(|each| each.promise == promise);
        assert!(found.unwrap().holds(), "{found:?}");
    }
}
