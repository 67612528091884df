//! A stranger's HTML made harmless: no script, form, frame nor style sheet is left in it, and what it may cost is bounded.

use std::{
    borrow::Cow,
    cell::Cell,
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use ammonia::{Builder, UrlRelative};
use base64::{Engine, prelude::BASE64_STANDARD};
use html5ever::tokenizer::{TagKind, Token, TokenSink, TokenSinkResult, states::RawKind};
use mail_parser::{Message, MimeHeaders};
use url::Url;

use super::{styles, tags, tree};

/// A picture within the message that is larger is left out of its HTML, in bytes.
const MAX_PICTURE: usize = 1 << 20;
/// What all pictures together may add to it, each as often as it is named: bytes.
const MAX_PICTURES: usize = 8 << 20;
/// HTML that is longer is not made harmless, so it is not shown: bytes.
const MAX_HTML: usize = 2 << 20;

/// Why this HTML is not shown, where it is not.
pub fn withheld(html: &str) -> Option<&'static str> {
    if html.len() > MAX_HTML {
        Some("It is longer than what can be made safe to show (2 MiB).")
    } else if tree::takes_too_long(html) {
        Some(
            "Its parts are so many, or lie so deeply within one another, that making it safe to show would take too \
             long.",
        )
    } else {
        None
    }
}

/// How many pictures from elsewhere the HTML names.
pub fn remote_images(html: &str) -> usize {
    clean(html, HashMap::new(), false).1
}

/// What is left of the message's HTML, with the message's own pictures in it.
pub fn page(message: &Message<'_>, html: &str, with_remote: bool) -> String {
    clean(html, pictures(message), with_remote).0
}

/// Which way the HTML says that it runs, as a value of `dir`: by its letters, where it says nothing. It says so on the elements
/// around it, of which nothing is left.
pub fn direction(html: &str) -> &'static str {
    let around = Around::default();
    let _ = tags::read(&around, html, &mut 0, |around| around.body.get().is_none());
    around.body.get().or(around.html.get()).unwrap_or("auto")
}

/// What `dir` may say (HTML Standard, section 3.2.6.4).
const DIRECTIONS: [&str; 3] = ["ltr", "rtl", "auto"];

/// What it says on these elements: the first of each, where there are several.
#[derive(Default)]
struct Around {
    html: Cell<Option<&'static str>>,
    body: Cell<Option<&'static str>>,
}

impl TokenSink for &Around {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let Token::TagToken(tag) = token else { return TokenSinkResult::Continue };
        let place = match (tag.kind, &*tag.name) {
            (TagKind::StartTag, "html") => &self.html,
            (TagKind::StartTag, "body") => &self.body,
            // What looks like a tag in these is none.
            (TagKind::StartTag, "title" | "textarea") => {
                return TokenSinkResult::RawData(RawKind::Rcdata);
            }
            (TagKind::StartTag, "style" | "xmp" | "iframe" | "noembed" | "noframes") => {
                return TokenSinkResult::RawData(RawKind::Rawtext);
            }
            (TagKind::StartTag, "script") => return TokenSinkResult::RawData(RawKind::ScriptData),
            _ => return TokenSinkResult::Continue,
        };
        let said = tag.attrs.iter().find(|attribute| &*attribute.name.local == "dir");
        let known =
            said.and_then(|said| DIRECTIONS.into_iter().find(|way| said.value.eq_ignore_ascii_case(way)));
        place.set(place.get().or(known));
        TokenSinkResult::Continue
    }
}

/// The pictures that the HTML may name by `cid:`, each as a `data:` address.
fn pictures(message: &Message<'_>) -> HashMap<String, String> {
    let mut room = MAX_PICTURES;
    let mut found = HashMap::new();
    for part in &message.parts {
        let Some(id) = part.content_id() else { continue };
        let kind = part.content_type().and_then(|kind| match (kind.ctype(), kind.subtype()?) {
            ("image", kind @ ("png" | "jpeg" | "jpg" | "gif" | "webp")) => Some(kind.to_owned()),
            _ => None,
        });
        let bytes = part.contents();
        if let Some(kind) = kind
            && bytes.len() <= MAX_PICTURE.min(room)
        {
            room -= bytes.len();
            let address = format!("data:image/{kind};base64,{}", BASE64_STANDARD.encode(bytes));
            found.insert(id.trim_matches(['<', '>']).to_owned(), address);
        }
    }
    found
}

/// Whose content nobody sees in a browser, and rules do not (`inner_text`): of what is not allowed, ammonia drops the
/// element alone.
const UNSEEN: [&str; 5] = ["iframe", "noembed", "noframes", "template", "title"];

/// Properties that change how text looks, and none that moves it over something else.
const STYLES: [&str; 32] = [
    "background-color",
    "border",
    "border-bottom",
    "border-collapse",
    "border-color",
    "border-left",
    "border-radius",
    "border-right",
    "border-spacing",
    "border-style",
    "border-top",
    "border-width",
    "color",
    "direction",
    "font-family",
    "font-size",
    "font-style",
    "font-weight",
    "height",
    "letter-spacing",
    "line-height",
    "list-style-type",
    "margin",
    "max-width",
    "padding",
    "text-align",
    "text-decoration",
    "text-indent",
    "text-transform",
    "vertical-align",
    "white-space",
    "width",
];

/// What is left of a stranger's HTML, and how many pictures from elsewhere it names.
fn clean(html: &str, pictures: HashMap<String, String>, with_remote: bool) -> (String, usize) {
    // One for all that it names: a few bytes that name a picture add all of it.
    let room = AtomicUsize::new(MAX_PICTURES);
    let remote = Arc::new(AtomicUsize::new(0));
    let count = remote.clone();
    let mut builder = Builder::default();
    builder
        .add_tags(["font"])
        .add_clean_content_tags(UNSEEN)
        .add_generic_attributes(LAYOUT)
        .add_tag_attributes("font", ["color", "face", "size"])
        .filter_style_properties(HashSet::from(STYLES))
        .url_schemes(HashSet::from(["http", "https", "mailto", "tel", "cid"]))
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer nofollow"))
        .set_tag_attribute_value("a", "target", "_blank")
        .attribute_filter(move |element, attribute, value| match (element, attribute) {
            ("img", "src") => match value.strip_prefix("cid:") {
                Some(id) => pictures
                    .get(id)
                    .filter(|address| takes(&room, address.len()))
                    .map(|address| Cow::Owned(address.clone())),
                None => {
                    count.fetch_add(1, Ordering::Relaxed);
                    whole(value).filter(|address| with_remote && address.starts_with("https:"))
                }
            },
            (_, "href") => whole(value),
            (_, "style") => Some(styles::kept(value)),
            // A picture by another name, or an address that a click does not show.
            (_, "src" | "background" | "longdesc" | "cite") => None,
            _ => Some(Cow::Borrowed(value)),
        });
    let cleaned = builder.clean(html).to_string();
    (cleaned, remote.load(Ordering::Relaxed))
}

/// An address that leads to the same place from every page. A browser takes `http:account`, on a page that came by `http`, for
/// what lies beside that page: for one of ours.
fn whole(address: &str) -> Option<Cow<'_, str>> {
    let url = Url::parse(address).ok()?;
    match url.scheme() {
        "mailto" | "tel" => Some(Cow::Borrowed(address)),
        _ => url.has_host().then(|| Cow::Owned(url.into())),
    }
}

/// Takes so much of what is left, if there is as much.
fn takes(room: &AtomicUsize, size: usize) -> bool {
    room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(size)).is_ok()
}

/// The old ways of laying out, which most mail is written in.
const LAYOUT: [&str; 10] =
    ["style", "align", "valign", "bgcolor", "width", "height", "cellpadding", "cellspacing", "border", "dir"];

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;

    use super::*;

    fn cleaned(html: &str, with_remote: bool) -> (String, usize) {
        let raw = format!(
            "From: a@b.example\r\nContent-Type: multipart/related; boundary=x\r\n\r\n--x\r\nContent-Type: text/html\r\n\r\n{html}\r\n\
             --x\r\nContent-Type: image/png\r\nContent-ID: <logo@b>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--x--\r\n"
        );
        let message = MessageParser::default().parse(raw.as_bytes()).expect("a message");
        clean(&message.body_html(0).expect("its HTML"), pictures(&message), with_remote)
    }

    #[test]
    fn nothing_that_acts_is_left() {
        for html in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "<a href=\"javascript:alert(1)\">x</a>",
            "<a href=\"data:text/html,<script>alert(1)</script>\">x</a>",
            "<iframe src=\"https://evil.example\"></iframe>",
            "<form action=\"https://evil.example\"><input name=p></form>",
            "<svg><script>alert(1)</script></svg>",
            "<math><mi xlink:href=\"javascript:alert(1)\">x</mi></math>",
            "<base href=\"https://evil.example\">",
            "<meta http-equiv=refresh content=\"0;url=https://evil.example\">",
            "<link rel=stylesheet href=\"https://evil.example\">",
            "<style>@import url(https://evil.example)</style>",
            "<div style=\"position:fixed;background:url(https://evil.example)\">x</div>",
            "<object data=\"https://evil.example\"></object>",
            "<table background=\"https://evil.example\"><tr><td>x</td></tr></table>",
            "<img srcset=\"https://evil.example 1x\">",
            "<video poster=\"https://evil.example\" src=\"https://evil.example\"></video>",
        ] {
            for with_remote in [false, true] {
                let (left, _) = cleaned(html, with_remote);
                let lower = left.to_lowercase();
                for part in ["script", "evil", "onerror", "<form", "<input", "<iframe", "position", "url("] {
                    assert!(!lower.contains(part), "{html}: {left}");
                }
            }
        }
    }

    #[test]
    fn what_no_browser_shows_and_no_rule_sees_is_not_shown() {
        for within in ["title", "iframe", "noembed", "noframes", "template", "style", "script"] {
            let html = format!("<p>seen</p><{within}>hidden</{within}><p>too</p>");
            assert_eq!(cleaned(&html, false).0.trim_end(), "<p>seen</p><p>too</p>");
        }
        for within in ["title", "style"] {
            let html = format!("<p>seen</p><svg><{within}>hidden</svg><p>too</p>");
            assert_eq!(cleaned(&html, false).0.trim_end(), "<p>seen</p><p>too</p>", "{within}");
        }
        assert!(!cleaned("<svg><title><p>hidden", false).0.contains("hidden"));
    }

    #[test]
    fn pictures_from_elsewhere_wait_until_they_are_asked_for() {
        let html = "<p style=\"color:red;position:absolute\">Hi</p><img src=\"https://x.example/t.gif\">\
                    <img src=\"http://x.example/u.gif\"><img src=\"cid:logo@b\"><a href=\"https://x.example\">l</a>";
        let (left, remote) = cleaned(html, false);
        assert_eq!(remote, 2);
        assert!(!left.contains("t.gif") && left.contains("data:image/png;base64,iVBORw0KGgo="), "{left}");
        assert!(left.contains("color:red") && !left.contains("position"), "{left}");
        assert!(left.contains("target=\"_blank\"") && left.contains("noopener"), "{left}");
        let (left, _) = cleaned(html, true);
        assert!(left.contains("https://x.example/t.gif") && !left.contains("u.gif"), "{left}");
    }

    #[test]
    fn no_link_leads_to_where_the_page_is() {
        for (href, left) in [
            ("http:/account?x=1", Some("http://account/?x=1")),
            ("http:evil", Some("http://evil/")),
            (" HTTPS:/t/acme", Some("https://t/acme")),
            ("https:\\\\x.example\\a", Some("https://x.example/a")),
            ("https://x.example", Some("https://x.example/")),
            ("https://x.example/a?b=c&amp;d=&uuml;#e", Some("https://x.example/a?b=c&amp;d=%C3%BC#e")),
            ("mailto:a@x.example?subject=Re: b", Some("mailto:a@x.example?subject=Re: b")),
            ("tel:+49 30 1", Some("tel:+49 30 1")),
            ("cid:logo@b", None),
            ("http:", None),
            ("/account", None),
            ("//x.example", None),
            ("account", None),
            ("?x=1", None),
            ("#a", None),
        ] {
            for with_remote in [false, true] {
                let (shown, _) = cleaned(&format!("<a href=\"{href}\">l</a>"), with_remote);
                let kept =
                    shown.split_once("href=\"").map(|(_, rest)| rest.split('"').next().expect("its end"));
                assert_eq!(kept, left, "{href}");
            }
        }
        let (shown, remote) = cleaned("<img src=\"https:a.gif\"><img src=\"http:b.gif\">", true);
        assert!(shown.contains("src=\"https://a.gif/\"") && !shown.contains("b.gif"), "{shown}");
        assert_eq!(remote, 2);
    }

    #[test]
    fn a_text_keeps_what_it_can_be_read_on() {
        // As newsletters and Outlook write it.
        for (html, left) in [
            (
                "<a style=\"background:#123456;color:#fff;padding:8px\">Pay</a>",
                "style=\"background-color:#123456;color:#fff;padding:8px\"",
            ),
            (
                "<b style=\"color:#FFF;background:url('https://x.example/a.png') #333\">x</b>",
                "style=\"background-color:#333;color:#FFF\"",
            ),
            ("<b style=\"background:#222\">x</b>", "style=\"\""),
        ] {
            for with_remote in [false, true] {
                let (shown, remote) = cleaned(html, with_remote);
                assert!(shown.contains(left) && !shown.contains("x.example"), "{html}: {shown}");
                assert_eq!(remote, 0, "what is never shown is not offered");
            }
        }
    }

    #[test]
    fn it_runs_the_way_that_it_says() {
        for (html, way) in [
            ("<html dir=rtl><body><p>x", "rtl"),
            ("<!DOCTYPE html><HTML><head><style>p{}</style></head><BODY class=a DIR=\"RTL\">x", "rtl"),
            ("<html dir=\"rtl\"><body dir=\"ltr\">x", "ltr"),
            ("<html dir=rtl><body dir=up>x", "rtl"),
            ("<html dir=rtl><body dir=auto>x", "auto"),
            ("<p>x</p><body dir=rtl><body dir=ltr>", "rtl"),
            // As it is everywhere.
            ("<body dir='rtl\" onload=\"x'>", "auto"),
            ("<!-- <body dir=rtl> --><p dir=rtl>x</html dir=rtl>", "auto"),
            ("<title>How to use <body dir=rtl></title><p>x", "auto"),
            ("<style><!-- p{} </style></head><body dir=rtl>", "rtl"),
            ("", "auto"),
        ] {
            assert_eq!(direction(html), way, "{html}");
        }
    }

    #[test]
    fn a_picture_that_is_named_often_is_shown_as_often_as_there_is_room() {
        let picture = format!("data:image/png;base64,{}", "A".repeat(1 << 20));
        let pictures = HashMap::from([("a".to_owned(), picture)]);
        let (left, _) = clean(&"<img src=\"cid:a\">".repeat(20_000), pictures, false);
        assert!(left.len() < MAX_PICTURES + (1 << 20), "{}", left.len());
        assert_eq!((left.matches("<img").count(), left.matches("data:").count()), (20_000, 7));
        assert!(!left.contains("cid:"));
    }

    #[test]
    fn what_would_take_long_to_make_harmless_is_withheld() {
        assert_eq!(withheld("<p>Hello"), None);
        // A picture within it is long.
        let picture = "iVBORw0KGgoAAAANSUhEUgAAAAUA+AAFCAYAAACNbyblAAAAHElEQVQI12P4/8w38".repeat(30_000);
        assert_eq!(withheld(&format!("<img src=\"data:image/png;base64,{picture}\">Hello")), None);
        assert!(withheld(&"<div>".repeat(600)).is_some_and(|why| why.contains("within one another")));
        assert!(withheld(&"x".repeat(MAX_HTML + 1)).is_some_and(|why| why.contains("2 MiB")));
    }
}
