//! What is left out of a text. Pure.

/// Ranges that are left out, in order.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    all: Vec<Gap>,
    /// The last comment that has lines of its own.
    comment: Option<Comment>,
}

#[derive(Debug, Clone, Copy)]
struct Gap {
    from: usize,
    to: usize,
    leaves: Leaves,
}

/// What stays where something is left out, beside its line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaves {
    Nothing,
    /// An empty comment over all of its lines.
    Comment,
}

/// Lines of comments, one below the other.
#[derive(Debug, Clone, Copy)]
struct Comment {
    from: usize,
    to: usize,
}

impl Gaps {
    /// Adds a range behind all others.
    pub fn add(&mut self, from: usize, to: usize) {
        self.push(from, to, Leaves::Nothing);
    }

    /// Adds a range that may hold the last ones.
    pub fn replace(&mut self, from: usize, to: usize) {
        self.drop_from(from);
        self.add(from, to);
    }

    /// Adds a `//` comment that has a line of its own. One comment is parsed
    /// faster than one for each line.
    pub fn comment(&mut self, text: &[u8], from: usize, to: usize) {
        let above = self.comment.filter(|above| {
            let between = &text[above.to..from];
            between.iter().filter(|byte| **byte == b'\n').count() == 1
                && between.iter().all(u8::is_ascii_whitespace)
        });
        let start = above.map_or(from, |above| above.from);
        match above {
            Some(_) => {
                self.drop_from(start);
                self.push(start, to, Leaves::Comment);
            }
            None => self.add(from + 2, to),
        }
        self.comment = Some(Comment { from: start, to });
    }

    fn drop_from(&mut self, from: usize) {
        while self.all.last().is_some_and(|other| other.from >= from) {
            self.all.pop();
        }
    }

    fn push(&mut self, from: usize, to: usize, leaves: Leaves) {
        if from < to {
            self.all.push(Gap { from, to, leaves });
        }
    }

    /// The text without them.
    pub fn cut(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() / 2);
        let mut at = 0;
        for &Gap { from, to, leaves } in &self.all {
            out.push_str(&text[at..from]);
            let (begin, end) = match leaves {
                Leaves::Nothing => ("", ""),
                Leaves::Comment => ("/*", "*/"),
            };
            out.push_str(begin);
            let lines = memchr::memchr_iter(b'\n', &text.as_bytes()[from..to]).count();
            out.extend(std::iter::repeat_n('\n', lines));
            out.push_str(end);
            at = to;
        }
        out.push_str(&text[at..]);
        out
    }
}
