//! A stranger's HTML, read tag by tag, as browsers do.
//!
//! The names of one tag's attributes are compared with one another, so a megabyte can be made to last for hours. What
//! reads them cannot be interrupted: so it is given a piece at a time, and no more where it would take too long.

use std::{cell::Cell, cmp::Reverse};

use html5ever::{
    TokenizerResult,
    tendril::StrTendril,
    tokenizer::{BufferQueue, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts},
};

/// It is read in pieces of so many bytes.
const PIECE: usize = 512;
/// Says how text is encoded, and is passed by where a piece begins with it.
const MARK: char = '\u{feff}';
/// Comparisons of attributes' names. Some 23,000 attributes of one tag come to so many.
const MAX_COMPARED: usize = 1 << 28;

/// Gives what the HTML is made of to `sink`, which says how it goes on behind a tag. After each piece `goes_on` is
/// asked. None where that says no, or where reading it would take too long. `compared` is how many comparisons came
/// before, of HTML that belongs to the same message; those of this come to it.
pub fn read<S: TokenSink>(
    sink: S,
    html: &str,
    compared: &mut usize,
    goes_on: impl Fn(&S) -> bool,
) -> Option<S> {
    let reader = Tokenizer::new(Noting { sink, has_gone_on: Cell::new(false) }, TokenizerOpts::default());
    let input = BufferQueue::default();
    let mut guesses = Guesses::default();
    let mut rest = html;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(end_of_piece(rest));
        rest = after;
        input.push_back(StrTendril::from_slice(piece));
        // Neither a script nor another encoding is waited for.
        while !matches!(reader.feed(&input), TokenizerResult::Done) {}
        if reader.sink.has_gone_on.take() {
            // What is open now began in this piece.
            guesses.0.clear();
        }
        let before = guesses.names();
        piece.bytes().for_each(|byte| guesses.read(byte));
        let names = guesses.names();
        *compared += names.saturating_sub(before) * names;
        if *compared > MAX_COMPARED || !goes_on(&reader.sink.sink) {
            return None;
        }
    }
    reader.end();
    Some(reader.sink.sink)
}

/// Where the next piece ends. None but the first begins with a mark: it would be read differently from the whole.
fn end_of_piece(rest: &str) -> usize {
    let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE));
    piece.len() + after.len() - after.trim_start_matches(MARK).len()
}

/// The tags that may be open. Where one begins cannot be asked: within a comment, or a value, there may be something
/// that looks the same. So each that looks like one is followed to where it would end; no two are in the same place.
#[derive(Default)]
struct Guesses(Vec<Guess>);

struct Guess {
    place: Place,
    /// How many attributes have begun.
    names: usize,
}

/// Where in a tag it is (HTML Standard, sections 13.2.5.6 to 13.2.5.40).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// Behind its `<`, and behind the `/` of one that ends something.
    Open,
    End,
    TagName,
    BeforeName,
    Name,
    AfterName,
    BeforeValue,
    DoubleQuoted,
    SingleQuoted,
    Unquoted,
}

impl Guesses {
    /// How many attributes the open tag has at most.
    fn names(&self) -> usize {
        self.0.iter().map(|guess| guess.names).max().unwrap_or_default()
    }

    fn read(&mut self, byte: u8) {
        self.0.retain_mut(|guess| guess.read(byte));
        if byte == b'<' {
            self.0.push(Guess { place: Place::Open, names: 0 });
            // Of those in the same place the one with the most stands for all.
            self.0.sort_unstable_by_key(|guess| (guess.place, Reverse(guess.names)));
            self.0.dedup_by_key(|guess| guess.place);
        }
    }
}

impl Guess {
    /// Whether it may be a tag, and open still.
    fn read(&mut self, byte: u8) -> bool {
        let is_blank = byte.is_ascii_whitespace();
        self.place = match (self.place, byte) {
            (Place::Open, b'/') => Place::End,
            (Place::Open | Place::End, _) if byte.is_ascii_alphabetic() => Place::TagName,
            (Place::Open | Place::End, _) => return false,
            (Place::DoubleQuoted, b'"') | (Place::SingleQuoted, b'\'') => Place::BeforeName,
            (Place::DoubleQuoted | Place::SingleQuoted, _) => return true,
            (_, b'>') => return false,
            (Place::BeforeValue, _) if is_blank => return true,
            (Place::BeforeValue, b'"') => Place::DoubleQuoted,
            (Place::BeforeValue, b'\'') => Place::SingleQuoted,
            (Place::BeforeValue, _) => Place::Unquoted,
            (Place::Unquoted | Place::TagName, _) if is_blank => Place::BeforeName,
            (Place::Unquoted, _) => return true,
            (Place::TagName | Place::Name | Place::BeforeName | Place::AfterName, b'/') => Place::BeforeName,
            (Place::Name | Place::AfterName, b'=') => Place::BeforeValue,
            (Place::Name, _) if is_blank => Place::AfterName,
            (Place::TagName | Place::Name, _) => return true,
            (Place::BeforeName | Place::AfterName, _) if is_blank => return true,
            (Place::BeforeName | Place::AfterName, _) => {
                self.names += 1;
                Place::Name
            }
        };
        true
    }
}

/// Notes whether something came to its end since that was last asked.
struct Noting<S> {
    sink: S,
    has_gone_on: Cell<bool>,
}

impl<S: TokenSink> TokenSink for Noting<S> {
    type Handle = S::Handle;

    fn process_token(&self, token: Token, line: u64) -> TokenSinkResult<S::Handle> {
        if !matches!(token, Token::ParseError(_)) {
            self.has_gone_on.set(true);
        }
        self.sink.process_token(token, line)
    }

    fn end(&self) {
        self.sink.end();
    }

    fn adjusted_current_node_present_but_not_in_html_namespace(&self) -> bool {
        self.sink.adjusted_current_node_present_but_not_in_html_namespace()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts tags.
    #[derive(Default)]
    struct Tags(Cell<usize>);

    impl TokenSink for Tags {
        type Handle = ();

        fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
            self.0.set(self.0.get() + usize::from(matches!(token, Token::TagToken(_))));
            TokenSinkResult::Continue
        }
    }

    /// How many tags there are, if it was read to its end, and how many pieces were read.
    fn tags(html: &str) -> (Option<usize>, usize) {
        let pieces = Cell::new(0);
        let read = read(Tags::default(), html, &mut 0, |_| {
            pieces.set(pieces.get() + 1);
            true
        });
        (read.map(|tags| tags.0.get()), pieces.get())
    }

    #[test]
    fn a_tag_of_very_many_attributes_is_read_no_further() {
        // Even quotation marks are names, and what is between them need be no blank.
        let odd = |n: u32| format!("/{n:b}").replace('1', "\"").replace('0', "'");
        let plain = |n: u32| format!(" a{n}");
        // What is quoted, or only looks so, hides none behind it.
        let quoted = |n: u32| format!(" a{n}=\"'<b\"b{n}='\"'c{n}=x\"y'z d{n}'=/\"");
        let lists: [String; 3] = [
            (0..200_000).map(odd).collect(),
            (0..200_000).map(plain).collect(),
            (0..100_000).map(quoted).collect(),
        ];
        for names in lists {
            let html = format!("<b>{}<p{names}>", "x<i>y</i> ".repeat(100));
            let (found, pieces) = tags(&html);
            assert_eq!(found, None);
            assert!(pieces * PIECE < html.len() / 3, "{pieces} pieces of {} bytes", html.len());
        }
    }

    #[test]
    fn all_else_is_read_to_its_end() {
        for part in ["<", "<!--", "&", "<p", "<![CDATA[", "<b> ", "a b "] {
            assert!(tags(&part.repeat(50_000)).0.is_some(), "{part}");
        }
        let few: String = (0..2_000).map(|n| format!(" a{n}")).collect();
        assert_eq!(tags(&format!("<p{few}>").repeat(20)).0, Some(20));
        // A picture within it is long, and so may a comment be.
        let picture = "iVBORw0KGgoAAAANSUhEUgAAAAUA+AAFCAYAAACNbyblAAAAHElEQVQI12P4/8w38".repeat(40_000);
        for quote in ["\"", "'", ""] {
            let image = format!("<img src={quote}data:image/png;base64,{picture}{quote}>x");
            assert_eq!(tags(&image).0, Some(1), "{quote}");
        }
        let words = "<p class='a'> a word ".repeat(10_000);
        assert_eq!(tags(&format!("<!-- {words} -->x")).0, Some(0));
    }

    #[test]
    fn what_was_compared_before_counts() {
        let names: String = (0..16_000).map(|n| format!(" a{n}")).collect();
        let mut compared = 0;
        let pieces = (0..100)
            .take_while(|_| read(Tags::default(), &format!("<p{names}>"), &mut compared, |_| true).is_some());
        assert_eq!(pieces.count(), 2);
    }

    #[test]
    fn where_a_piece_ends_changes_nothing() {
        for before in PIECE - 4..PIECE + 4 {
            // No comment: what stands between its two signs is a character.
            let html = format!("{}<{MARK}!-- <b><i>", "x".repeat(before));
            assert_eq!(tags(&html).0, Some(2), "{before}");
            let html = format!("{}<!-- <b> --><i a='<u>'>&lt;<s>", "x".repeat(before));
            assert_eq!(tags(&html).0, Some(2), "{before}");
        }
    }

    #[test]
    fn who_has_enough_is_given_no_more() {
        let html = "<b>".repeat(10_000);
        assert!(read(Tags::default(), &html, &mut 0, |tags| tags.0.get() < 1_000).is_none());
    }
}
