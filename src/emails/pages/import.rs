//! Messages that lie in files come in: a button beside the list, and the window that it opens.

use leptos::prelude::*;

use super::bulk::ForWorkers;
use crate::{
    app::CurrentTenant,
    emails::dto::{Imported, RefusedMessage},
    shared::{TenantId, wire},
    ui::{
        badge::Tone,
        dialog::{Dialog, OnceOpened},
        host::Chosen,
        icons::{Glyph, Icon},
        upload::{Arrivals, Outcome, Outgoing, Target, UploadForm, Uploads},
    },
};

/// For those who may. Needs a script, and shows only where there is one.
#[component]
pub fn Import(tenant: CurrentTenant) -> impl IntoView {
    let is_open = RwSignal::new(false);
    // One after the other. They go on, and are shown again, when the window was closed.
    let uploads = Uploads::new(1, told);
    view! {
        <ForWorkers>
            <button
                type="button"
                class="button needs-script"
                data-testid="import"
                on:click=move |_| is_open.set(true)
            >
                <Icon glyph=Glyph::Upload/>
                "Import"
            </button>
            <OnceOpened is_open>
                <Dialog id="import-messages" title="Import messages" is_open>
                    <Files tenant uploads/>
                </Dialog>
            </OnceOpened>
        </ForWorkers>
    }
}

#[component]
fn Files(tenant: CurrentTenant, uploads: Uploads) -> impl IntoView {
    let send = Callback::new(move |files: Vec<Chosen>| {
        // The page of no tenant has no such window.
        if let Ok(tenant) = untrack(|| tenant.id()) {
            uploads.send(files.into_iter().map(|file| outgoing(&tenant, file)).collect());
        }
    });
    view! {
        <p>
            "Files of one message each (.eml), or of many (mbox). Each message is decided on, and sent where its \
             intent's routes lead, as if it came in now. What came from a file or by the API before, with \
             the same bytes, is not taken in again; what came by a mailbox is."
        </p>
        <UploadForm id="import-field" label="Files" button="Import" send/>
        <Arrivals uploads/>
    }
}

fn outgoing(tenant: &TenantId, file: Chosen) -> Outgoing {
    let address = format!("/api/emails/import?tenant_id={tenant}");
    let target = Target { method: "POST", address, kind_of: Some(kind_of) };
    Outgoing { name: file.name(), file, target }
}

/// Some programs give the files in which they keep many no ending at all, and some that of one message.
fn kind_of(name: &str, beginning: &str) -> &'static str {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let is_mbox = ["mbox", "mbx"].iter().any(|known| ending.eq_ignore_ascii_case(known));
    if is_mbox || beginning.starts_with("From ") { "application/mbox" } else { "message/rfc822" }
}

fn told(name: &str, answer: Result<&str, &str>) -> Outcome {
    match answer.map(wire::read::<Imported>) {
        Ok(Ok(imported)) => {
            let tone = match &imported {
                Imported { refused_count: 1.., .. } => Tone::Attention,
                Imported { stored: 0, .. } => Tone::Quiet,
                _ => Tone::Good,
            };
            Outcome { tone, text: format!("{name}: {}", words(&imported)), lines: refused_words(&imported) }
        }
        Ok(Err(_)) => {
            let text = format!("{name} was sent, but the server's answer cannot be read");
            Outcome { tone: Tone::Attention, text, lines: Vec::new() }
        }
        Err(why) => {
            let text = format!("{name} was not taken in to its end: {why}");
            Outcome { tone: Tone::Bad, text, lines: Vec::new() }
        }
    }
}

/// What became of a file's messages, in a sentence each.
fn words(imported: &Imported) -> String {
    let mut words = match imported.stored {
        0 => "no new message is stored.".to_owned(),
        1 => "1 message is stored.".to_owned(),
        count => format!("{count} messages are stored."),
    };
    match imported.known {
        0 => {}
        1 => words += " 1 was here already.",
        count => words += &format!(" {count} were here already."),
    }
    match imported.refused_count {
        0 => {}
        1 => words += " 1 was refused:",
        count => words += &format!(" {count} were refused:"),
    }
    words
}

/// A line for each message that was refused, as far as the server tells of it.
fn refused_words(imported: &Imported) -> Vec<String> {
    let line = |RefusedMessage { number, message_id, reason }: &RefusedMessage| match message_id {
        Some(id) => format!("Message {number} ({id}): {reason}"),
        None => format!("Message {number}: {reason}"),
    };
    let mut lines: Vec<String> = imported.refused.iter().map(line).collect();
    let more = imported.refused_count.saturating_sub(lines.len());
    if more > 0 {
        lines.push(format!("And {more} more"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_a_file_is_told_in_plain_words() {
        let imported = |stored, known, refused_count| Imported {
            found: stored + known + refused_count,
            stored,
            known,
            refused_count,
            refused: vec![],
        };
        assert_eq!(words(&imported(12, 3, 1)), "12 messages are stored. 3 were here already. 1 was refused:");
        assert_eq!(words(&imported(1, 0, 0)), "1 message is stored.");
        assert_eq!(
            words(&imported(0, 1, 2)),
            "no new message is stored. 1 was here already. 2 were refused:"
        );
        let refused =
            RefusedMessage { number: 3, message_id: Some("a@b".into()), reason: "It is empty".into() };
        let told = Imported { refused: vec![refused], ..imported(0, 0, 120) };
        assert_eq!(refused_words(&told), ["Message 3 (a@b): It is empty", "And 119 more"]);
    }

    #[test]
    fn a_file_is_what_it_begins_like_or_is_called() {
        for (name, beginning, kind) in [
            ("a.eml", "Received", "message/rfc822"),
            ("a.eml", "From ann", "application/mbox"),
            ("Inbox", "From ann", "application/mbox"),
            ("a.MBOX", "", "application/mbox"),
            ("Inbox", "From: an", "message/rfc822"),
        ] {
            assert_eq!(kind_of(name, beginning), kind, "{name} {beginning}");
        }
    }
}
