//! What a message says itself: its text without what it quotes of earlier messages.
//!
//! Only of an answer something is left out, and only what programs mark, each mark in its own way: lines that begin with
//! `>`, what its HTML marks (`cited`), and the header of an earlier message, with all that is below it. What is handed on
//! is what the sender hands in, and stays. Whoever sends a message can mark as a quotation what is none: `body` has it all.
//!
//! crates.io has `email_reply_parser` (0.1.2). It reads English alone, and searches the whole text by a pattern that
//! backtracks, so that a message could be made to hold a server up.

use std::ops::Range;

use super::quoting;

/// Which lines of a text its HTML marks. They are counted from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Those of each quotation, in their order.
    pub quotations: Vec<Range<usize>>,
    /// Where the header of an earlier message begins, which stands to the end.
    pub header: Option<usize>,
}

impl Marks {
    /// Adds those of a text that begins on this line.
    pub fn add(&mut self, marks: Self, line: usize) {
        let moved = marks.quotations.into_iter().map(|lines| lines.start + line..lines.end + line);
        self.quotations.extend(moved);
        self.header = self.header.or(marks.header.map(|header| header + line));
    }
}

/// What programs put before the subject of a message that is handed on.
const FORWARD: [&str; 8] = ["fwd", "fw", "wg", "tr", "rv", "i", "doorst", "vb"];
/// And before that of an answer.
const ANSWER: [&str; 6] = ["re", "aw", "antw", "r", "rif", "sv"];
/// Between these stands what servers put before those that come from elsewhere, and desks before their own.
const TAGS: [(char, char); 3] = [('[', ']'), ('(', ')'), ('*', '*')];

/// Whether a message answers an earlier one: by the first of the words that programs put before a subject; else where its
/// header names another message. A forward that its sender gave a subject of its own cannot be told from an answer by that.
pub fn is_answer(subject: &str, names_another: bool) -> bool {
    let mut prefixes = without_tags(subject).split(':');
    // The subject itself.
    prefixes.next_back();
    for prefix in prefixes {
        // Some count: `Re[2]:`.
        let counted = prefix.trim().strip_suffix(']').and_then(|counted| counted.rsplit_once('['));
        let prefix = counted.map_or(prefix, |(prefix, _)| prefix).trim().to_lowercase();
        // Servers mark it in ways of their own, and of a forward nothing is left out: the last word is enough.
        if prefix.split_whitespace().next_back().is_some_and(|word| FORWARD.contains(&word)) {
            return false;
        }
        if ANSWER.contains(&prefix.as_str()) {
            return true;
        }
    }
    names_another
}

fn without_tags(subject: &str) -> &str {
    let mut rest = subject.trim_start();
    while let Some((_, after)) =
        TAGS.iter().find_map(move |(open, close)| rest.strip_prefix(*open)?.split_once(*close))
    {
        rest = after.trim_start();
    }
    rest
}

/// A text of more lines is no person's, and taking it apart would take much memory: all of it counts as new.
const MAX_LINES: usize = 50_000;
/// So many lines above a quotation may say whose it is.
const WHOSE: usize = 3;
/// So many empty ones may stand between.
const GAP: usize = 2;
/// So a line begins with `From ` after what writes mailboxes to files: their messages begin with that word (RFC 4155).
const ESCAPED: &str = ">From ";

/// Of an answer's body, the lines that are no quotation, as they stand there, without white space at their end. All of it
/// where there is nothing else.
pub fn of(body: &str, marks: &Marks) -> String {
    if body.matches('\n').count() >= MAX_LINES {
        return body.to_owned();
    }
    let lines: Vec<&str> = body.split('\n').collect();
    let kept = Sieve::new(&lines).sift(marks);
    if kept.len() == lines.len() {
        return body.to_owned();
    }
    let text = kept.into_iter().map(|at| lines[at]).collect::<Vec<_>>().join("\n");
    if text.trim().is_empty() { body.to_owned() } else { text.trim_end().to_owned() }
}

struct Sieve<'l> {
    lines: &'l [&'l str],
    /// Of each line. A long one is looked through once.
    is_empty: Vec<bool>,
    /// What is no quotation so far: places of lines.
    kept: Vec<usize>,
}

impl<'l> Sieve<'l> {
    fn new(lines: &'l [&'l str]) -> Self {
        let is_empty = lines.iter().map(|line| line.trim().is_empty()).collect();
        Self { lines, is_empty, kept: Vec::new() }
    }

    fn sift(mut self, marks: &Marks) -> Vec<usize> {
        let mut quotations = marks.quotations.iter().peekable();
        // The last line that is a quotation's.
        let mut quoted: Option<usize> = None;
        // Whether it is a quotation that stands above, empty lines aside.
        let mut is_below = false;
        for (at, line) in self.lines.iter().enumerate() {
            while quotations.next_if(|lines| lines.end <= at).is_some() {}
            if self.is_empty[at] {
                // Those around a quotation are not put together.
                if !is_below || self.kept.last().is_some_and(|last| !self.is_empty[*last]) {
                    self.kept.push(at);
                }
                continue;
            }
            let is_cited = quotations.peek().is_some_and(|lines| lines.contains(&at));
            let is_escaped = line.starts_with(ESCAPED) && quoted.is_none_or(|last| last + 1 < at);
            if is_cited || line.starts_with('>') && !is_escaped {
                let said = if is_below { self.kept.len() } else { self.before_whose() };
                // In HTML what is handed on may be marked as a quotation, which nobody introduces.
                if is_cited && !is_below && said == self.kept.len() && quoting::is_forward(line) {
                    self.kept.extend(at..self.lines.len());
                    break;
                }
                self.kept.truncate(said);
                quoted = Some(at);
                is_below = true;
                continue;
            }
            if quoting::is_forward(line) {
                self.kept.extend(at..self.lines.len());
                break;
            }
            let is_header = marks.header.is_some_and(|header| header <= at);
            if is_header || quoting::is_earlier(&self.lines[at..]) {
                self.drop_rule();
                break;
            }
            is_below = false;
            self.kept.push(at);
        }
        self.kept
    }

    /// How many of the lines kept so far stand above those that say whose quotation comes now. All, where none says so.
    fn before_whose(&self) -> usize {
        let gap = self.kept.iter().rev().take(GAP).take_while(|at| self.is_empty[**at]).count();
        let filled = &self.kept[..self.kept.len() - gap];
        let Some(last) = filled.last() else { return self.kept.len() };
        // Between them there is neither an empty line nor another quotation.
        let above = (0..WHOSE).zip(filled.iter().rev());
        let above = above.take_while(|(back, at)| **at + back == *last && !self.is_empty[**at]);
        let above: Vec<&str> = above.map(|(_, at)| self.lines[*at]).collect();
        match quoting::whose(&above) {
            0 => self.kept.len(),
            count => filled.len() - count,
        }
    }

    /// Takes back what only sets off the earlier message.
    fn drop_rule(&mut self) {
        while self.kept.pop_if(|at| self.is_empty[*at] || quoting::is_rule(self.lines[*at])).is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::select};

    use super::*;
    use crate::emails::server::fields;

    fn text(body: &str) -> String {
        of(body, &Marks::default())
    }

    #[test]
    fn what_a_text_quotes_is_left_out() {
        for (body, new) in [
            // Gmail.
            (
                "Yes, please cancel order 1043.\n\nOn Tue, Dec 1, 2026 at 10:00 AM Acme Shop <shop@acme.example> wrote:\n\n\
                 > Your order 1042 has been shipped.\n>\n> Acme",
                "Yes, please cancel order 1043.",
            ),
            (
                "Ja, bitte stornieren.\n\nAm Di., 1. Dez. 2026 um 10:00 Uhr schrieb Acme Shop <\nshop@acme.example>:\n\n\
                 > Ihre Bestellung 1042",
                "Ja, bitte stornieren.",
            ),
            // Apple Mail and iPhones quote the line that says whose it is, and not.
            (
                "Yes.\n\nSent from my iPhone\n\n> On 1 Dec 2026, at 10:00, Acme <shop@acme.example> wrote:\n> \n> Your order",
                "Yes.\n\nSent from my iPhone",
            ),
            ("Ja.\n\n> Am 01.12.2026 um 10:00 schrieb Acme:\n> \n> Ihre Bestellung", "Ja."),
            // Thunderbird: below, and between.
            (
                "Am 01.12.26 um 10:00 schrieb Acme Shop:\n> Ihre Bestellung 1042\n\nBitte 1043 stornieren.\n\n-- \nAnn",
                "Bitte 1043 stornieren.\n\n-- \nAnn",
            ),
            (
                "Hello,\n\nOn 12/1/26 10:00, Acme Shop wrote:\n> Which one?\n\nThe lamp.\n\n> And when?\n\nOn Monday.\n",
                "Hello,\n\nThe lamp.\n\nOn Monday.",
            ),
            ("> one\ntwo\n>> three\nfour", "two\nfour"),
            // Outlook.
            (
                "Yes, cancel 1043.\n\nAnn\n\n-----Original Message-----\nFrom: Acme Shop <shop@acme.example>\n\
                 Sent: Tuesday, December 1, 2026 10:00 AM\nTo: Ann\nSubject: Your order 1042\n\nIt has been shipped.",
                "Yes, cancel 1043.\n\nAnn",
            ),
            (
                "Ja, stornieren.\n\n________________________________\nVon: Acme Shop <shop@acme.example>\n\
                 Gesendet: Dienstag, 1. Dezember 2026 10:00\nAn: Ann\nBetreff: Ihre Bestellung 1042\n\nSie ist unterwegs.",
                "Ja, stornieren.",
            ),
            ("Ja.\n\n-----Ursprüngliche Nachricht-----\nVon: Acme\n\nIhre Bestellung", "Ja."),
            // What is handed on within an answer.
            (
                "See below.\n> q\n---------- Forwarded message ---------\nFrom: Bob\nDate: today\nSubject: x\n\n> all",
                "See below.\n---------- Forwarded message ---------\nFrom: Bob\nDate: today\nSubject: x\n\n> all",
            ),
            (
                "Begin forwarded message:\n\n> From: Bob\n> all",
                "Begin forwarded message:\n\n> From: Bob\n> all",
            ),
            // What is written to a file may be marked like a quotation there.
            (
                ">From Monday on I want no lamps.\n\nOn 1 Dec 2026, at 10:00, Acme wrote:\n> When?\n>From Monday?",
                ">From Monday on I want no lamps.",
            ),
            ("Yes.\n> When?\n\n>From Monday on.", "Yes.\n\n>From Monday on."),
            // What the sender says of it.
            (
                "Ich kündige Vertrag 1043. Frau Meier schrieb am 1.12.2026:\n> Welchen?",
                "Ich kündige Vertrag 1043. Frau Meier schrieb am 1.12.2026:",
            ),
            (
                "On 3 December 2026 I ordered lamp 1043\nBob wrote:\n> Which one?",
                "On 3 December 2026 I ordered lamp 1043\nBob wrote:",
            ),
            (
                "Yes.\n\n    On Tuesday, December 1, 2026 at 10:00:05 AM GMT+1, Acme <shop@acme.example> wrote:  \n \n> Which one?",
                "Yes.",
            ),
            // Yahoo and AOL mark nothing below it, and who writes there does not either: it cannot be told whose it is.
            (
                "Yes.\n\nOn Tuesday, December 1, 2026 at 10:00:05 AM GMT+1, Acme <shop@acme.example> wrote:\n\nWhich one?",
                "Yes.\n\nOn Tuesday, December 1, 2026 at 10:00:05 AM GMT+1, Acme <shop@acme.example> wrote:\n\nWhich one?",
            ),
            // Nothing else is said.
            ("> all is quoted", "> all is quoted"),
            ("On 1 Dec 2026, at 10:00, Acme wrote:\n> all", "On 1 Dec 2026, at 10:00, Acme wrote:\n> all"),
            ("From: a\nSent: b\nSubject: c\n\nd", "From: a\nSent: b\nSubject: c\n\nd"),
            // No quotation.
            ("", ""),
            (
                "\n\nIt is > 2.\n\n\nOn Monday Ann wrote:\n\n\n\nbye",
                "\n\nIt is > 2.\n\n\nOn Monday Ann wrote:\n\n\n\nbye",
            ),
        ] {
            assert_eq!(text(body), new, "{body}");
        }
    }

    #[test]
    fn of_what_is_no_answer_nothing_is_left_out() {
        let form =
            "A message from your page:\n\nFrom: Ann\nDate: today\nSubject: order 1043\n\nPlease cancel.";
        let older = "See this.\n-----Original Message-----\nFrom: Bob\n> quoted";
        let list = "Please cancel:\n> order 1043\n> order 1044";
        for body in [form, older, list] {
            for subject in ["x", "Fwd: Re: x", "EXTERN: WG: x"] {
                assert_eq!(of_message(subject, "plain", body), body, "{subject}");
            }
            assert_ne!(of_message("Re: x", "plain", body), body);
        }
        let html = "<p>Please cancel:<blockquote type=cite>order 1043</blockquote>";
        assert_eq!(of_message("x", "html", html), "Please cancel:\n\norder 1043");
        assert_eq!(of_message("Re: x", "html", html), "Please cancel:");
    }

    #[test]
    fn whether_a_message_is_an_answer_is_told_by_its_subject_first() {
        for (subject, names_another, is) in [
            ("Fwd: Re: order", true, false),
            ("WG: Bestellung", true, false),
            ("[EXT] [Desk 7] FW: order", true, false),
            ("TR : commande", true, false),
            ("EXTERN: WG: Bestellung", true, false),
            ("*EXT* WG: Bestellung", true, false),
            ("***SPAM*** (External) FW: order", true, false),
            ("EXT WG: Bestellung", true, false),
            ("External: [Desk] Fwd: order", true, false),
            ("Re: Fwd: order", false, true),
            ("AW: WG: Bestellung", false, true),
            ("EXTERN: AW: WG: Bestellung", false, true),
            ("*EXT* AW: Bestellung", false, true),
            ("Re[2]: order", false, true),
            ("order", true, true),
            ("Order: 1042", true, true),
            ("order", false, false),
            ("Order: 1042", false, false),
            ("a question re: order", false, false),
            ("fw", false, false),
            ("[[[", false, false),
            ("", false, false),
        ] {
            assert_eq!(is_answer(subject, names_another), is, "{subject}");
        }
        for part in ["[", "(", "*", "[]", "[:", ":", "re ", "fw"] {
            assert!(!is_answer(&part.repeat(1 << 18), false), "{part}");
        }
    }

    /// What is new in a message of one part, as a program sends it.
    fn of_message(subject: &str, kind: &str, body: &str) -> String {
        let raw = format!(
            "From: ann@x.example\nSubject: {subject}\nContent-Type: text/{kind}; charset=utf-8\n\n{body}"
        );
        let parsed = fields::parse(raw.as_bytes(), chrono::DateTime::UNIX_EPOCH);
        parsed.fields.get("new_text").expect("it has a text").to_owned()
    }

    fn of_html(subject: &str, html: &str) -> String {
        of_message(subject, "html", html)
    }

    #[test]
    fn what_html_marks_as_quoted_is_left_out() {
        let gmail = "<div dir=\"ltr\">Yes, cancel <b>1043</b>.</div><br><div class=\"gmail_quote gmail_quote_container\">\
            <div dir=\"ltr\" class=\"gmail_attr\">Den tis 1 dec. 2026 kl 10:00 skrev Acme &lt;shop@acme.example&gt;:<br></div>\
            <blockquote class=\"gmail_quote\" style=\"margin:0 0 0 .8ex\"><div>Your order 1042<br>is on its way";
        let between = format!(
            "{gmail}</div></blockquote><div>The lamp.</div><blockquote class=\"gmail_quote\">\
            And when?</blockquote><div>On Monday.</div></div>"
        );
        let gmail_forward = "<div>See this</div><br><div class=\"gmail_quote\"><div class=\"gmail_attr\">\
            ---------- Forwarded message ---------<br>From: Bob<br></div><blockquote type=\"cite\">all of it</blockquote></div>";
        let outlook = "<div class=WordSection1><p class=MsoNormal>Ja, 1043 stornieren.<o:p></o:p></p>\
            <div style='border:none;border-top:solid #E1E1E1 1.0pt'><p class=MsoNormal><b>Von:</b> Acme Shop<br>\
            <b>Gesendet:</b> Dienstag, 1. Dezember 2026 10:00<br><b>An:</b> Ann<br><b>Betreff:</b> Bestellung 1042</p></div>\
            <p class=MsoNormal>Sie ist unterwegs.</p></div>";
        let outlook_web = "<div>Yes, cancel 1043.</div><hr><div id=\"divRplyFwdMsg\"><font><b>Lähettäjä:</b> Acme<br>\
            <b>Lähetetty:</b> tiistai</font></div><div>Your order 1042</div>";
        let apple = "<html><body>Yes, cancel 1043.<div><br><blockquote type=\"cite\"><div>On 1 Dec 2026, at 10:00, Acme \
            wrote:</div><br><div>Your order 1042</div></blockquote></div><br></body></html>";
        let apple_forward = "<body>See this.<br><blockquote type=\"cite\"><div>Begin forwarded message:</div><br>\
            <div><b>From: </b>Bob</div><div>all</div></blockquote></body>";
        let thunderbird = "<p>Ja, 1043 stornieren.</p><div class=\"moz-cite-prefix\">Am 01.12.26 um 10:00 schrieb Acme:<br>\
            </div><blockquote type=\"cite\" cite=\"mid:1@acme.example\"><p>Ihre Bestellung 1042</p></blockquote><p>Danke!</p>";
        let thunderbird_within = "<div class=\"moz-cite-prefix\">Bitte 1043 stornieren.<br>Am 01.12.26 um 10:00 schrieb Acme:\
            <br></div><blockquote type=\"cite\"><p>Ihre Bestellung 1042</p></blockquote>";
        let yahoo = "<div>Yes, cancel 1043.</div><div id=\"ydp1yahoo_quoted_2\" class=\"ydp1yahoo_quoted\"><div>\
            On Tuesday, Acme wrote:</div><div>Your order <blockquote type=\"cite\">older</blockquote> Acme</div></div>";
        let indented = "<p>Two lines:</p><blockquote style=\"margin:0 0 0 40px\">one<br>two</blockquote>";
        for (subject, html, new) in [
            ("Re: x", gmail, "Yes, cancel 1043."),
            ("Re: x", between.as_str(), "Yes, cancel 1043.\n\nThe lamp.\nOn Monday."),
            (
                "Re: x",
                gmail_forward,
                "See this\n\n---------- Forwarded message ---------\nFrom: Bob\nall of it",
            ),
            ("AW: x", outlook, "Ja, 1043 stornieren."),
            ("Re: x", outlook_web, "Yes, cancel 1043."),
            ("Re: x", apple, "Yes, cancel 1043."),
            ("Re: x", apple_forward, "See this.\nBegin forwarded message:\n\nFrom: Bob\nall"),
            ("AW: x", thunderbird, "Ja, 1043 stornieren.\n\nDanke!"),
            ("AW: x", thunderbird_within, "Bitte 1043 stornieren."),
            ("Re: x", yahoo, "Yes, cancel 1043."),
            ("Re: x", indented, "Two lines:\n\none\ntwo"),
            ("Re: x", "<blockquote type=CITE>all</blockquote>", "all"),
        ] {
            assert_eq!(of_html(subject, html), new, "{html}");
        }
        let all = of_html("WG: x", outlook);
        assert!(all.contains("Bestellung 1042") && all.ends_with("Sie ist unterwegs."), "{all}");
    }

    /// Each is looked at a few times, so that this takes no time worth naming.
    #[test]
    fn a_text_of_marks_alone_is_read_through() {
        const LONG: usize = 1 << 20;
        for part in [
            ">",
            ">\n",
            "> q\na\n",
            "From:",
            "From:\n",
            "From:\nSent:\n",
            "From:\nx:\nx:\nx:\nx:\nx:\nx:\n",
            "On \n",
            "On 10:00\nwrote:\n> q\n",
            "-----Original Message-----",
            "--------",
            "________\n",
            " ",
            "\n",
            "\n\n> q\n",
        ] {
            // As long as it may be, and of as many lines.
            for count in [LONG / part.len(), (MAX_LINES - 1) / part.matches('\n').count().max(1)] {
                let body = part.repeat(count);
                assert!(text(&body).len() <= body.len(), "{part:?}");
            }
        }
        let spaces = " ".repeat(LONG / 2);
        let empty = "\n".repeat(MAX_LINES - 3);
        assert_eq!(text(&format!("a\n> q\n{spaces}{empty}")), "a");
        let marks = Marks { quotations: (0..LONG).map(|line| line..line + 1).collect(), header: None };
        let body = "q\n".repeat(MAX_LINES - 1);
        assert_eq!(of(&body, &marks), body);
        assert_eq!(of(&format!("{body}>"), &Marks::default()), body.trim_end());
    }

    #[test]
    fn of_lines_without_measure_nothing_is_left_out() {
        let quoted = |lines: usize| format!("a{}", "\n> q".repeat(lines - 1));
        assert_eq!(text(&quoted(MAX_LINES)), "a");
        let longer = quoted(MAX_LINES + 1);
        assert_eq!(text(&longer), longer);
    }

    /// Whether the lines stand in the body in that order. White space at the end is not the new text's.
    fn is_of(new: &str, body: &str) -> bool {
        let mut lines = body.split('\n');
        let count = new.split('\n').count();
        new.split('\n').enumerate().all(|(at, line)| {
            lines.any(|one| one == line || (at + 1 == count && one.trim_end() == line.trim_end()))
        })
    }

    const LINES: &[&str] = &[
        "",
        " ",
        "text",
        "text ",
        "> quoted",
        ">",
        ">> quoted",
        ">From here",
        "On Tue, Dec 1, 2026 at 10:00 AM Ann <ann@x.example>",
        "On 1 Dec 2026, at 10:00, Ann wrote:",
        "wrote:",
        "Am 01.12.2026 um 10:00 schrieb Ann:",
        "-----Original Message-----",
        "---------- Forwarded message ---------",
        "Begin forwarded message:",
        "________________",
        "From: Ann",
        "Gesendet: heute",
        "Subject: x",
    ];

    const HTML: &[&str] = &[
        "text",
        " ",
        "<br>",
        "<p>",
        "</p>",
        "<div>",
        "</div>",
        "<pre>",
        "</pre>",
        "\n",
        "&#13;",
        "<div class=gmail_quote>",
        "<div id=divRplyFwdMsg>",
        "<blockquote type=cite>",
        "</blockquote>",
        "<table><tr><td>",
        "</table>",
        "<title>",
        "</title>",
        "On 1 Dec 2026, at 10:00, Ann wrote:",
        "---------- Forwarded message ---------",
        "&gt; quoted",
    ];

    const SUBJECTS: &[&str] = &["x", "Re: x", "Fwd: x"];

    proptest! {
        #[test]
        fn its_lines_are_those_of_the_body(
            lines in proptest::collection::vec(prop_oneof![select(LINES).prop_map(str::to_owned), "\\PC{0,9}"], 0..40),
            marked in proptest::collection::vec((0..40_usize, 0..5_usize), 0..6),
            header in proptest::option::of(0..40_usize),
        ) {
            let body = lines.join("\n");
            let quotations = marked.into_iter().map(|(start, count)| start..start + count).collect();
            let new = of(&body, &Marks { quotations, header });
            prop_assert!(is_of(&new, &body), "{:?}\n{:?}", body, new);
            prop_assert_eq!(new.trim().is_empty(), body.trim().is_empty());
        }

        #[test]
        fn its_lines_are_those_of_the_body_whatever_the_html(
            parts in proptest::collection::vec(select(HTML), 0..40),
            subject in select(SUBJECTS),
        ) {
            let raw = format!("Subject: {subject}\nContent-Type: text/html\n\n{}", parts.concat());
            let fields = fields::parse(raw.as_bytes(), chrono::DateTime::UNIX_EPOCH).fields;
            match (fields.get("body"), fields.get("new_text")) {
                (Some(body), Some(new)) => prop_assert!(is_of(new, body), "{:?}\n{:?}", body, new),
                (body, new) => prop_assert_eq!(body, new),
            }
        }
    }
}
