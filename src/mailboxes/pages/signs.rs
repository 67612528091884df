//! The signs of life of a mailbox.

use chrono::{DateTime, Utc};
use leptos::prelude::*;

use super::words::{count_words, state_words};
use crate::{
    mailboxes::dto::Heartbeat,
    ui::{
        badge::Badge,
        editor::Section,
        icons::{Glyph, Icon},
        time::Timestamp,
    },
};

/// How a mailbox is; of one that fails, also why and since when.
#[component]
pub fn Standing(heartbeat: Heartbeat) -> impl IntoView {
    let (tone, glyph, text) = state_words(heartbeat.state);
    let problem = heartbeat.problem.map(|problem| {
        view! { <span class="breakable" data-testid="mailbox-problem">{problem}</span> }.into_any()
    });
    let since = heartbeat
        .failing_since
        .map(|at| view! { <span class="hint">"since " <Timestamp at/></span> }.into_any());
    view! {
        <div class="stacked">
            <div>
                <Badge tone glyph text/>
            </div>
            {problem}
            {since}
        </div>
    }
}

/// A time, or that it has not been.
pub fn or_never(at: Option<DateTime<Utc>>) -> AnyView {
    match at {
        Some(at) => view! { <Timestamp at/> }.into_any(),
        None => view! { <span class="hint">"never"</span> }.into_any(),
    }
}

/// The signs of life, as the editor begins with them.
#[component]
pub fn Signs(heartbeat: Heartbeat) -> impl IntoView {
    let (seen, message) = (or_never(heartbeat.last_seen_at), or_never(heartbeat.last_message_at));
    let counts = count_words(&heartbeat).join(", ");
    view! {
        <Section id="edit-signs" title="How it is">
            <dl class="facts" data-testid="mailbox-signs">
                <div class="facts__line">
                    <dt>"State"</dt>
                    <dd>
                        <Standing heartbeat/>
                    </dd>
                </div>
                <div class="facts__line">
                    <dt>"Last seen"</dt>
                    <dd>{seen}</dd>
                </div>
                <div class="facts__line">
                    <dt>"Last message"</dt>
                    <dd>{message}</dd>
                </div>
                <div class="facts__line">
                    <dt>"Messages"</dt>
                    <dd>{counts}</dd>
                </div>
            </dl>
        </Section>
    }
}

/// Where an installation takes no mail from other servers.
#[component]
pub fn NotListening() -> impl IntoView {
    view! {
        <p class="notice tone-attention" data-testid="not-listening">
            <Icon glyph=Glyph::Alert/>
            <span>
                "This installation takes no mail by SMTP or LMTP until its administrator sets "
                <code>"SMTP_LISTEN"</code> " or " <code>"LMTP_LISTEN"</code>
                ". What is fetched by IMAP comes all the same."
            </span>
        </p>
    }
}
