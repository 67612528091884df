//! How a message came, where that was by a mailbox.

use leptos::prelude::*;

use crate::{
    emails::dto::Envelope,
    ui::{
        badge::{Badge, Tone},
        bidi::unturned,
        icons::Glyph,
    },
};

/// What its carrier said of it, and whether the sender is who they say.
#[component]
pub fn Carried(carried: Envelope) -> impl IntoView {
    let client = match (carried.helo.filter(|helo| !helo.is_empty()), carried.client) {
        (Some(helo), Some(client)) => Some(format!("{helo} ({client})")),
        (None, client) => client,
        (helo, None) => helo,
    };
    let sender = carried.from.map(|from| if from.is_empty() { "nobody: a notice".to_owned() } else { from });
    let mark = |name: &'static str, said: Option<String>| {
        said.map(|said| {
            let tone = match said.as_str() {
                "pass" => Tone::Good,
                "fail" | "softfail" | "permerror" => Tone::Attention,
                _ => Tone::Quiet,
            };
            let glyph = match tone {
                Tone::Good => Glyph::Accept,
                Tone::Attention => Glyph::Alert,
                _ => Glyph::Skip,
            };
            view! { <Badge tone glyph text=format!("{name} {said}")/> }
        })
    };
    let signed = (!carried.signed_by.is_empty()).then(|| carried.signed_by.join(", "));
    let line = |name: &'static str, text: Option<String>| {
        text.map(|text| {
            let text = unturned(&text);
            view! { <div class="facts__line"><dt>{name}</dt><dd class="breakable">{text}</dd></div> }
                .into_any()
        })
    };
    view! {
        <section class="panel" aria-label="How it came" data-testid="carried">
            <dl class="facts">
                {line("Came by", Some(carried.mailbox))}
                {line("Handed on by", client)}
                {line("Sent by", sender)}
                {line("Sent to", (!carried.to.is_empty()).then(|| carried.to.join(", ")))}
                <div class="facts__line">
                    <dt>"Sender"</dt>
                    <dd class="labels">
                        {mark("SPF", carried.spf)} {mark("DKIM", carried.dkim)} {mark("DMARC", carried.dmarc)}
                        {mark("ARC", carried.arc)}
                    </dd>
                </div>
                {line("Signed by", signed)}
            </dl>
        </section>
    }
    .into_any()
}
