//! What a message holds, for people to look at: its HTML made harmless, and its attachments.
//!
//! The HTML is a stranger's. Three fences stand around it, each for itself: `ammonia` leaves no script, form, frame nor
//! style sheet in it; the page that holds it forbids all that and fetches nothing (its Content Security Policy); and it
//! is shown in a sandboxed frame, without our origin and so without our cookies. Pictures from elsewhere, which would
//! tell the sender that and when it was read, are left out until somebody asks for them.

use mail_parser::{MessagePart, MimeHeaders};
use tokio::sync::Semaphore;

use super::{html, mime, service};
use crate::{
    emails::dto::{Attachment, Parts},
    server::{
        Result, TenantContext,
        aside::{self, Turn},
    },
    shared::{EmailId, Problem},
    ui::bidi::unturned,
};

/// What is shown of the source, in bytes.
const MAX_SOURCE: usize = 256 << 10;
/// More attachments are counted, but not told one by one.
const MAX_ATTACHMENTS: usize = 200;

/// Messages that are looked at on this server. They are strangers', who may have made them to take long: they must not
/// take every thread. One more than a tenant may have.
static TURNS: Semaphore = Semaphore::const_new(3);

/// A turn at looking at a message. The tenant's comes first: who waits for that keeps nobody else waiting.
async fn turn(ctx: &TenantContext) -> Result<impl Send + 'static> {
    let own = aside::turn_of(&ctx.tenant, Turn::Show).await;
    Ok((aside::turn(&TURNS).await?, own))
}

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
    let turn = turn(ctx).await?;
    let raw = service::raw(ctx, id).await?;
    let parts = move || {
        let Some(message) = mime::whole(&raw) else { return Parts::default() };
        let html = mime::html_of(&message);
        let withheld = html.as_deref().and_then(html::withheld);
        let shown = html.as_deref().filter(|_| withheld.is_none());
        Parts {
            has_html: html.is_some(),
            html_withheld: withheld.map(str::to_owned),
            remote_images: shown.map_or(0, html::remote_images),
            attachment_count: message.attachments().count(),
            attachments: message.attachments().take(MAX_ATTACHMENTS).enumerate().map(described).collect(),
        }
    };
    Ok(aside::run_in(turn, parts).await)
}

/// # Errors
/// 404, where there is no such message or it has no HTML; 400 for HTML that is withheld.
pub async fn page(ctx: &TenantContext, id: EmailId, with_remote: bool) -> Result<Page> {
    let turn = turn(ctx).await?;
    let raw = service::raw(ctx, id).await?;
    let body = move || {
        let message = mime::whole(&raw)?;
        let html = mime::html_of(&message)?;
        Some(match html::withheld(&html) {
            Some(why) => Err(Problem::business_rule(why)),
            None => Ok((html::direction(&html), html::page(&message, &html, with_remote))),
        })
    };
    let body = aside::run_in(turn, body).await;
    let (way, body) = body.ok_or_else(|| Problem::not_found("HTML of email", id))??;
    Ok(Page { html: format!("{HEAD}<body dir=\"{way}\">{body}"), policy: policy(with_remote) })
}

/// Before what the message says. Its colours are meant for paper, in either theme. On a ground of its own a link has the
/// colour of the text: blue is for white. Where the frame is narrow, no width holds that it was laid out in.
const HEAD: &str = "<!DOCTYPE html><html lang=\"und\"><head><meta charset=\"utf-8\"><title>Message</title>\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><style>\
    html{background:#fff;color:#1a1c21;font:14px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}\
    [style*=\"background-color\"] a{color:inherit}\
    body{margin:16px}img{max-width:100%;height:auto}table{max-width:100%}\
    @media(width<640px){body{margin:8px}*{box-sizing:border-box;max-width:100%!important}\
    table[width],table[style*=width]{width:100%!important}\
    :is(td,th,col,colgroup,div,center,p)[width],:is(td,th,col,colgroup,div,center,p)[style*=width]{width:auto!important}\
    img{height:auto!important}pre{white-space:pre-wrap}}</style></head>";

/// # Errors
/// 404.
pub async fn attachment(ctx: &TenantContext, id: EmailId, index: usize) -> Result<Content> {
    let raw = service::raw(ctx, id).await?;
    let found = aside::run(move || {
        let message = mime::whole(&raw)?;
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

/// Without what would turn its ending around. Rules read it as it came (`attachment_names`).
fn name_of(part: &MessagePart<'_>) -> String {
    let name = part.attachment_name().map(unturned);
    name.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| "unnamed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attachments_name_ends_as_it_reads() {
        let name = |name: &str| {
            let raw = format!(
                "From: a@b.example\r\nContent-Type: application/octet-stream\r\n\
                 Content-Disposition: attachment; filename*=UTF-8''{name}\r\n\r\nx"
            );
            let message = mail_parser::MessageParser::default().parse(raw.as_bytes()).expect("a message");
            message.attachments().next().map(name_of).expect("an attachment")
        };
        assert_eq!(name("bill%E2%80%AEfdp.exe"), "billfdp.exe");
        assert_eq!(name("%E2%81%A7%E2%80%8F"), "unnamed");
        assert_eq!(name("%D7%A9%D7%9C%D7%95%D7%9D.pdf"), "שלום.pdf");
    }

    #[test]
    fn a_page_fetches_pictures_only_where_it_was_asked_to() {
        assert!(!policy(false).contains("https") && policy(true).contains("img-src data: https:;"));
    }
}
