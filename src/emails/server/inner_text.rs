//! What HTML says, as text: as a browser's `innerText` gives it (HTML Standard, section 3.2.7), but for its style sheets.
//!
//! It is read tag by tag, as browsers do, and no tree is made of it: so it takes time in proportion to its length
//! however deep it nests.

use std::{cell::RefCell, mem};

use html5ever::tokenizer::{Tag, TagKind, Token, TokenSink, TokenSinkResult, states::RawKind};

use super::tags;

/// What the HTML says. Lines end with LF alone; between the cells of a row there is a tab. None where reading it would
/// take too long.
pub fn of(html: &str) -> Option<String> {
    let reader = tags::read(Reader::default(), html, |_| true)?;
    Some(reader.0.into_inner().text)
}

#[derive(Default)]
struct Reader(RefCell<Page>);

impl TokenSink for Reader {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut page = self.0.borrow_mut();
        match token {
            Token::CharacterTokens(text) => page.write(&text),
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => return page.start(&tag),
            Token::TagToken(tag) => page.end(&tag.name),
            Token::DoctypeToken(_)
            | Token::CommentToken(_)
            | Token::NullCharacterToken
            | Token::EOFToken
            | Token::ParseError(_) => {}
        }
        TokenSinkResult::Continue
    }

    fn adjusted_current_node_present_but_not_in_html_namespace(&self) -> bool {
        self.0.borrow().drawings > 0
    }
}

/// What stands between two words; the wider one counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    #[default]
    None,
    Space,
    Cell,
    Line,
    /// An empty line.
    Paragraph,
}

/// What was read so far.
#[derive(Default)]
struct Page {
    text: String,
    /// Before the next word.
    gap: Gap,
    /// The open elements whose white space stands as it is.
    preformatted: usize,
    /// The open drawings and formulas, which have rules of their own.
    drawings: usize,
    /// The open element whose content is not shown, and how many of its name are open.
    hidden: Option<(String, usize)>,
}

impl Page {
    fn start(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        let name: &str = &tag.name;
        if self.drawings > 0 && ENDS_DRAWING.contains(&name) {
            self.drawings = 0;
            self.hidden = None;
        }
        let is_drawn = self.drawings > 0;
        let is_empty = is_drawn && tag.self_closing;
        match &mut self.hidden {
            Some((hidden, depth)) => *depth += usize::from(hidden.as_str() == name && !is_empty),
            None if is_hidden(name, is_drawn) && !is_empty => self.hidden = Some((name.to_owned(), 1)),
            None => self.lay_out(name),
        }
        if matches!(name, "svg" | "math") {
            self.drawings += usize::from(!tag.self_closing);
        }
        if is_drawn {
            return TokenSinkResult::Continue;
        }
        self.preformatted += usize::from(PREFORMATTED.contains(&name));
        match name {
            "title" | "textarea" => TokenSinkResult::RawData(RawKind::Rcdata),
            "style" | "xmp" | "iframe" | "noembed" | "noframes" => TokenSinkResult::RawData(RawKind::Rawtext),
            "script" => TokenSinkResult::RawData(RawKind::ScriptData),
            "plaintext" => TokenSinkResult::Plaintext,
            _ => TokenSinkResult::Continue,
        }
    }

    fn end(&mut self, name: &str) {
        match &mut self.hidden {
            Some((hidden, depth)) if hidden.as_str() == name => {
                *depth -= 1;
                if *depth == 0 {
                    self.hidden = None;
                }
            }
            Some(_) => {}
            None => self.lay_out(name),
        }
        if matches!(name, "svg" | "math") {
            self.drawings = self.drawings.saturating_sub(1);
        }
        if PREFORMATTED.contains(&name) {
            self.preformatted = self.preformatted.saturating_sub(1);
        }
    }

    /// What a tag does to the text around it, be it a start or an end.
    fn lay_out(&mut self, name: &str) {
        match name {
            "br" => self.end_line(),
            "p" => self.widen(Gap::Paragraph),
            "td" | "th" => self.widen(Gap::Cell),
            _ if BLOCKS.contains(&name) => self.widen(Gap::Line),
            _ => {}
        }
    }

    fn widen(&mut self, gap: Gap) {
        self.gap = self.gap.max(gap);
    }

    fn end_line(&mut self) {
        if self.gap < Gap::Line {
            self.gap = Gap::None;
        }
        self.close_gap();
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    fn close_gap(&mut self) {
        let gap = mem::take(&mut self.gap);
        if self.text.is_empty() {
            return;
        }
        let is_at_start = self.text.ends_with('\n');
        match gap {
            Gap::Space if !is_at_start => self.text.push(' '),
            Gap::Cell if !is_at_start => self.text.push('\t'),
            Gap::Line if !is_at_start => self.text.push('\n'),
            Gap::Paragraph => {
                while !self.text.ends_with("\n\n") {
                    self.text.push('\n');
                }
            }
            Gap::None | Gap::Space | Gap::Cell | Gap::Line => {}
        }
    }

    fn write(&mut self, text: &str) {
        if self.hidden.is_some() {
            return;
        }
        if self.preformatted > 0 {
            self.close_gap();
            self.text.push_str(text);
            return;
        }
        for piece in text.split_inclusive(|character: char| character.is_ascii_whitespace()) {
            let word = piece.trim_end_matches(|character: char| character.is_ascii_whitespace());
            if !word.is_empty() {
                self.close_gap();
                self.text.push_str(word);
            }
            if word.len() < piece.len() {
                self.widen(Gap::Space);
            }
        }
    }
}

/// Those whose content nobody sees.
fn is_hidden(name: &str, is_drawn: bool) -> bool {
    match name {
        "script" | "style" | "template" | "title" => true,
        "iframe" | "noembed" | "noframes" => !is_drawn,
        "desc" | "metadata" => is_drawn,
        _ => false,
    }
}

/// Those whose white space stands as it is.
const PREFORMATTED: [&str; 5] = ["listing", "plaintext", "pre", "textarea", "xmp"];

/// Those that stand on lines of their own (HTML Standard, section 15.3).
const BLOCKS: [&str; 52] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "caption",
    "center",
    "dd",
    "details",
    "dialog",
    "dir",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hgroup",
    "hr",
    "html",
    "legend",
    "li",
    "listing",
    "main",
    "menu",
    "nav",
    "ol",
    "optgroup",
    "option",
    "plaintext",
    "pre",
    "search",
    "section",
    "select",
    "summary",
    "table",
    "tbody",
    "textarea",
    "tfoot",
    "thead",
    "tr",
    "ul",
    "xmp",
];

/// Those that stand in no drawing: one that is still open ends before them (HTML Standard, section 13.2.6.5).
const ENDS_DRAWING: [&str; 44] = [
    "b",
    "big",
    "blockquote",
    "body",
    "br",
    "center",
    "code",
    "dd",
    "div",
    "dl",
    "dt",
    "em",
    "embed",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "hr",
    "i",
    "img",
    "li",
    "listing",
    "menu",
    "meta",
    "nobr",
    "ol",
    "p",
    "pre",
    "ruby",
    "s",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "sup",
    "table",
    "tt",
    "u",
    "ul",
    "var",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(html: &str) -> String {
        of(html).expect("it is read").trim_end().to_owned()
    }

    #[test]
    fn words_of_neighbouring_blocks_stay_apart() {
        for (html, said) in [
            ("<div>Order 1042</div><div>2 pieces</div>", "Order 1042\n2 pieces"),
            ("<table><tr><td>Order number</td><td>1042</td><td>3</td></tr></table>", "Order number\t1042\t3"),
            ("<table><tr><th>a<th>b<tr><td>1<td>2</table>c", "a\tb\n1\t2\nc"),
            ("<td><p>Order</p></td><td><p>1042</p></td>", "Order\n\n1042"),
            ("Order 1042<br clear=\"all\">2 pieces", "Order 1042\n2 pieces"),
            ("Order 1042<BR/>2<br\n>pieces", "Order 1042\n2\npieces"),
            ("a<br><br>b", "a\n\nb"),
            ("<div>a<br></div><div>b</div>", "a\nb"),
            ("<div>a</div><div><br></div><div>b</div>", "a\n\nb"),
            ("<p>Hello,</p>\n<p>my order</p><ul><li>1042<li>1043</ul>", "Hello,\n\nmy order\n\n1042\n1043"),
            ("1042<hr>2", "1042\n2"),
            ("Or<b>der</b> <i> 10</i>42", "Order 1042"),
            ("a<!-- x -->b<wbr>c<img src=x>d", "abcd"),
        ] {
            assert_eq!(text(html), said, "{html}");
        }
    }

    #[test]
    fn it_is_read_as_a_browser_reads_it() {
        for (html, said) in [
            ("<html><head><title>t</title><body>Order 1042", "Order 1042"),
            ("<!---- header ----->Order 1042", "Order 1042"),
            ("<!--- -->Order<!--> 1042<!-- --!>, 3<!-- a > b -->", "Order 1042, 3"),
            ("<![if !mso]>Order<![endif]> <?xml x?>1042<!-- [if mso]>2<![endif]-->", "Order 1042"),
            ("<style type=\"text/css\">p{color:red}</style>Order 1042", "Order 1042"),
            ("<style><!-- </style>Order 1042<script>'<b>'</script> !", "Order 1042 !"),
            ("<template><p>a<template>b</template>c</template>Order 1042", "Order 1042"),
            ("<noscript>Order 1042</noscript><iframe>no</iframe>", "Order 1042"),
            (
                "Order&nbsp;1042 &lt;b&gt; &amp;amp; &#8364;&#x20;5 &eacute;&copy 2",
                "Order\u{a0}1042 <b> &amp; € 5 é© 2",
            ),
            ("1 < 2 > 0 & 3 </> <3", "1 < 2 > 0 & 3 <3"),
            ("<a title=\"</a> > x\">Order</a> 1042", "Order 1042"),
            ("  Order \r\n\t 1042\n", "Order 1042"),
            ("x<pre>  a\n   b</pre>y  z", "x\n  a\n   b\ny z"),
            ("<textarea>a <b>\nc</textarea>", "a <b>\nc"),
            ("<svg><title>t</title><style>x<!--</style>--></style><text>a</text></svg>b", "ab"),
            ("<svg><style/><text>a</text><p>Order 1042", "a\n\nOrder 1042"),
            ("<svg><title>t<p>Order 1042", "Order 1042"),
            ("<math><![CDATA[1 < 2]]></math>", "1 < 2"),
        ] {
            assert_eq!(text(html), said, "{html}");
        }
    }

    #[test]
    fn it_takes_one_pass_however_deep_it_nests_and_however_long_its_tags_are() {
        for part in ["<div>", "<b><p>", "<table><tr><td>", "<", "<!--", "&", "<svg><title>", "x "] {
            assert!(of(&part.repeat(50_000)).is_some(), "{part}");
        }
        let names: String = (0..200_000).map(|n| format!(" a{n}")).collect();
        assert_eq!(of(&format!("<p{names}>x")), None);
        // A picture within it is long, and a text of many words has no attributes.
        let picture = "iVBORw0KGgoAAAANSUhEUgAAAAUA+AAFCAYAAACNbyblAAAAHElEQVQI12P4/8w38".repeat(10_000);
        assert_eq!(text(&format!("<img src=\"data:image/png;base64,{picture}\">Order 1042")), "Order 1042");
        assert_eq!(text(&"a b ".repeat(100_000)).len(), 399_999);
    }

    /// Pieces of HTML, whole and broken.
    const PARTS: &str = "</?(p|td|pre|svg|title|template|br)/?>|<!--|-->|&#?[a-z0-9]{0,4};?|[ -~\n]{0,4}";

    proptest! {
        #[test]
        fn no_text_stops_it(html in any::<String>(), parts in proptest::collection::vec(PARTS, 0..60)) {
            prop_assert!(of(&html).is_some());
            prop_assert!(of(&parts.concat()).is_some());
        }

        #[test]
        fn text_without_tags_comes_back(words in proptest::collection::vec("[^\\s\\x00<&]{1,12}", 0..400)) {
            let said = words.join(" ");
            // A mark at the beginning says how it is encoded.
            let expected = said.strip_prefix('\u{feff}').unwrap_or(&said).trim_start();
            let read = of(&words.join(" \n\t")).expect("it is read");
            prop_assert_eq!(read, expected);
        }
    }
}
