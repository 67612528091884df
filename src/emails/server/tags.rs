//! How deep a stranger's HTML nests, told from its tags alone, in one pass.
//!
//! What builds a tree of HTML takes time in proportion to the square of its depth, and of the attributes of one tag: a
//! hundred kilobytes can be made to last for minutes. So both are counted first, by something that cannot be held up.
//! Where it is not certain that a tag closes another one, it is taken not to: what is counted is never less than what a
//! browser would come to, but for the parts of a table, which stand at most four deep in each.

/// Elements within one another. More is nothing that a person or their program wrote.
const MAX_DEPTH: usize = 256;
/// Of one tag.
const MAX_ATTRIBUTES: usize = 256;

/// Whether a tree of it would grow without measure.
pub fn are_too_deep(html: &str) -> bool {
    let mut open = Open::default();
    let mut rest = html.as_bytes();
    while let Some(at) = rest.iter().position(|&byte| byte == b'<') {
        rest = &rest[at..];
        let Some(next) = rest.get(1) else { break };
        match next {
            b'!' if rest.starts_with(b"<!--") && open.raw.is_some() => {
                // In a script it may hide the script's end.
                open.is_strict |= open.raw.as_deref() == Some(b"script");
                rest = &rest[4..];
            }
            b'!' if rest.starts_with(b"<!--") => rest = after_comment(&rest[4..]),
            b'!' | b'?' => {
                // Within a drawing it ends elsewhere; until that, nothing there is trusted to close anything.
                if rest.starts_with(b"<![CDATA[") {
                    open.is_strict = true;
                }
                rest = after(rest, b">");
            }
            b'/' if rest.get(2).is_some_and(u8::is_ascii_alphabetic) => {
                let tag = Tag::read(&rest[2..]);
                open.end(&tag.name);
                rest = tag.rest;
            }
            b'/' => rest = after(rest, b">"),
            byte if byte.is_ascii_alphabetic() => {
                let tag = Tag::read(&rest[1..]);
                open.start(&tag);
                if tag.attributes > MAX_ATTRIBUTES || open.names.len() > MAX_DEPTH {
                    return true;
                }
                rest = tag.rest;
            }
            _ => rest = &rest[1..],
        }
    }
    false
}

fn after<'a>(text: &'a [u8], end: &[u8]) -> &'a [u8] {
    let at = text.windows(end.len()).position(|found| found == end);
    at.map_or(&[][..], |at| &text[at + end.len()..])
}

/// Behind a comment; `text` begins within it.
fn after_comment(text: &[u8]) -> &[u8] {
    for short in [&b">"[..], b"->"] {
        if let Some(rest) = text.strip_prefix(short) {
            return rest;
        }
    }
    let end = text.windows(3).enumerate().find_map(|(at, found)| match found {
        b"-->" => Some(at + 3),
        b"--!" if text.get(at + 3) == Some(&b'>') => Some(at + 4),
        _ => None,
    });
    end.map_or(&[][..], |end| &text[end..])
}

/// A tag, as a browser's tokenizer reads it.
struct Tag<'a> {
    /// In lower case.
    name: Vec<u8>,
    attributes: usize,
    rest: &'a [u8],
}

impl<'a> Tag<'a> {
    /// `text` begins with the name.
    fn read(text: &'a [u8]) -> Self {
        let ends_name = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>');
        let end = text.iter().position(ends_name).unwrap_or(text.len());
        let (name, mut rest) = text.split_at(end);
        let mut attributes = 0;
        loop {
            let skipped = rest.iter().position(|byte| !byte.is_ascii_whitespace() && *byte != b'/');
            rest = skipped.map_or(&[][..], |at| &rest[at..]);
            match rest.first() {
                None => break,
                Some(b'>') => {
                    rest = &rest[1..];
                    break;
                }
                Some(_) => {
                    attributes += 1;
                    rest = after_attribute(rest);
                }
            }
        }
        Self { name: name.to_ascii_lowercase(), attributes, rest }
    }
}

/// Behind an attribute, which may have a value. A quotation mark quotes only where the value begins.
fn after_attribute(text: &[u8]) -> &[u8] {
    // An equals sign in the first place is a part of the name.
    let ends_name = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>' | b'=');
    let end = text[1..].iter().position(ends_name).map_or(text.len(), |at| at + 1);
    let rest = text[end..].trim_ascii_start();
    let Some(value) = rest.strip_prefix(b"=") else { return rest };
    let value = value.trim_ascii_start();
    match value.first() {
        Some(&quote @ (b'"' | b'\'')) => after(&value[1..], &[quote]),
        _ => {
            let end = value.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'>');
            end.map_or(&[][..], |at| &value[at..])
        }
    }
}

/// The elements that are open at a place.
#[derive(Default)]
struct Open {
    names: Vec<Vec<u8>>,
    /// The element whose content is no HTML, if it is one: only its own end tag is one.
    raw: Option<Vec<u8>>,
    /// There was something with rules of its own, such as a drawing: from there on an element is closed by its own tag
    /// alone, and whatever has a tag counts.
    is_strict: bool,
}

impl Open {
    fn start(&mut self, tag: &Tag<'_>) {
        let name = tag.name.as_slice();
        let is_in = |list: &[&str]| list.iter().any(|other| other.as_bytes() == name);
        if self.raw.is_some() && !self.is_strict {
            return;
        }
        self.is_strict |= is_in(&["svg", "math", "template", "select", "frameset"]);
        if is_in(&["html", "head", "body", "br", "embed", "hr", "img", "meta"]) {
            return;
        }
        if !self.is_strict {
            if is_in(&VOID) || is_in(&["tr", "tbody", "thead", "tfoot", "colgroup", "option"]) {
                if is_in(&["tr", "tbody", "thead", "tfoot"]) {
                    self.close(|open| matches!(open, b"td" | b"th"), |open| open == b"table");
                }
                return;
            }
            if is_in(&ENDS_PARAGRAPH) {
                self.close(|open| open == b"p", |open| is_boundary(open) || open == b"button");
            }
            match name {
                b"li" => self.close(
                    |open| open == b"li",
                    |open| is_special(open) && !matches!(open, b"address" | b"div" | b"p"),
                ),
                b"td" | b"th" => self.close(|open| matches!(open, b"td" | b"th"), |open| open == b"table"),
                b"a" => self.close(|open| open == b"a", is_special),
                _ => {}
            }
        }
        if self.raw.is_none() && is_in(&RAW) {
            self.raw = Some(name.to_vec());
        }
        self.names.push(name.to_vec());
    }

    fn end(&mut self, name: &[u8]) {
        if let Some(raw) = &self.raw {
            if raw != name {
                return;
            }
            self.raw = None;
        }
        if self.is_strict {
            self.names.pop_if(|open| open == name);
            return;
        }
        match name {
            b"tr" => self.close(|open| matches!(open, b"td" | b"th"), |open| open == b"table"),
            b"table" => {
                let Some(at) = self.names.iter().rposition(|open| open == b"table") else { return };
                let inside = self.names.split_off(at);
                let is_gone =
                    |open: &[u8]| matches!(open, b"table" | b"caption" | b"td" | b"th" | b"p" | b"li");
                self.names.extend(inside.into_iter().filter(|open| !is_gone(open)));
            }
            b"td" | b"th" | b"caption" => self.close(|open| open == name, |open| open == b"table"),
            _ if is_closed_through_others(name) => self.close(|open| open == name, is_boundary),
            _ => self.close(|open| open == name, is_special),
        }
    }

    /// Closes the innermost one that is such, unless one that keeps it open is inside it. What else is inside it stays:
    /// some of it is opened anew at once.
    fn close(&mut self, is_it: impl Fn(&[u8]) -> bool, keeps: impl Fn(&[u8]) -> bool) {
        let found = self.names.iter().enumerate().rev().find(|(_, open)| is_it(open) || keeps(open));
        if let Some((at, open)) = found
            && is_it(open)
        {
            // But for what ends without a tag of its own.
            let is_block = is_special(open);
            let stays = |open: &Vec<u8>| !is_block || !matches!(open.as_slice(), b"p" | b"li");
            let inside = self.names.split_off(at);
            self.names.extend(inside.into_iter().skip(1).filter(stays));
        }
    }
}

/// Those that have no content, other than in a drawing.
const VOID: [&str; 14] = [
    "area", "base", "basefont", "bgsound", "col", "frame", "image", "input", "keygen", "link", "param",
    "source", "track", "wbr",
];

/// Those whose content is text, other than in a drawing.
const RAW: [&str; 10] =
    ["iframe", "noembed", "noframes", "noscript", "plaintext", "script", "style", "textarea", "title", "xmp"];

/// Those before which a paragraph ends by itself.
const ENDS_PARAGRAPH: [&str; 33] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "center",
    "dd",
    "details",
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
    "li",
    "main",
    "menu",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "ul",
];

/// What an end tag does not reach through.
fn is_boundary(name: &[u8]) -> bool {
    matches!(name, b"applet" | b"caption" | b"marquee" | b"object" | b"table" | b"td" | b"th")
}

/// Those whose end tag closes what is still open in them.
fn is_closed_through_others(name: &[u8]) -> bool {
    matches!(
        name,
        b"address"
            | b"article"
            | b"aside"
            | b"blockquote"
            | b"center"
            | b"dd"
            | b"dir"
            | b"div"
            | b"dl"
            | b"dt"
            | b"fieldset"
            | b"figcaption"
            | b"figure"
            | b"footer"
            | b"h1"
            | b"h2"
            | b"h3"
            | b"h4"
            | b"h5"
            | b"h6"
            | b"header"
            | b"main"
            | b"nav"
            | b"ol"
            | b"pre"
            | b"section"
            | b"ul"
    )
}

/// Those that the end tag of an element of running text does not reach through.
fn is_special(name: &[u8]) -> bool {
    is_boundary(name)
        || is_closed_through_others(name)
        || matches!(
            name,
            b"button"
                | b"details"
                | b"form"
                | b"hgroup"
                | b"iframe"
                | b"li"
                | b"listing"
                | b"menu"
                | b"noembed"
                | b"noframes"
                | b"noscript"
                | b"p"
                | b"plaintext"
                | b"script"
                | b"search"
                | b"style"
                | b"summary"
                | b"textarea"
                | b"title"
                | b"xmp"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nests_without_end_is_told() {
        for part in [
            "<div>",
            "<DIV\n class='a>b'>",
            "<b>",
            "<font size=1><p>",
            "<div></b>",
            "<span><div></span></div>",
            "<span><p></span></p>",
            "<b><b><b><b></b></b></b><div></b></div>",
            "<div><!-- > </div> -->",
            "<div><!-- --!></x><!-- </div> -->",
            "<div><style></div></style>",
            "<div><svg><style><!--</style></div>-->",
            "<div><script><!--<script></script></div>-->",
            "<div title=\"</div>\">",
            "<div a='x'b=\"</div>\">",
            "<div \"a>\">",
            "<table><tr><td>",
            "<table><b><td></b></td></table>",
            "<div><table><td></div>",
            "<li><dd>",
            "<svg><image>",
            "<svg><td><b></td></svg>",
            "<ul><li>",
            "<div><?x </div>",
        ] {
            assert!(are_too_deep(&part.repeat(400)), "{part}");
        }
        let attributes: String = (0..300).map(|n| format!(" a{n}")).collect();
        assert!(are_too_deep(&format!("<p{attributes}>")));
    }

    #[test]
    fn what_people_write_is_not() {
        for part in [
            "<p>",
            "<p>Hello<br><img src=x><hr>",
            "<li>one",
            "<div><p>one<p>two</div>",
            "<table><tr><td>a<td>b<tr><td><p>c</table>",
            "<table><tbody><tr><td><b>x</b></td></tr></tbody></table>",
            "<b><i>x</b></i>",
            "<a name=x><a href=y>z</a>",
            "<div><center></div></center>",
            "<!-- <div> -->",
            "<![if !mso]><div></div><![endif]>",
            "<o:p></o:p><span lang=EN>x</span>",
            "<html><head></head><body>x</body></html>",
            "<h1>x</h1><ul><li>a</li><li>b</ul>",
            "a < b <3 </> <",
            "<p/><br/>",
        ] {
            assert!(!are_too_deep(&part.repeat(2_000)), "{part}");
        }
        let sheet = format!("<style><!-- {} --></style>", "p > a { color: red }".repeat(400));
        assert!(!are_too_deep(&sheet));
        assert!(!are_too_deep(&format!("{}{}", "<div>".repeat(200), "</div>".repeat(200))));
    }

    #[test]
    fn it_takes_one_pass_whatever_it_reads() {
        for part in ["<", "<!--", "<a ", "</", "<p", "<x a=\"", "<![CDATA["] {
            are_too_deep(&part.repeat(500_000));
        }
    }
}
