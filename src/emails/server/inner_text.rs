//! What HTML says, as text: as a browser's `innerText` gives it (HTML Standard, section 3.2.7), but for its style sheets.
//!
//! It is the text of the tree that a browser makes of it: so nothing that is seen is hidden from it, and what is put
//! elsewhere is read where it is seen.

use std::mem;

use html5ever::{QualName, ns};

use super::{
    cited::Cited,
    new_text::Marks,
    nodes::Step,
    tree::{self, Scripts, Taken},
};

/// What HTML says.
pub struct Said {
    /// Lines end with LF, or as it writes out itself; between the cells of a row there is a tab.
    pub text: String,
    /// Which of its lines it quotes, where CR LF and CR end one as LF does.
    pub marks: Marks,
}

/// None where reading it would take too long, with what was taken before.
pub fn of(html: &str, taken: &mut Taken) -> Option<Said> {
    // What shows mail runs no scripts.
    let tree = tree::of(html, Scripts::Off, taken)?;
    let mut page = Page::default();
    tree.walk(|step| page.read(&step));
    Some(Said { text: page.text, marks: page.marks })
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
    /// How many lines of it are at their end.
    lines: usize,
    /// Before the next word.
    gap: Gap,
    /// The open elements whose white space stands as it is.
    preformatted: usize,
    /// How many elements are open whose content is not shown, and within such.
    hidden: usize,
    marks: Marks,
    /// The outermost element that is open and quotes.
    quotation: Option<Quotation>,
}

/// An open element that quotes.
struct Quotation {
    /// Its first line.
    line: usize,
    /// How many elements are open: itself, and within it.
    open: usize,
    /// Whether it is a `Cited::Holder`.
    is_holder: bool,
}

impl Page {
    fn read(&mut self, step: &Step<'_>) {
        match step {
            Step::Start(name, _) if self.hidden > 0 || is_hidden(name) => self.hidden += 1,
            Step::End(_) if self.hidden > 0 => self.hidden -= 1,
            Step::Text(_) if self.hidden > 0 => {}
            Step::Text(text) => self.write(text),
            Step::Start(name, cited) => {
                self.open(*cited);
                // Drawings and formulas have names of their own.
                if name.ns == ns!(html) {
                    self.start(&name.local);
                }
            }
            Step::End(name) => {
                self.close();
                if name.ns == ns!(html) {
                    self.end(&name.local);
                }
            }
        }
    }

    fn open(&mut self, cited: Option<Cited>) {
        let line = self.next_line();
        match (&mut self.quotation, cited) {
            // What stands behind the quotation in it was written below.
            (Some(quotation), Some(Cited::Quotation)) if quotation.is_holder => {
                (quotation.open, quotation.is_holder) = (1, false);
            }
            (Some(quotation), _) => quotation.open += 1,
            (None, Some(Cited::Header)) => self.marks.header = self.marks.header.or(Some(line)),
            (None, Some(cited)) => {
                self.quotation = Some(Quotation { line, open: 1, is_holder: cited == Cited::Holder });
            }
            (None, None) => {}
        }
    }

    fn close(&mut self) {
        let end = self.next_line();
        if let Some(quotation) = &mut self.quotation {
            quotation.open -= 1;
            if quotation.open == 0 {
                self.marks.quotations.push(quotation.line..end);
                self.quotation = None;
            }
        }
    }

    /// The line on which a block stands that begins here.
    fn next_line(&self) -> usize {
        self.lines + usize::from(!self.text.is_empty() && !self.text.ends_with(['\n', '\r']))
    }

    fn start(&mut self, name: &str) {
        if name == "br" {
            self.end_line();
        }
        self.lay_out(name);
        self.preformatted += usize::from(PREFORMATTED.contains(&name));
    }

    fn end(&mut self, name: &str) {
        self.lay_out(name);
        self.preformatted -= usize::from(PREFORMATTED.contains(&name));
    }

    /// What an element does to the text around it, at its start and at its end.
    fn lay_out(&mut self, name: &str) {
        match name {
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
            self.break_line();
        }
    }

    fn break_line(&mut self) {
        self.add("\n");
    }

    /// Adds a text as it stands, which may have ends of lines.
    fn add(&mut self, text: &str) {
        // A CR is the end of a line, and an LF behind it belongs to the same one.
        let is_behind_cr = text.starts_with('\n') && self.text.ends_with('\r');
        let same = text.matches("\r\n").count() + usize::from(is_behind_cr);
        self.lines += text.matches(['\r', '\n']).count() - same;
        self.text.push_str(text);
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
            Gap::Line if !is_at_start => self.break_line(),
            Gap::Paragraph => {
                while !self.text.ends_with("\n\n") {
                    self.break_line();
                }
            }
            Gap::None | Gap::Space | Gap::Cell | Gap::Line => {}
        }
    }

    fn write(&mut self, text: &str) {
        if self.preformatted > 0 {
            self.close_gap();
            self.add(text);
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

/// Those whose content nobody sees, here neither (`html`). What a drawing says of itself no browser shows, but ammonia may
/// leave it for people to read: so it is read.
fn is_hidden(name: &QualName) -> bool {
    let local: &str = &name.local;
    if name.ns == ns!(html) {
        matches!(local, "script" | "style" | "template" | "title" | "iframe" | "noembed" | "noframes")
    } else {
        name.ns == ns!(svg) && matches!(local, "script" | "style" | "title")
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

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample};

    use super::*;
    use crate::emails::server::mime;

    fn text(html: &str) -> String {
        of(html, &mut Taken::default()).expect("it is read").text.trim_end().to_owned()
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
            ("<svg><title>t</title><p>Order 1042", "Order 1042"),
            ("<svg><title>t<p>Order 1042", ""),
            (
                "<p>my order 1042</p><svg><title>x</svg><p>order 7, unwanted</p>",
                "my order 1042\n\norder 7, unwanted",
            ),
            (
                "a<svg><style>x</svg>b<svg><title>x</svg>c<svg><desc>d</svg>e<svg><metadata>f</svg>g",
                "abcdefg",
            ),
            ("a<svg><foreignObject><style><!--</style></foreignObject></svg>b", "ab"),
            ("a<template><svg></template><style><!--</style>b", "ab"),
            ("<noscript>un<b></b>wanted</noscript>", "unwanted"),
            ("un<table><tr><td>x</td></tr>wanted</table>", "unwanted\nx"),
            ("<math><![CDATA[1 < 2]]></math>", "1 < 2"),
        ] {
            assert_eq!(text(html), said, "{html}");
        }
    }

    #[test]
    fn what_would_take_too_long_is_not_read() {
        let is_read = |html: &str| of(html, &mut Taken::default()).is_some();
        for part in ["<", "<!--", "&", "x ", "<br>", "<p>x"] {
            assert!(is_read(&part.repeat(50_000)), "{part}");
        }
        for part in ["<div>", "<table><tr><td>", "<svg><title>"] {
            assert!(is_read(&part.repeat(100)), "{part}");
            assert!(!is_read(&part.repeat(50_000)), "{part}");
        }
        let names: String = (0..200_000).map(|n| format!(" a{n}")).collect();
        assert!(!is_read(&format!("<p{names}>x")));
    }

    #[test]
    fn what_is_long_is_read() {
        // A picture within it is long, and a text of many words has no attributes.
        let picture = "iVBORw0KGgoAAAANSUhEUgAAAAUA+AAFCAYAAACNbyblAAAAHElEQVQI12P4/8w38".repeat(40_000);
        assert_eq!(text(&format!("<img src=\"data:image/png;base64,{picture}\">Order 1042")), "Order 1042");
        assert_eq!(text(&format!("<!-- {} -->Order 1042", "not shown ".repeat(20_000))), "Order 1042");
        assert_eq!(text(&"a b ".repeat(100_000)).len(), 399_999);
    }

    #[test]
    fn what_is_quoted_is_told_by_its_lines() {
        for (html, quotation, header) in [
            ("a<blockquote type=cite>b<p>c</blockquote>d", Some((1, 4)), None),
            (
                "<blockquote type=cite>a<blockquote type=cite>b</blockquote>c</blockquote>d",
                Some((0, 3)),
                None,
            ),
            ("<pre>a\nb&#13;c<blockquote type=cite>d\n</blockquote>e", Some((3, 4)), None),
            ("<pre>a&#13;<br>b<blockquote type=cite>c</blockquote>d", Some((2, 3)), None),
            ("<pre>a&#13;<blockquote type=cite>b&#13;</blockquote>c", Some((1, 2)), None),
            (
                "a<div class='x gmail_quote'>b<blockquote class=gmail_quote>c</blockquote>d</div>",
                Some((1, 3)),
                None,
            ),
            ("<div class=gmail_quote>b<br><div>c</div></div>d", Some((0, 2)), None),
            (
                "a<blockquote type=cite><style>b</style></blockquote>c<blockquote>d</blockquote>",
                Some((1, 1)),
                None,
            ),
            ("a<br><br><div id=divRplyFwdMsg>b</div><div id=divRplyFwdMsg>c</div>", None, Some(2)),
            ("<blockquote type=cite>a<div id=divRplyFwdMsg>b", Some((0, 2)), None),
            ("<svg><blockquote type=cite>a</svg>", Some((0, 1)), None),
        ] {
            let Marks { quotations, header: found } =
                of(html, &mut Taken::default()).expect("it is read").marks;
            let lines: Vec<(usize, usize)> =
                quotations.iter().map(|lines| (lines.start, lines.end)).collect();
            let expected: Vec<(usize, usize)> = quotation.into_iter().collect();
            assert_eq!((lines, found), (expected, header), "{html}");
        }
    }

    const ENDS: &[&str] =
        &["a", "&#13;", "\n", "&#10;", "<br>", "<b></b>", "<!-- -->", "<p>", "<div>", "<pre>", "</pre>"];

    /// Pieces of HTML, whole and broken.
    const PARTS: &str = "</?(p|td|pre|svg|title|template|br)/?>|<!--|-->|&#?[a-z0-9]{0,4};?|[ -~\n]{0,4}";

    proptest! {
        #[test]
        fn no_text_stops_it(html in any::<String>(), parts in proptest::collection::vec(PARTS, 0..60)) {
            prop_assert!(of(&html, &mut Taken::default()).is_some());
            prop_assert!(of(&parts.concat(), &mut Taken::default()).is_some());
        }

        #[test]
        fn lines_are_counted_as_they_are_read(parts in proptest::collection::vec(sample::select(ENDS), 0..30)) {
            let tree = tree::of(&parts.concat(), Scripts::Off, &mut Taken::default()).expect("it is read");
            let mut page = Page::default();
            tree.walk(|step| page.read(&step));
            prop_assert_eq!(page.lines, mime::with_lf(&page.text).matches('\n').count());
        }

        #[test]
        fn text_without_tags_comes_back(words in proptest::collection::vec("[^\\s\\x00<&]{1,12}", 0..400)) {
            let said = words.join(" ");
            // A mark at the beginning says how it is encoded.
            let expected = said.strip_prefix('\u{feff}').unwrap_or(&said).trim_start();
            let read = of(&words.join(" \n\t"), &mut Taken::default()).expect("it is read");
            prop_assert_eq!(read.text, expected);
        }
    }
}
