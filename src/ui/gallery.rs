//! Each widget in each state, at `/dev/ui` of a debug build: to look at, and for the checks of accessibility.

use leptos::prelude::*;

use super::{
    badge::{ActiveBadge, Badge, Tone},
    dialog::{Confirm, Dialog},
    fields::{CheckField, FaultSummary, Faults, SelectField, TextArea, TextField},
    icons::{Glyph, Icon},
    load::Skeleton,
    page::PageHead,
    panel::{Empty, ProblemPanel},
    table::{Cell, DataTable},
    theme::ThemeChoice,
    toast::use_toasts,
};
use crate::shared::{FieldError, Problem};

/// The gallery.
#[component]
pub fn Gallery() -> impl IntoView {
    view! {
        <main id="main" class="main gallery" tabindex="-1">
            <PageHead title="Widgets" lead="Each in each state, as the pages use them.">
                <ThemeChoice/>
            </PageHead>
            <Buttons/>
            <Marks/>
            <Fields/>
            <States/>
            <Windows/>
        </main>
    }
}

/// Erased, as is each section: together their types would be deeper than the compiler follows.
#[component]
fn Shown(title: &'static str, children: Children) -> impl IntoView {
    view! {
        <section class="section">
            <h2>{title}</h2>
            <div class="panel">{children()}</div>
        </section>
    }
    .into_any()
}

#[component]
fn Buttons() -> impl IntoView {
    view! {
        <Shown title="Buttons">
            <div class="marks">
                <button type="button" class="button button--primary"><Icon glyph=Glyph::Accept/>"Primary"</button>
                <button type="button" class="button">"Plain"</button>
                <button type="button" class="button button--quiet">"Quiet"</button>
                <button type="button" class="button button--danger"><Icon glyph=Glyph::Delete/>"Danger"</button>
                <button type="button" class="button button--small">"Small"</button>
                <button type="button" class="button" disabled>"Disabled"</button>
                <button type="button" class="button button--primary" aria-busy="true">
                    <Icon glyph=Glyph::RunAgain/>
                    "Busy"
                </button>
                <button type="button" class="icon-button">
                    <Icon glyph=Glyph::Close/>
                    <span class="visually-hidden">"Icon"</span>
                </button>
                <a href="#main">"A link"</a>
            </div>
        </Shown>
    }
}

#[component]
fn Marks() -> impl IntoView {
    view! {
        <Shown title="Marks">
            <div class="marks">
                <Badge tone=Tone::Good glyph=Glyph::Accept text="Good"/>
                <Badge tone=Tone::Bad glyph=Glyph::Reject text="Bad"/>
                <Badge tone=Tone::Attention glyph=Glyph::Review text="Attention"/>
                <Badge tone=Tone::Quiet glyph=Glyph::Waiting text="Quiet"/>
                <ActiveBadge is_active=true/>
                <ActiveBadge is_active=false/>
                <span class="label">"Label"</span>
                <kbd>"⌘K"</kbd>
            </div>
            {[Tone::Good, Tone::Bad, Tone::Attention, Tone::Quiet]
                .map(|tone| {
                    view! {
                        <p class=format!("notice {}", tone.class())>
                            <Icon glyph=Glyph::Alert/>
                            <span>"A notice of what happened."</span>
                        </p>
                    }
                    .into_any()
                })
                .collect_view()}
        </Shown>
    }
}

#[component]
fn Fields() -> impl IntoView {
    let faults = Faults::provide();
    let (name, code, kind) = (
        RwSignal::new(String::new()),
        RwSignal::new("SELECT * FROM orders WHERE number = ?".to_owned()),
        RwSignal::new("b".to_owned()),
    );
    let text = RwSignal::new(String::new());
    let (is_active, is_stopping) = (RwSignal::new(true), RwSignal::new(false));
    let options =
        Signal::stored(vec![("a".to_owned(), "First".to_owned()), ("b".to_owned(), "Second".to_owned())]);
    let refuse = move |_| {
        faults.show(Problem::invalid(vec![
            FieldError::new("name", "must not be empty"),
            FieldError::new("query", "must be one statement that only reads"),
        ]));
    };
    view! {
        <Shown title="Fields">
            <FaultSummary/>
            <div class="fields">
                <TextField label="Name" path="name" value=name hint="As people will read it."/>
                <SelectField label="One of several" path="kind" value=kind options/>
            </div>
            <TextField label="Query" path="query" value=code is_code=true/>
            <TextArea label="Description" path="description" value=text placeholder="What it is for"/>
            <CheckField label="Active" path="is_active" value=is_active/>
            <CheckField label="Stop here if it fails" path="stop" value=is_stopping hint="Later rules are not asked."/>
            <div class="marks">
                <button type="button" class="button" on:click=refuse>"Show faults"</button>
                <button type="button" class="button" on:click=move |_| faults.clear()>"Clear"</button>
            </div>
        </Shown>
    }
}

#[component]
fn States() -> impl IntoView {
    let retry = Callback::new(|()| ());
    view! {
        <section class="section">
            <h2>"In the place of content"</h2>
            <div class="cards">
                <Skeleton/>
                <Empty title="There is nothing yet">
                    <p>"It says what to do."</p>
                </Empty>
                <ProblemPanel problem=Problem::new(503, "The database cannot be reached") retry/>
                <DataTable caption="A table" columns=&["Name", "State"]>
                    <tr role="row">
                        <Cell label="Name">"One"</Cell>
                        <Cell label="State">
                            <ActiveBadge is_active=true/>
                        </Cell>
                    </tr>
                    <tr role="row">
                        <Cell label="Name">"Two"</Cell>
                        <Cell label="State">
                            <ActiveBadge is_active=false/>
                        </Cell>
                    </tr>
                </DataTable>
            </div>
        </section>
    }
    .into_any()
}

#[component]
fn Windows() -> impl IntoView {
    let toasts = use_toasts();
    let is_open = RwSignal::new(false);
    view! {
        <Shown title="Windows and notices">
            <div class="marks">
                <button type="button" class="button" data-testid="open-dialog" on:click=move |_| is_open.set(true)>
                    "Open a dialog"
                </button>
                <Confirm id="ask" label="Delete …" glyph=Glyph::Delete title="Delete it?">
                    <p>"What belongs to it goes with it."</p>
                    <button type="button" class="button button--danger">"Delete"</button>
                </Confirm>
                <button type="button" class="button" on:click=move |_| toasts.done("It is saved.")>"Notice"</button>
                <button
                    type="button"
                    class="button"
                    on:click=move |_| {
                        let number = toasts.await_undo();
                        toasts.done_as_awaited(number, "3 messages accepted.", move || toasts.done("Undone."));
                        toasts.end_undo(number);
                    }
                >
                    "Notice with undo"
                </button>
                <button
                    type="button"
                    class="button"
                    on:click=move |_| toasts.refused(&Problem::new(400, "It is in use by 2 rules"))
                >
                    "Refusal"
                </button>
            </div>
            <Dialog id="sample" title="A dialog" is_open>
                <p>"It closes by Escape, by the cross, and by a click beside it."</p>
            </Dialog>
        </Shown>
    }
}
