//! Vectors that depend on the words of a text: the same words give near
//! vectors, whatever their order; no model is involved.

use sha2::{Digest, Sha256};

/// Length of a vector if the script gives none: that of `nomic-embed-text`.
pub const DIMENSIONS_DEFAULT: usize = 768;

/// Task prefixes that tell the real model what a text is for; they say nothing
/// about what the text says.
const PREFIXES: &[&str] = &[
    "search_query:",
    "search_document:",
    "clustering:",
    "classification:",
];

/// Places that each word adds to, so that two words rarely share all of them.
const PLACES_PER_WORD: usize = 4;

/// A vector of unit length. Words are runs of letters and digits, without case;
/// names are also taken apart at `_` and at humps.
pub fn embed(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = vec![0.0_f32; dimensions.max(1)];
    let body = text.trim_start();
    let body = PREFIXES
        .iter()
        .find_map(|prefix| body.strip_prefix(prefix))
        .unwrap_or(body);
    let mut words = words(body);
    words.sort_unstable();
    for same in words.chunk_by(|left, right| left == right) {
        // A word said often counts more, but less than each time anew.
        let weight = (same.len() as f32).sqrt();
        let digest = Sha256::digest(same[0].as_bytes());
        for place in digest.chunks_exact(8).take(PLACES_PER_WORD) {
            let number = place
                .iter()
                .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
            let sign = if number >> 63 == 0 { weight } else { -weight };
            let index = (number % vector.len() as u64) as usize;
            vector[index] += sign;
        }
    }
    let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if norm > 0.0 {
        vector.iter_mut().for_each(|value| *value /= norm);
    } else {
        vector[0] = 1.0;
    }
    vector
}

fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for run in text.split(|character: char| !character.is_alphanumeric()) {
        let mut word = String::new();
        let mut was_lower = false;
        for character in run.chars() {
            if was_lower && character.is_uppercase() {
                words.push(std::mem::take(&mut word));
            }
            was_lower = character.is_lowercase();
            word.extend(character.to_lowercase());
        }
        if !word.is_empty() {
            words.push(word);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cosine(left: &str, right: &str) -> f32 {
        let (left, right) = (embed(left, DIMENSIONS_DEFAULT), embed(right, DIMENSIONS_DEFAULT));
        left.iter().zip(&right).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn words_of_names() {
        assert_eq!(
            words("parseHTTP user_id, 2x"),
            ["parse", "http", "user", "id", "2x"]
        );
    }

    #[test]
    fn similar_texts_are_near() {
        assert!(cosine("add a user", "search_query: User: ADD a") > 0.999);
        assert!(cosine("add a user to the list", "add a user to a group") > 0.5);
        assert!(cosine("add a user", "quick brown fox").abs() < 0.3);
    }

    #[test]
    fn unit_length() {
        for text in ["", "one", "one two two three"] {
            let norm: f32 = embed(text, 64).iter().map(|value| value * value).sum();
            assert!((norm - 1.0).abs() < 1e-5, "{text:?}: {norm}");
        }
    }
}
