//! The message that a draft is tried on.

use leptos::prelude::*;

use crate::{
    emails::{dto::DryMessage, pages::EXAMPLE},
    shared::EmailId,
    ui::{
        fields::{SelectField, TextArea},
        host,
        icons::{Glyph, Icon},
        only::Only,
        react::memo,
    },
};

/// The message that is tried.
#[derive(Clone, Copy)]
pub struct Message {
    /// The id of a stored one; empty for another.
    pub stored: RwSignal<String>,
    pub raw: RwSignal<String>,
    /// A file's name, and its bytes in base64.
    pub file: RwSignal<Option<(String, String)>>,
}

impl Message {
    /// The stored one of this id, or an example to write over.
    pub fn new(stored: Option<EmailId>) -> Self {
        Self {
            stored: RwSignal::new(stored.map(|id| id.to_string()).unwrap_or_default()),
            raw: RwSignal::new(EXAMPLE.to_owned()),
            file: RwSignal::new(None),
        }
    }

    pub fn read(self) -> Option<DryMessage> {
        let stored: Option<EmailId> = self.stored.get().parse().ok();
        let file = self.file.get().map(|(_, bytes)| bytes);
        let raw = self.raw.get();
        match (stored, file) {
            (Some(id), _) => Some(DryMessage { email_id: Some(id), ..DryMessage::default() }),
            (None, Some(bytes)) => Some(DryMessage { raw_base64: Some(bytes), ..DryMessage::default() }),
            (None, None) if raw.trim().is_empty() => None,
            (None, None) => Some(DryMessage { raw: Some(raw), ..DryMessage::default() }),
        }
    }
}

/// One of the latest, a pasted text, or a file.
#[component]
pub fn ChooseMessage(message: Message, offered: RwSignal<Vec<(EmailId, String)>>) -> impl IntoView {
    let choices = Signal::derive(move || {
        let mut choices = vec![(String::new(), "another: pasted, or a file".to_owned())];
        choices.extend(offered.get().into_iter().map(|(id, title)| (id.to_string(), title)));
        choices
    });
    let is_other = memo(move || message.stored.read().is_empty());
    let on_file = Callback::new(move |file| message.file.set(Some(file)));
    view! {
        <SelectField
            label="Message"
            path="message"
            value=message.stored
            options=choices
            testid="try-message"
        />
        <Only when=move || is_other.get()>
            <div
                class="drop"
                on:dragover=move |event| host::allow_drop(&event)
                on:drop=move |event| host::read_dropped(&event, on_file)
            >
                <label class="field">
                    <span class="field__label">
                        "A file (.eml)"
                        <span class="with-mouse">"; it can be dropped here"</span>
                    </span>
                    <input
                        type="file"
                        accept=".eml,message/rfc822"
                        data-testid="try-file"
                        on:change=move |event| host::read_chosen(&event, on_file)
                    />
                </label>
                {move || match message.file.get() {
                    Some((name, _)) => view! {
                        <p class="drop__file">
                            <Icon glyph=Glyph::File/>
                            <span class="breakable">{name}</span>
                            <button
                                type="button"
                                class="button button--small"
                                on:click=move |_| message.file.set(None)
                            >
                                "Paste a text instead"
                            </button>
                        </p>
                    }
                    .into_any(),
                    None => view! {
                        <TextArea
                            label="Or its text, as it came"
                            path="message.raw"
                            value=message.raw
                            rows=8
                            is_code=true
                            testid="try-raw"
                        />
                    }
                    .into_any(),
                }}
            </div>
        </Only>
    }
}
