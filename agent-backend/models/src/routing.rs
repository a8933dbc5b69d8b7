//! Who answers a role, and what is done when a call fails.
//!
//! A [`Chain`] is the providers of a role, the best one first; a [`Run`] is one
//! question's way along it. The caller makes the calls and tells the run what
//! came of each: the run says whom to ask next, when, or that nobody is left.
//! Health is kept by provider in its [`Link`], which all runs share.
//!
//! Must never know: what a prompt means, and that there are events.

mod breaker;
mod chain;
mod link;
mod policy;
mod pool;

pub use self::{
    chain::{Chain, Next, Run, Waiting},
    link::{Link, LinkOptions, Price, Slot},
    policy::{Policy, Step},
    pool::Pool,
};
