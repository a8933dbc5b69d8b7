//! Text in pieces about as large as a model's tokens. Exact, so that counts of
//! prompts and answers can be asserted: the pieces joined are the text.

/// Longest piece, in characters.
const CHARS_MAX: usize = 4;

/// Cuts `text`: a piece is up to four characters, takes the white space in
/// front of a word with it, and does not cross from one word into the next.
pub fn split(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    let mut chars = 0;
    let mut in_word = false;
    for character in text.chars() {
        let space = character.is_whitespace();
        if chars == CHARS_MAX || (space && in_word) {
            pieces.push(std::mem::take(&mut piece));
            chars = 0;
        }
        piece.push(character);
        chars += 1;
        in_word = !space;
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}

/// How many pieces `text` has.
pub fn count(text: &str) -> usize {
    split(text).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces() {
        fn check(text: &str, expect: &[&str]) {
            let pieces = split(text);
            assert_eq!(pieces, expect);
            assert_eq!(pieces.concat(), text);
            assert_eq!(count(text), expect.len());
        }
        check("", &[]);
        check("def", &["def"]);
        check("def add(a, b):", &["def", " add", "(a,", " b):"]);
        check("        x", &["    ", "    ", "x"]);
        check("füße日本語日本", &["füße", "日本語日", "本"]);
        check("a\n\nb", &["a", "\n\nb"]);
    }
}
