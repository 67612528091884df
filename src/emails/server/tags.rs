//! A stranger's HTML, read tag by tag, as browsers do.
//!
//! The names of one tag's attributes are compared with one another, so a megabyte can be made to last for hours. What
//! reads them cannot be interrupted: so it is given a piece at a time, and no more where it would take too long.

use std::cell::Cell;

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
/// asked. None where that says no, or where reading it would take too long.
pub fn read<S: TokenSink>(sink: S, html: &str, goes_on: impl Fn(&S) -> bool) -> Option<S> {
    let reader = Tokenizer::new(Noting { sink, has_gone_on: Cell::new(false) }, TokenizerOpts::default());
    let input = BufferQueue::default();
    let (mut compared, mut names) = (0, 0);
    let mut rest = html;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(end_of_piece(rest));
        rest = after;
        input.push_back(StrTendril::from_slice(piece));
        // Neither a script nor another encoding is waited for.
        while !matches!(reader.feed(&input), TokenizerResult::Done) {}
        let more = possible_attributes(piece);
        if reader.sink.has_gone_on.take() {
            names = more;
        } else {
            // It may be within a tag still.
            compared += more * names;
            names += more;
        }
        if compared > MAX_COMPARED || !goes_on(&reader.sink.sink) {
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

/// How many attributes may begin in the piece, rather too many than too few.
fn possible_attributes(piece: &str) -> usize {
    let is_between = |byte: u8| byte.is_ascii_whitespace() || byte == b'/';
    let mut before = b' ';
    let mut count = 0;
    for byte in piece.bytes() {
        let may_begin = is_between(before) || matches!(before, b'"' | b'\'');
        count += usize::from(may_begin && !is_between(byte));
        before = byte;
    }
    count
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
        let read = read(Tags::default(), html, |_| {
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
        for names in [(0..200_000).map(odd).collect::<String>(), (0..200_000).map(plain).collect()] {
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
        // A picture within it is long.
        let picture = "iVBORw0KGgoAAAANSUhEUgAAAAUA+AAFCAYAAACNbyblAAAAHElEQVQI12P4/8w38".repeat(10_000);
        assert_eq!(tags(&format!("<img src=\"data:image/png;base64,{picture}\">x")).0, Some(1));
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
        assert!(read(Tags::default(), &"<b>".repeat(10_000), |tags| tags.0.get() < 1_000).is_none());
    }
}
