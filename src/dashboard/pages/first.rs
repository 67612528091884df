//! What to do first, where there is nothing yet.

use leptos::prelude::*;

use crate::{
    app::tenant_page,
    auth::{authority::Permission, dto::Role},
    shared::TenantId,
    ui::{
        badge::{Badge, Tone},
        icons::Glyph,
    },
};

/// The first steps, in their order, each with the ways that the reader may go. Who is known to have none of the first two
/// reads whose they are.
#[component]
pub fn FirstSteps(
    tenant: TenantId,
    /// The reader's, if it is known.
    role: Option<Role>,
    has_datasource: bool,
) -> impl IntoView {
    let may = move |permission| role.is_some_and(|role| role.may(permission));
    let way = move |(permission, page, words): (Permission, &'static str, &'static str)| {
        may(permission)
            .then(|| view! { <a class="button" href=tenant_page(&tenant, page)>{words}</a> }.into_any())
    };
    let steps = [
        (
            "1. A datasource",
            "Where the truth is: a database, an HTTP API or a file. Its config says how to get there.",
            vec![
                (Permission::Credentials, "/configs/new", "New config"),
                (Permission::Configure, "/datasources/new", "New datasource"),
            ],
        ),
        (
            "2. An intent",
            "What a sender wants, how a message is known by it, and the rules that check what it claims.",
            vec![(Permission::Configure, "/intents/new", "New intent")],
        ),
        (
            "3. Messages",
            "They come by a mailbox, or from a program with an API key. To see what one would come to, paste it.",
            vec![
                (Permission::Mailboxes, "/mailboxes/new", "New mailbox"),
                (Permission::Members, "/keys", "API keys"),
                (Permission::WorkMessages, "/try", "Paste a message"),
            ],
        ),
    ];
    let cards = steps
        .into_iter()
        .enumerate()
        .map(|(at, (title, words, ways))| {
            let is_done = at == 0 && has_datasource;
            let ways = ways.into_iter().filter_map(&way).collect_view();
            view! {
                <li class="card">
                    <div class="card__head">
                        <h3 class="card__title">{title}</h3>
                        {is_done
                            .then(|| view! { <Badge tone=Tone::Good glyph=Glyph::Accept text="done"/> }.into_any())}
                    </div>
                    <p class="hint">{words}</p>
                    <div class="actions">{ways}</div>
                </li>
            }
            .into_any()
        })
        .collect_view();
    view! {
        <section class="section section--first" aria-labelledby="first-steps" data-testid="first-steps">
            <h2 id="first-steps">"First steps"</h2>
            {role
                .is_some_and(|role| !role.may(Permission::Configure))
                .then(|| {
                    view! { <p class="hint">"The first two are for those who have the role editor or admin here."</p> }
                        .into_any()
                })}
            <ol class="tiles first-steps">{cards}</ol>
        </section>
    }
}
