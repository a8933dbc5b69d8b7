//! An answer that was cut and is gone on with: what the model is shown of it,
//! and whether what it then writes does go on from there.
//!
//! A server that takes a beginning for a whole message has the model write
//! another one, which is not the rest of the first. Nothing in its protocol
//! tells, so the text has to. A doubt costs a new attempt; a wrong join costs
//! the answer.

/// Characters of a continuation that are looked at before any counts.
const JUDGED_CHARS: usize = 64;

/// Characters equal to the beginning of the answer that make a new beginning.
const ANEW_CHARS_MIN: usize = 16;

/// Characters equal to the end of the text so far that make a repetition.
const REPEATED_CHARS_MIN: usize = 24;

/// Opens a model's thoughts within its text. Servers take them out of messages
/// that are not the last word, each in its own way.
const THOUGHTS: &str = "<think";

/// Where an answer was cut and its rest is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joint {
    begun: String,
    /// The white space between what the model is shown and the cut.
    blanks: String,
    held: String,
}

/// What is known after some text of the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joined {
    /// Nothing yet.
    Waiting,
    /// It goes on: this comes after the text so far.
    Text(String),
    /// It does not go on.
    Anew,
}

impl Joint {
    /// A joint after `text`; none if the text is not to be gone on with.
    ///
    /// White space at its end is not shown to the model: the tokens of most
    /// begin with it, and one that is given the white space alone goes on worse,
    /// if its server does not cut it off anyway.
    pub fn after(text: &str) -> Option<Self> {
        let begun = text.trim_end();
        if begun.is_empty() || begun.contains(THOUGHTS) {
            return None;
        }
        Some(Self {
            begun: begun.to_owned(),
            blanks: text[begun.len()..].to_owned(),
            held: String::new(),
        })
    }

    /// What the model is shown as the beginning of its answer.
    pub fn begun(&self) -> &str {
        &self.begun
    }

    /// Takes more of the rest; after anything but [`Joined::Waiting`] the joint
    /// is of no more use.
    pub fn push(&mut self, text: &str) -> Joined {
        self.held.push_str(text);
        if self.held.chars().count() < JUDGED_CHARS + self.blanks.chars().count() {
            return Joined::Waiting;
        }
        self.judge()
    }

    /// The rest has ended. One that is empty is no sign that the answer was
    /// whole: a model writes nothing after a message that was closed, too.
    pub fn end(&self) -> Joined {
        if self.held.is_empty() {
            return Joined::Anew;
        }
        self.judge()
    }

    fn judge(&self) -> Joined {
        if self.begins_anew() || self.repeats() {
            return Joined::Anew;
        }
        // The blanks were written already.
        match self.held.strip_prefix(self.blanks.as_str()) {
            Some(rest) => Joined::Text(rest.to_owned()),
            None if self.blanks.starts_with(self.held.as_str()) => Joined::Text(String::new()),
            None => Joined::Anew,
        }
    }

    fn begins_anew(&self) -> bool {
        let (known, new) = (self.begun.trim_start(), self.held.trim_start());
        let equal = known.chars().zip(new.chars()).take_while(|(a, b)| a == b).count();
        let judged = known.chars().count().min(new.chars().count()).min(JUDGED_CHARS);
        equal >= ANEW_CHARS_MIN && equal >= judged
    }

    fn repeats(&self) -> bool {
        let new = self.held.trim_start();
        let ends = new.char_indices().map(|(at, c)| at + c.len_utf8());
        ends.skip(REPEATED_CHARS_MIN - 1)
            .any(|end| self.begun.ends_with(new[..end].trim_end()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Two files.\n\ngreeting.py\n```python\ndef greet(name):\n    return f\"Hello, {name}!\"\n```\n\napp.py\n```python\nfrom greeting import greet\n";

    /// Joins what comes in pieces of three characters.
    fn join(before: &str, rest: &str) -> Joined {
        let mut joint = Joint::after(before).unwrap();
        let chars: Vec<char> = rest.chars().collect();
        let mut pieces = chars.chunks(3).map(|piece| piece.iter().collect::<String>());
        let first = pieces.by_ref().find_map(|piece| match joint.push(&piece) {
            Joined::Waiting => None,
            known @ (Joined::Text(_) | Joined::Anew) => Some(known),
        });
        match first.unwrap_or_else(|| joint.end()) {
            Joined::Text(text) => Joined::Text(text + &pieces.collect::<String>()),
            other @ (Joined::Waiting | Joined::Anew) => other,
        }
    }

    #[test]
    fn a_text_that_is_cut_anywhere_and_gone_on_with_is_the_text() {
        for (cut, _) in TEXT.char_indices().skip(1) {
            let joint = Joint::after(&TEXT[..cut]).unwrap();
            assert!(TEXT.starts_with(joint.begun()));
            let rest = &TEXT[joint.begun().len()..];
            assert_eq!(
                join(&TEXT[..cut], rest),
                Joined::Text(TEXT[cut..].to_owned()),
                "{cut}"
            );
        }
    }

    #[test]
    fn what_does_not_go_on_is_told() {
        let check = |before: &str, rest: &str| assert_eq!(join(before, rest), Joined::Anew, "{rest}");
        // The answer from its beginning, after any cut of some length.
        for cut in (20..TEXT.len()).filter(|cut| TEXT.is_char_boundary(*cut)) {
            check(&TEXT[..cut], TEXT);
            check(&TEXT[..cut], &format!("\n{TEXT}"));
        }
        // The last line again.
        check(
            TEXT,
            "from greeting import greet\n\n\ndef main():\n    print(greet(\"world\"))\n",
        );
        check(
            "x = compute_the_answer(to, everything",
            "compute_the_answer(to, everything)\n",
        );
        // Nothing.
        check(TEXT, "");
        // Another indentation than the one that was written.
        check("if x:\n        ", "\n    y()\n");
    }

    #[test]
    fn only_text_with_an_open_end_is_gone_on_with() {
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(Joint::after(text).as_ref().map(Joint::begun), expect, "{text:?}");
        };
        check("def f", Some("def f"));
        check("def f():\n    ", Some("def f():"));
        check(" \n", None);
        check("", None);
        check("<think>\nwell", None);
        check("<think>\nwell</think>\ndef", None);
    }
}
