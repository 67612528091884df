//! A text as numbers: three blocks of features, each weighted by rarity (TF-IDF) and brought to a length of its
//! own, so that a long word does not drown out the rest.
//!
//! - words, neighbours, and neighbours with one word between;
//! - letters: 2 to 5 in a row within a word, its ends marked, which forgives misspelling and inflection;
//! - words that stand near each other in either order.

use std::collections::HashMap;

/// A text is read up to this word; what decides a message stands early in it.
const MAX_WORDS: usize = 1_000;
/// A word is read up to this letter.
const MAX_LETTERS: usize = 40;
/// How far apart, in words, two words may stand to count as near.
const NEAR: usize = 8;
const LETTERS: std::ops::RangeInclusive<usize> = 2..=5;
/// The length that each block is brought to: words, letters, near words. A first guess that did well on CLINC150;
/// not tuned.
const LENGTHS: [f32; 3] = [1.0, 1.0, 0.5];

/// Which of the blocks a feature is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    Words = 0,
    Letters = 1,
    Near = 2,
}

/// One feature where it stands in a text.
#[derive(Clone, Copy, Debug)]
pub struct Occurrence {
    hash: u64,
    block: Block,
    /// The words that it is made of, by their place; twice the same for one word.
    words: [u16; 2],
}

/// Indices in ascending order, with their values.
pub type Sparse = Vec<(u32, f32)>;

/// Which features there are, and how much each weighs. A feature is known by a 64-bit hash: its text is not
/// stored, so a model gives none of the examples away.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vocabulary {
    pub(super) index: HashMap<u64, u32>,
    pub(super) idf: Vec<f32>,
}

/// The words of a text as they stand there.
pub fn raw_words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).take(MAX_WORDS)
}

/// The words of a text as they are compared: lower case, each digit `0`, since that there is a number matters, not
/// which.
pub fn words(text: &str) -> Vec<String> {
    let plain = |c: char| if c.is_numeric() { '0' } else { c };
    raw_words(text)
        .map(|word| word.chars().take(MAX_LETTERS).flat_map(char::to_lowercase).map(plain).collect())
        .collect()
}

/// What texts have in common that differ in their numbers alone, of however many digits these are.
pub fn outline(words: &[String]) -> u64 {
    let mut text = String::new();
    for word in words {
        for c in word.chars() {
            if c != '0' || !text.trim_end().ends_with('0') {
                text.push(c);
            }
        }
        if !text.ends_with(' ') {
            text.push(' ');
        }
    }
    hash(b'o', &[text.as_bytes()])
}

/// FNV-1a.
fn hash(kind: u8, parts: &[&[u8]]) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    let mut eat = |byte: u8| state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    eat(kind);
    for part in parts {
        part.iter().copied().for_each(&mut eat);
        eat(0xff);
    }
    state
}

/// All features of a text, in order, repeated as often as they stand there.
pub fn occurrences(words: &[String]) -> Vec<Occurrence> {
    let mut found = Vec::with_capacity(words.len() * 30);
    let text = |i: usize| words[i].as_bytes();
    let mut padded = String::new();
    let mut starts = Vec::new();
    for i in 0..words.len() {
        let mut add = |hash: u64, block: Block, other: usize| {
            found.push(Occurrence { hash, block, words: [i as u16, other as u16] });
        };
        add(hash(b'w', &[text(i)]), Block::Words, i);
        if i == 0 {
            add(hash(b'b', &[b"^", text(i)]), Block::Words, i);
        }
        if i + 1 == words.len() {
            add(hash(b'b', &[text(i), b"$"]), Block::Words, i);
        } else {
            add(hash(b'b', &[text(i), text(i + 1)]), Block::Words, i + 1);
        }
        if i + 2 < words.len() {
            add(hash(b's', &[text(i), text(i + 2)]), Block::Words, i + 2);
        }
        for j in i + 1..words.len().min(i + 1 + NEAR) {
            let (first, second) = if words[i] <= words[j] { (text(i), text(j)) } else { (text(j), text(i)) };
            if first != second {
                add(hash(b'p', &[first, second]), Block::Near, j);
            }
        }
        padded.clear();
        padded.extend([" ", words[i].as_str(), " "]);
        starts.clear();
        starts.extend(padded.char_indices().map(|(at, _)| at));
        starts.push(padded.len());
        let letters = starts.len() - 1;
        for n in LETTERS {
            for from in 0..=letters.saturating_sub(n) {
                let part = &padded.as_bytes()[starts[from]..starts[(from + n).min(letters)]];
                add(hash(b'c', &[part]), Block::Letters, i);
            }
            if letters <= n {
                break;
            }
        }
    }
    found
}

impl Vocabulary {
    /// What these texts hold, but for what is too rare to teach anything: letters, pairs and neighbours must be
    /// in two texts.
    pub fn of(texts: &[&[Occurrence]]) -> Self {
        let mut counts: HashMap<u64, (u32, Block)> = HashMap::new();
        let mut seen: Vec<(u64, Block)> = Vec::new();
        for text in texts {
            seen.clear();
            seen.extend(text.iter().map(|one| (one.hash, one.block)));
            seen.sort_unstable_by_key(|(hash, _)| *hash);
            seen.dedup_by_key(|(hash, _)| *hash);
            for (hash, block) in &seen {
                counts.entry(*hash).or_insert((0, *block)).0 += 1;
            }
        }
        let mut kept: Vec<(u64, u32)> = counts
            .into_iter()
            .filter(|(_, (count, block))| *block == Block::Words || *count >= 2)
            .map(|(hash, (count, _))| (hash, count))
            .collect();
        // The order of a hash map differs from run to run.
        kept.sort_unstable();
        let all = texts.len() as f32;
        let idf = kept.iter().map(|(_, count)| ((1.0 + all) / (1.0 + *count as f32)).ln() + 1.0).collect();
        let index = (0..).zip(&kept).map(|(i, (hash, _))| (*hash, i)).collect();
        Self { index, idf }
    }

    pub fn len(&self) -> usize {
        self.idf.len()
    }

    pub fn is_empty(&self) -> bool {
        self.idf.is_empty()
    }

    /// The text's known features with their values.
    pub fn vector(&self, text: &[Occurrence]) -> Sparse {
        let mut known: Vec<(u32, Block)> =
            text.iter().filter_map(|one| Some((*self.index.get(&one.hash)?, one.block))).collect();
        known.sort_unstable_by_key(|(index, _)| *index);
        let mut vector = Vec::with_capacity(known.len());
        let mut blocks = Vec::with_capacity(known.len());
        let mut squares = [0.0_f32; 3];
        for run in known.chunk_by(|a, b| a.0 == b.0) {
            let (index, block) = run[0];
            let value = (1.0 + (run.len() as f32).ln()) * self.idf[index as usize];
            squares[block as usize] += value * value;
            vector.push((index, value));
            blocks.push(block);
        }
        for ((_, value), block) in vector.iter_mut().zip(blocks) {
            *value *= LENGTHS[block as usize] / squares[block as usize].sqrt();
        }
        vector
    }

    /// Shares what each feature brings (`brings`, by index) out among the words that it is made of. The shares
    /// add up to the whole.
    pub fn by_word(&self, text: &[Occurrence], words: usize, brings: impl Fn(u32) -> f64) -> Vec<f64> {
        let mut times: HashMap<u32, u32> = HashMap::new();
        let known: Vec<(u32, [u16; 2])> =
            text.iter().filter_map(|one| Some((*self.index.get(&one.hash)?, one.words))).collect();
        for (index, _) in &known {
            *times.entry(*index).or_default() += 1;
        }
        let mut shares = vec![0.0; words];
        for (index, places) in known {
            let share = brings(index) / f64::from(times[&index]) / 2.0;
            for place in places {
                shares[usize::from(place)] += share;
            }
        }
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_words_without_case_digits_or_marks() {
        assert_eq!(words("Order #4711, GRÖSSE straße!"), ["order", "0000", "grösse", "straße"]);
        assert!(words(" \t\n-- ").is_empty());
    }

    #[test]
    fn texts_that_differ_in_numbers_alone_have_the_same_outline() {
        let outline = |text: &str| outline(&words(text));
        let first = outline("Your order 1234 of 3.11.2026 over 1,250.00 EUR was shipped");
        assert_eq!(first, outline("your ORDER 99871 of 30.11.2026, over 9.50 EUR, was shipped."));
        for other in [
            "Your order of 3.11.2026 over 9.50 EUR was shipped",
            "Your order 1234 of 3.11.2026 over 9.50 EUR was lost",
            "",
        ] {
            assert_ne!(first, outline(other), "{other}");
        }
        assert_ne!(outline("a b"), outline("ab"));
    }

    #[test]
    fn each_block_has_the_length_that_it_was_given() {
        let texts: Vec<_> =
            ["send it back", "send it now", "where is it"].map(|t| occurrences(&words(t))).into();
        let vocabulary = Vocabulary::of(&texts.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let square: f32 = vocabulary.vector(&texts[0]).iter().map(|(_, value)| value * value).sum();
        let expected: f32 = LENGTHS.iter().map(|length| length * length).sum();
        assert!((square - expected).abs() < 1e-4, "{square}");
        assert!(vocabulary.vector(&occurrences(&words("xyzzy"))).is_empty());
    }

    #[test]
    fn what_the_words_bring_adds_up_to_the_whole() {
        let list = words("no no it is not it");
        let text = occurrences(&list);
        let vocabulary = Vocabulary::of(&[&text, &text]);
        let vector: HashMap<u32, f32> = vocabulary.vector(&text).into_iter().collect();
        let whole: f64 = vector.values().map(|value| f64::from(*value)).sum();
        let shares = vocabulary.by_word(&text, list.len(), |index| f64::from(vector[&index]));
        assert!((shares.iter().sum::<f64>() - whole).abs() < 1e-6);
    }
}
