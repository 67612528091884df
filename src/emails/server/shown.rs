//! What a message holds, for people to look at: its HTML made harmless, and its attachments.
//!
//! The HTML is a stranger's. Three fences stand around it, each for itself: `ammonia` leaves no script, form, frame nor
//! style sheet in it; the page that holds it forbids all that and fetches nothing (its Content Security Policy); and it
//! is shown in a sandboxed frame, without our origin and so without our cookies. Pictures from elsewhere, which would
//! tell the sender that and when it was read, are left out until somebody asks for them.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use ammonia::{Builder, UrlRelative};
use base64::{Engine, prelude::BASE64_STANDARD};
use mail_parser::{Message, MessageParser, MessagePart, MimeHeaders, PartType};

use super::service;
use crate::{
    audit::{dto::AuditFilter, server::repository as audit},
    auth::authority::Permission,
    emails::dto::{Attachment, HistoryEntry, Parts},
    server::{Result, TenantContext, aside},
    shared::{EmailId, Problem},
};

/// A picture within the message that is larger is left out of its HTML: bytes, for one and for all together.
const MAX_PICTURE: usize = 1 << 20;
const MAX_PICTURES: usize = 8 << 20;
/// What is shown of the source, in bytes.
const MAX_SOURCE: usize = 256 << 10;
/// More happened to no message that anybody reads through.
const MAX_HISTORY: i64 = 200;

/// What the page around the HTML allows: nothing but styles on its elements, and pictures.
fn policy(with_remote: bool) -> String {
    let pictures = if with_remote { "data: https:" } else { "data:" };
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; img-src {pictures}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
    )
}

/// The HTML of a message as a page of its own, and the policy that it is to be sent with.
pub struct Page {
    pub html: String,
    pub policy: String,
}

/// An attachment's name and bytes.
pub struct Content {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// # Errors
/// 404.
pub async fn parts(ctx: &TenantContext, id: EmailId) -> Result<Parts> {
    let raw = service::raw(ctx, id).await?;
    Ok(aside::run(move || {
        let Some(message) = MessageParser::default().parse(&raw) else { return Parts::default() };
        let html = html_of(&message);
        Parts {
            has_html: html.is_some(),
            remote_images: html.map_or(0, |html| clean(&message, &html, false).1),
            attachments: message.attachments().enumerate().map(described).collect(),
        }
    })
    .await)
}

/// # Errors
/// 404, where there is no such message or it has no HTML.
pub async fn page(ctx: &TenantContext, id: EmailId, with_remote: bool) -> Result<Page> {
    let raw = service::raw(ctx, id).await?;
    let body = aside::run(move || {
        let message = MessageParser::default().parse(&raw)?;
        let html = html_of(&message)?;
        Some(clean(&message, &html, with_remote).0)
    })
    .await;
    let body = body.ok_or_else(|| Problem::not_found("HTML of email", id))?;
    Ok(Page { html: format!("{HEAD}{body}"), policy: policy(with_remote) })
}

/// Before what the message says. Its colours are meant for paper, in either theme.
const HEAD: &str = "<!DOCTYPE html><html lang=\"und\"><head><meta charset=\"utf-8\"><title>Message</title>\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><style>\
    html{background:#fff;color:#1a1c21;font:14px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}\
    body{margin:16px}img{max-width:100%;height:auto}table{max-width:100%}</style></head><body>";

/// # Errors
/// 404.
pub async fn attachment(ctx: &TenantContext, id: EmailId, index: usize) -> Result<Content> {
    let raw = service::raw(ctx, id).await?;
    let found = aside::run(move || {
        let message = MessageParser::default().parse(&raw)?;
        let part = message.attachments().nth(index)?;
        Some(Content { name: name_of(part), bytes: part.contents().to_vec() })
    })
    .await;
    found.ok_or_else(|| Problem::not_found("Attachment", index).into())
}

/// The beginning of the message as it came, for reading.
///
/// # Errors
/// 404.
pub async fn source(ctx: &TenantContext, id: EmailId) -> Result<String> {
    let raw = service::raw(ctx, id).await?;
    let mut text = String::from_utf8_lossy(&raw[..raw.len().min(MAX_SOURCE)]).into_owned();
    if raw.len() > MAX_SOURCE {
        text += &format!("\n… {} bytes more", raw.len() - MAX_SOURCE);
    }
    Ok(text)
}

/// What was done with the message, newest first: the audit log's entries of it, without addresses.
///
/// # Errors
/// 404.
pub async fn history(ctx: &TenantContext, id: EmailId) -> Result<Vec<HistoryEntry>> {
    ctx.require(Permission::Read)?;
    let filter = AuditFilter {
        action: Some("email".into()),
        object_id: Some(id.to_string()),
        ..AuditFilter::default()
    };
    let entries = audit::list(&mut ctx.begin().await?, &filter, None, MAX_HISTORY).await?;
    let entries = entries.into_iter().map(|entry| HistoryEntry {
        occurred_at: entry.occurred_at,
        actor: entry.actor,
        action: entry.action,
        detail: entry.after,
    });
    Ok(entries.collect())
}

/// The HTML that the message itself brings: none is made up from its text.
fn html_of<'a>(message: &'a Message<'_>) -> Option<Cow<'a, str>> {
    let part = message.html_part(0)?;
    matches!(part.body, PartType::Html(_)).then(|| message.body_html(0)).flatten()
}

fn described((index, part): (usize, &MessagePart<'_>)) -> Attachment {
    let kind = part.content_type().map(|kind| match kind.subtype() {
        Some(subtype) => format!("{}/{subtype}", kind.ctype()),
        None => kind.ctype().to_owned(),
    });
    Attachment {
        index,
        name: name_of(part),
        content_type: kind.unwrap_or_else(|| "application/octet-stream".into()),
        size: part.len(),
    }
}

fn name_of(part: &MessagePart<'_>) -> String {
    part.attachment_name().filter(|name| !name.trim().is_empty()).unwrap_or("unnamed").to_owned()
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
fn clean(message: &Message<'_>, html: &str, with_remote: bool) -> (String, usize) {
    let pictures = pictures(message);
    let remote = Arc::new(AtomicUsize::new(0));
    let count = remote.clone();
    let mut builder = Builder::default();
    builder
        .add_tags(["font"])
        .add_generic_attributes(LAYOUT)
        .add_tag_attributes("font", ["color", "face", "size"])
        .filter_style_properties(HashSet::from(STYLES))
        .url_schemes(HashSet::from(["http", "https", "mailto", "tel", "cid"]))
        .url_relative(UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer nofollow"))
        .set_tag_attribute_value("a", "target", "_blank")
        .attribute_filter(move |element, attribute, value| match (element, attribute) {
            ("img", "src") => match value.strip_prefix("cid:") {
                Some(id) => pictures.get(id).map(|address| Cow::Owned(address.clone())),
                None => {
                    count.fetch_add(1, Ordering::Relaxed);
                    (with_remote && value.starts_with("https:")).then_some(Cow::Borrowed(value))
                }
            },
            // A picture by another name, or an address that a click does not show.
            (_, "src" | "background" | "longdesc" | "cite") => None,
            _ if value.starts_with("cid:") => None,
            _ => Some(Cow::Borrowed(value)),
        });
    let cleaned = builder.clean(html).to_string();
    (cleaned, remote.load(Ordering::Relaxed))
}

/// The old ways of laying out, which most mail is written in.
const LAYOUT: [&str; 10] =
    ["style", "align", "valign", "bgcolor", "width", "height", "cellpadding", "cellspacing", "border", "dir"];

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(html: &str, with_remote: bool) -> (String, usize) {
        let raw = format!(
            "From: a@b.example\r\nContent-Type: multipart/related; boundary=x\r\n\r\n--x\r\nContent-Type: text/html\r\n\r\n{html}\r\n\
             --x\r\nContent-Type: image/png\r\nContent-ID: <logo@b>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--x--\r\n"
        );
        let message = MessageParser::default().parse(raw.as_bytes()).expect("a message");
        clean(&message, &html_of(&message).expect("its HTML"), with_remote)
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
        assert!(!policy(false).contains("https") && policy(true).contains("img-src data: https:;"));
    }
}
