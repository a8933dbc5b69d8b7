//! Where the embedded engine knowingly answers otherwise than Qdrant.
//! `docs/vectordb.md` has the same list for people.

/// One step.
pub struct Exception {
    /// Its name.
    pub step: &'static str,
    /// What the embedded engine answers, as JSON.
    pub answer: &'static str,
}

/// The engine leaves out points whose score is no number.
const NONE_FOUND: &str = "[]";

/// The engine stops at the first point for which a formula fails and forgets
/// which one it was and why.
const FORMULA_FAILED: &str = r#"{"refused": "InvalidArgument", "message": "Wrong input: The formula cannot be computed for one of the points: a variable has no value and no default or is no number, or a result is not finite"}"#;

/// The engine is newer than the Qdrant that answered: without an index it
/// compares words, where that one looks for the text as it is.
const NO_WORDS: &str = "[]";

/// All of them.
pub const EXCEPTIONS: &[Exception] = &[
    Exception {
        step: "bad: query by NaN",
        answer: NONE_FOUND,
    },
    Exception {
        step: "bad: query by infinity",
        answer: NONE_FOUND,
    },
    Exception {
        step: "bad: recommend the best like nothing",
        answer: NONE_FOUND,
    },
    Exception {
        step: "bad: formula of an unknown variable",
        answer: FORMULA_FAILED,
    },
    Exception {
        step: "bad: formula of a word",
        answer: FORMULA_FAILED,
    },
    Exception {
        step: "bad: formula that divides by zero",
        answer: FORMULA_FAILED,
    },
    Exception {
        step: "bad: formula of a negative root",
        answer: FORMULA_FAILED,
    },
    Exception {
        step: "bad: match of no words",
        answer: NO_WORDS,
    },
];
