//! What a message says: as text, as its sender laid it out, or as it came; and what came with it.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    app::{CurrentTenant, tenant_page},
    emails::{
        api::{get_parts, get_source},
        dto::{Attachment, Parts},
    },
    intents::dto::is_message_field,
    rules::words::field_words,
    shared::{EmailId, Problem, TenantId},
    ui::{
        icons::{Glyph, Icon},
        panel::ProblemPanel,
        react::memo,
        resource::{Loaded, load},
        size::size_words,
        value::{Members, Plain},
    },
};

/// How the message is shown: the query `view` of the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum View {
    Text,
    Html,
    Source,
}

impl View {
    const ALL: [(Self, &'static str, &'static str); 3] =
        [(Self::Text, "Text", ""), (Self::Html, "Formatted", "html"), (Self::Source, "Source", "source")];

    fn read(text: &str) -> Self {
        Self::ALL.into_iter().find(|(.., word)| *word == text).map_or(Self::Text, |(view, ..)| view)
    }
}

/// As what the message is shown, with what that takes.
#[derive(Clone, Serialize, Deserialize)]
pub struct Shown {
    view: View,
    /// Whether pictures from elsewhere are loaded.
    with_remote: bool,
    /// Of `View::Source` alone.
    source: String,
}

/// What a message holds, and as what it is shown; or why that could not be had.
pub type Said = Result<(Parts, Shown), Problem>;

/// What a message says, asked for beside the message. Its page keeps it, and waits for it before it shows the message: what
/// shows the one is changed in place with each answer, and a part that waited for the other by itself would be built anew,
/// the frame with all that it loads.
#[derive(Clone, Copy)]
pub struct Contents {
    view: Memo<View>,
    parts: Loaded<Parts>,
    shown: Loaded<Shown>,
    retry: Callback<()>,
}

impl Contents {
    /// Of a message, as the address wants it shown.
    pub fn new(tenant: CurrentTenant, email: StoredValue<Result<EmailId, Problem>>) -> Self {
        let query = use_query_map();
        let view = memo(move || View::read(&query.read().get("view").unwrap_or_default()));
        let with_remote = memo(move || query.read().get("images").as_deref() == Some("remote"));
        let parts = load(
            move || tenant.id(),
            move |tenant| async move { get_parts(tenant?, email.get_value()?).await },
        );
        let shown = load(
            move || (tenant.id(), view.get(), with_remote.get()),
            move |(tenant, view, with_remote)| async move {
                let source = match view {
                    View::Source => get_source(tenant?, email.get_value()?).await?,
                    View::Text | View::Html => String::new(),
                };
                Ok(Shown { view, with_remote, source })
            },
        );
        let retry = Callback::new(move |()| {
            parts.refetch();
            shown.refetch();
        });
        Self { view, parts, shown, retry }
    }

    /// Waits until it is there.
    pub async fn said(self) -> Said {
        Ok((self.parts.await?, self.shown.await?))
    }
}

/// What the message says, and what was taken from it.
#[component]
pub fn Content(
    mut fields: Map<String, Value>,
    tenant_id: TenantId,
    email_id: EmailId,
    contents: Contents,
    said: Said,
) -> impl IntoView {
    let Contents { view, retry, .. } = contents;
    let text = Text::taken_from(&mut fields);
    let here = tenant_page(&tenant_id, &format!("/messages/{email_id}"));
    let original = format!("/api/emails/{email_id}/raw?tenant_id={tenant_id}");
    let tabs = View::ALL
        .map(|(tab, words, query)| {
            let href = if query.is_empty() { here.clone() } else { format!("{here}?view={query}") };
            view! {
                <a
                    class="tabs__tab"
                    href=href
                    // What one looks at is here, not at the page's start.
                    data-noscroll="true"
                    aria-current=move || (view.get() == tab).then_some("true")
                    data-testid=format!("view-{}", words.to_lowercase())
                >
                    {words}
                </a>
            }
        })
        .collect_view();
    let body = match said {
        Ok((parts, shown)) => body(parts, shown, text, &tenant_id, email_id, &here),
        Err(problem) => view! { <ProblemPanel problem retry/> }.into_any(),
    };
    view! {
        <section class="section section--first" aria-labelledby="content">
            <div class="section__head">
                <h2 id="content">"Message"</h2>
                <nav class="tabs" aria-label="How the message is shown">{tabs}</nav>
                <a class="button" href=original download rel="external" data-testid="download">
                    <Icon glyph=Glyph::Download/>
                    "Download the original"
                </a>
            </div>
            {body}
            <Taken fields=fields.clone() testid="extracted"/>
            <details class="details">
                <summary>"All fields that a rule can name"</summary>
                <Members members=fields/>
            </details>
        </section>
    }
    .into_any()
}

/// The message's text.
#[derive(Debug, PartialEq, Eq)]
struct Text {
    said: String,
    /// What it quotes of earlier messages, where that stands below all that it says.
    quoted: Option<String>,
}

impl Text {
    /// Of a message's fields, of which those go that are shown with it. `None` where it has no text.
    fn taken_from(fields: &mut Map<String, Value>) -> Option<Self> {
        let Some(Value::String(mut said)) = fields.shift_remove("body") else { return None };
        let new = fields.get("new_text").and_then(Value::as_str);
        let quoted = new.and_then(|new| below(&said, new));
        if let Some(new) = new
            && (quoted.is_some() || said == new)
        {
            said.truncate(new.len());
            fields.shift_remove("new_text");
        }
        (!said.trim().is_empty()).then_some(Self { said, quoted })
    }
}

/// What stands below the new text, if the whole begins with that.
fn below(text: &str, new: &str) -> Option<String> {
    let (end, quoted) = text.strip_prefix(new)?.split_once('\n')?;
    let is_tail = !new.is_empty() && end.trim().is_empty() && !quoted.trim().is_empty();
    is_tail.then(|| quoted.trim_start_matches('\n').to_owned())
}

/// The message as it is to be shown, and what came with it.
fn body(
    parts: Parts,
    shown: Shown,
    text: Option<Text>,
    tenant: &TenantId,
    email: EmailId,
    here: &str,
) -> AnyView {
    let Shown { view, with_remote, source } = shown;
    let shown = match view {
        View::Text => as_text(text),
        View::Source => {
            view! { <pre class="body-text body-text--source" tabindex="0" data-testid="source">{source}</pre> }
                .into_any()
        }
        View::Html => match &parts.html_withheld {
            Some(why) => withheld(why, text),
            None => as_html(&parts, tenant, email, here, with_remote),
        },
    };
    let files = attachments(parts, tenant, email);
    (shown, files).into_any()
}

fn as_text(text: Option<Text>) -> AnyView {
    match text {
        Some(Text { said, quoted }) => {
            let quoted = quoted.map(|quoted| {
                view! {
                    // It may hold what decided: who does not want to see it folds it.
                    <details class="details" data-testid="quoted" open=true>
                        <summary>"Quoted text"</summary>
                        <div class="body-text" dir="auto">{quoted}</div>
                    </details>
                }
            });
            view! {
                <div class="body-text" dir="auto" data-testid="body">{said}</div>
                {quoted}
            }
            .into_any()
        }
        None => view! { <p class="hint">"It has no text."</p> }.into_any(),
    }
}

/// The message's text in the place of its HTML.
fn withheld(why: &str, text: Option<Text>) -> AnyView {
    let words = format!("The formatted message is not shown. {why} This is its text.");
    view! {
        <p class="notice tone-attention" data-testid="html-withheld">
            <Icon glyph=Glyph::Alert/>
            <span>{words}</span>
        </p>
        {as_text(text)}
    }
    .into_any()
}

/// The message as its sender laid it out, in a frame that runs nothing, has no cookies of ours and loads nothing.
fn as_html(parts: &Parts, tenant: &TenantId, email: EmailId, here: &str, with_remote: bool) -> AnyView {
    if !parts.has_html {
        return view! { <p class="hint" data-testid="no-html">"It has no formatting: the text is all that it says."</p> }
            .into_any();
    }
    let images = if with_remote { "&images=remote" } else { "" };
    let src = format!("/api/emails/{email}/html?tenant_id={tenant}{images}");
    let blocked = (parts.remote_images > 0 && !with_remote).then(|| {
        let words = match parts.remote_images {
            1 => "1 picture from elsewhere is not loaded: it would tell the sender that this was read."
                .to_owned(),
            n => format!(
                "{n} pictures from elsewhere are not loaded: they would tell the sender that this was read."
            ),
        };
        let show = format!("{here}?view=html&images=remote");
        view! {
            <p class="notice tone-quiet" data-testid="images-blocked">
                <Icon glyph=Glyph::Image/>
                <span>{words}</span>
                <a class="button button--small" href=show data-noscroll="true" data-testid="show-images">
                    "Load them"
                </a>
            </p>
        }
    });
    view! {
        {blocked}
        <iframe
            class="body-frame"
            title="The message as its sender laid it out"
            sandbox="allow-popups allow-popups-to-escape-sandbox"
            referrerpolicy="no-referrer"
            src=src
            data-testid="html"
        ></iframe>
    }
    .into_any()
}

fn attachments(parts: Parts, tenant: &TenantId, email: EmailId) -> AnyView {
    let more = parts.attachment_count.saturating_sub(parts.attachments.len());
    let more = (more > 0).then(|| {
        let words = format!("{more} more are not listed. The original has them.");
        view! { <p class="hint" data-testid="more-attachments">{words}</p> }
    });
    let items = parts
        .attachments
        .into_iter()
        .map(|file: Attachment| {
            let href = format!("/api/emails/{email}/attachments/{}?tenant_id={tenant}", file.index);
            view! {
                <li>
                    <a class="attachment" href=href download rel="external" data-testid="attachment">
                        <Icon glyph=Glyph::Attachment/>
                        <bdi class="breakable">{file.name}</bdi>
                        <span class="hint">
                            {format!("{} · {}", file.content_type, size_words(file.size as u64))}
                        </span>
                    </a>
                </li>
            }
        })
        .collect::<Vec<_>>();
    (!items.is_empty())
        .then(|| {
            view! {
                <ul class="attachments" aria-label="Attachments">{items}</ul>
                {more}
            }
            .into_any()
        })
        .into_any()
}

/// What the extractors took from the message.
#[component]
pub fn Taken(fields: Map<String, Value>, testid: &'static str) -> impl IntoView {
    let items = fields
        .into_iter()
        .filter(|(name, _)| !is_message_field(name))
        .map(|(name, value)| {
            view! {
                <div class="facts__line">
                    <dt>{field_words(&name)}</dt>
                    <dd><Plain value/></dd>
                </div>
            }
            .into_any()
        })
        .collect::<Vec<_>>();
    (!items.is_empty()).then(|| {
        view! {
            <div class="panel extracted" data-testid=testid>
                <h3 class="group__title">"Taken from the message"</h3>
                <dl class="facts">{items}</dl>
            </div>
        }
        .into_any()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_stands_quoted_below_all_that_is_said_is_told_apart() {
        for (body, new, said, quoted, is_listed) in [
            ("Yes.\n\nAnn wrote:\n> q", "Yes.", "Yes.", Some("Ann wrote:\n> q"), false),
            ("Yes. \n\n> q", "Yes.", "Yes.", Some("> q"), false),
            ("Yes.", "Yes.", "Yes.", None, false),
            // Above, between, and what is no end of a line.
            ("> q\n\nYes.", "Yes.", "> q\n\nYes.", None, true),
            ("Yes.\n> q\nNo.", "Yes.\nNo.", "Yes.\n> q\nNo.", None, true),
            ("Yes.Ann\n> q", "Yes.", "Yes.Ann\n> q", None, true),
        ] {
            let Value::Object(mut fields) = json!({"body": body, "new_text": new}) else {
                panic!("an object")
            };
            let expected = Text { said: said.to_owned(), quoted: quoted.map(str::to_owned) };
            assert_eq!(Text::taken_from(&mut fields), Some(expected), "{body}");
            assert_eq!((fields.contains_key("new_text"), fields.contains_key("body")), (is_listed, false));
        }
        let mut older = Map::from_iter([("body".to_owned(), json!("Yes.\n> q"))]);
        let whole = Text { said: "Yes.\n> q".to_owned(), quoted: None };
        assert_eq!(Text::taken_from(&mut older), Some(whole));
        let mut empty = Map::from_iter([("body".to_owned(), json!(" \n"))]);
        assert_eq!((Text::taken_from(&mut empty), Text::taken_from(&mut Map::new())), (None, None));
    }
}
