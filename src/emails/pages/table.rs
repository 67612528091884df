//! Messages as rows: still, and such that change in place.

use leptos::{html::Input, prelude::*};

use super::{
    marks::{DecisionMark, standing},
    selection::{Choice, Words},
};
use crate::{
    app::{MAIN, tenant_page},
    emails::dto::{Email, EmailStatus, NOTHING_FITS},
    shared::EmailId,
    ui::{
        badge::{Badge, Tone},
        bidi::unturned,
        each::Each,
        fields::is_followed,
        host,
        icons::Glyph,
        react::memo,
        step::Step,
        table::{Cell, DataTable},
        time::Timestamp,
    },
};

/// The links that `j` and `k` walk through.
pub const ROWS: &str = ".row-link__target";

/// How the ids of those links begin.
const ROW: &str = "message-";

pub fn row_id(email: EmailId) -> String {
    format!("{ROW}{email}")
}

/// Whether the keyboard is at a row.
pub fn is_at_row() -> bool {
    host::focused_id().is_some_and(|id| id.starts_with(ROW))
}

/// Puts the keyboard at the row of a message; where there is none, at the page's start, where `j` begins.
pub fn go_to_row(email: Option<EmailId>) {
    match email {
        Some(email) => host::focus(&row_id(email)),
        None => host::focus(MAIN),
    }
}

/// Of a row that does not belong in the list any more.
const LEFT: &str = "Left this list";

const COLUMNS: &[&str] = &["Decision", "Subject", "From", "Intent", "Received"];

/// Messages, one a row; each leads to all that happened to it.
#[component]
pub fn MessageTable(emails: Vec<Email>) -> impl IntoView {
    let rows = emails
        .into_iter()
        .map(|email| {
            view! {
                <tr role="row" class="row-link" data-testid="message-row">
                    <Step>
                        <Cell label="Decision">
                            <DecisionMark status=email.status decision=email.decision/>
                        </Cell>
                        <Cells email/>
                    </Step>
                </tr>
            }
            .into_any()
        })
        .collect_view();
    view! {
        <DataTable caption="Messages" class="table--messages" columns=COLUMNS>
            {rows}
        </DataTable>
    }
}

/// The same, whose rows change in place and can be chosen. A row stays the same element as long as it is in the list,
/// so that the keyboard stays where it is.
#[component]
pub fn LiveTable(
    rows: RwSignal<Vec<Email>>,
    /// Those of them that do not belong in the list any more.
    left: RwSignal<Vec<EmailId>>,
    words: Words,
    /// None for who may only look.
    choice: Option<Choice>,
) -> impl IntoView {
    view! {
        <DataTable caption="Messages" class="table--messages table--live" columns=COLUMNS>
            <Each each=move || rows.get() key=|email| email.email_id let:email>
                <LiveRow email rows left words choice/>
            </Each>
        </DataTable>
    }
}

#[component]
fn LiveRow(
    email: Email,
    rows: RwSignal<Vec<Email>>,
    left: RwSignal<Vec<EmailId>>,
    words: Words,
    choice: Option<Choice>,
) -> impl IntoView {
    let id = email.email_id;
    let choose = choice.map(|choice| {
        view! { <Choose id label=format!("Choose {}", subject_of(&email)) choice/> }.into_any()
    });
    let is_chosen = move || choice.is_some_and(|choice| choice.selection.has(id));
    let has_left = memo(move || left.read().contains(&id));
    let now = memo(move || {
        rows.read().iter().find(|email| email.email_id == id).cloned().unwrap_or_else(|| email.clone())
    });
    // How it stands now, the answer did not say.
    let is_untold = memo(move || {
        has_left.get() && now.with(|email| email.status == EmailStatus::Done && email.decision.is_none())
    });
    view! {
        <tr
            role="row"
            class="row-link"
            class:row-link--chosen=is_chosen
            class:row-link--left=has_left
            aria-busy=move || words.is_awaited(id).then_some("true")
            data-testid="message-row"
        >
            <Step>
                <td role="cell" data-label="Decision" class="row-link__mark">
                    {choose}
                    {move || {
                        let (tone, glyph, text) = if is_untold.get() {
                            (Tone::Quiet, Glyph::Skip, LEFT)
                        } else {
                            now.with(|email| standing(email.status, email.decision))
                        };
                        view! { <Badge tone glyph text/> }
                    }}
                    <span class="hint row-link__left">
                        {move || if has_left.get() && !is_untold.get() { LEFT } else { "" }}
                    </span>
                </td>
                // The elements stay, and what they say is changed.
                {move || view! { <Cells email=now.get()/> }}
            </Step>
        </tr>
    }
}

/// The box that chooses a message; with Shift, all from the last that was chosen.
#[component]
fn Choose(id: EmailId, label: String, choice: Choice) -> impl IntoView {
    let Choice { selection, listed, .. } = choice;
    let node = NodeRef::<Input>::new();
    let is_followed = is_followed(move || {
        let Some(input) = node.try_get().flatten() else { return false };
        if input.checked() && selection.is_there() {
            selection.set(id, true);
        }
        true
    });
    view! {
        // With Shift, browsers would choose the text in between, too.
        <label
            class="row-link__choose"
            on:mousedown=move |event| {
                if event.shift_key() {
                    event.prevent_default();
                }
            }
        >
            <span class="visually-hidden">{label}</span>
            <input
                node_ref=node
                // By it the keyboard comes back, where the row is put elsewhere.
                id=format!("choose-{id}")
                type="checkbox"
                // Or the browser would tick, on the way back, whatever stands at that place by then.
                autocomplete="off"
                data-testid="choose"
                prop:checked=move || is_followed.get().then(|| selection.has(id))
                on:click=move |event| {
                    if event.shift_key() && selection.is_there() {
                        let is_chosen = event_target_checked(&event);
                        selection.set_through(id, &listed.get_untracked(), is_chosen);
                    }
                }
                on:change=move |event| selection.set(id, event_target_checked(&event))
            />
        </label>
    }
}

/// What stands beside the mark.
#[component]
fn Cells(email: Email) -> impl IntoView {
    let id = row_id(email.email_id);
    let href = tenant_page(&email.tenant_id, &format!("/messages/{}", email.email_id));
    let subject = subject_of(&email);
    let (name, address) = sender_of(&email);
    // The link lies over the whole row, so the pointer finds nothing else's.
    let title = is_cut(&subject, &address).then(|| format!("{subject}\n{address}"));
    // Without it, screen readers would read the title, which repeats the link.
    let description = describe(&email);
    let below = unturned(below(&email));
    let address_class = if name.is_some() { "hint breakable" } else { "breakable" };
    let (local, domain) = address_parts(&address);
    let (intent, intent_class) = match email.intent {
        Some(intent) => (intent.name, "row-link__intent"),
        None => ("No intent".to_owned(), "row-link__intent hint"),
    };
    view! {
        <Cell label="Subject">
            <span class="stacked">
                <a
                    id=id
                    class="row-link__target"
                    href=href
                    title=title
                    aria-description=description
                    dir="auto"
                >
                    {subject}
                </a>
                <span class="hint clamped" dir="auto">{below}</span>
            </span>
        </Cell>
        <Cell label="From">
            <span class="stacked">
                {name.map(|name| view! { <span class="clamped" dir="auto">{name}</span> }.into_any())}
                // It is broken within a word only where a part of it has no room in a line.
                <span class=address_class dir="auto">{local}<wbr/>{domain}</span>
            </span>
        </Cell>
        <Cell label="Intent">
            <span class=intent_class>{intent}</span>
        </Cell>
        <Cell label="Received">
            <Timestamp at=email.received_at/>
        </Cell>
    }
}

/// How it stands, and who wrote.
fn describe(email: &Email) -> String {
    let (name, address) = sender_of(email);
    format!("{}, from {}", standing(email.status, email.decision).2, name.unwrap_or(address))
}

/// What stands below its subject: why it was decided so, or what it waits for; what the message says, where that would
/// say of many rows the same, or nothing yet.
fn below(email: &Email) -> &str {
    let is_told = !email.explanation.is_empty() && !email.explanation.starts_with(NOTHING_FITS);
    if is_told || email.preview.is_empty() { &email.explanation } else { &email.preview }
}

/// What stands before the sign of an address, and the rest.
pub fn address_parts(address: &str) -> (String, String) {
    let (local, domain) = address.split_at(address.rfind('@').unwrap_or(address.len()));
    (local.to_owned(), domain.to_owned())
}

/// So many bytes of a subject and of an address have room in their lines of a wide list.
const ROOM_IN_ROW: (usize, usize) = (36, 24);

/// Whether a row may cut its subject or its sender's address.
fn is_cut(subject: &str, address: &str) -> bool {
    subject.len() > ROOM_IN_ROW.0 || address.len() > ROOM_IN_ROW.1
}

/// So much of a subject may have room in three lines of a heading, on a phone and on a wide page: in letters, of which those
/// of Chinese, Japanese and Korean take twice the room.
const ROOM: (usize, usize) = (110, 330);

/// The class of what unfolds a subject, where a heading cuts it; none where it has room.
pub fn length_of(subject: &str) -> Option<&'static str> {
    let width: usize = subject.chars().map(|letter| if letter < '\u{1100}' { 1 } else { 2 }).sum();
    match width {
        width if width > ROOM.1 => Some(""),
        width if width > ROOM.0 => Some("whole-subject--narrow"),
        _ => None,
    }
}

/// The subject, or what stands for it.
pub fn subject_of(email: &Email) -> String {
    shown_subject(&email.subject)
}

/// The same of a subject alone.
pub fn shown_subject(subject: &str) -> String {
    match unturned(subject).trim() {
        "" => "(no subject)".to_owned(),
        subject => subject.to_owned(),
    }
}

/// Who wrote: by their name, where they gave one that is not their address, and by that.
pub fn sender_of(email: &Email) -> (Option<String>, String) {
    let (name, address) = (unturned(&email.sender_name), unturned(&email.sender_email));
    let name = name.trim();
    ((!name.is_empty() && name != address).then(|| name.to_owned()), address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_a_subject_stands_what_the_row_does_not_say_already() {
        let (why, text) = ("Rejected: no order in the message.", "Where is my order?");
        let email = |explanation: &str, preview: &str| Email {
            explanation: explanation.into(),
            preview: preview.into(),
            ..Email::sample(EmailId(uuid::Uuid::nil()), "")
        };
        assert_eq!(below(&email("", text)), text, "nothing is told yet");
        assert_eq!(below(&email(NOTHING_FITS, text)), text);
        assert_eq!(below(&email(&format!("{NOTHING_FITS} It looks like Orders (62 %)."), text)), text);
        assert_eq!(below(&email(NOTHING_FITS, "")), NOTHING_FITS);
        assert_eq!(below(&email(why, text)), why);
    }

    #[test]
    fn a_stranger_turns_nothing_around() {
        let email = Email {
            subject: " \u{202e}1042 redro".into(),
            sender_name: "Bank \u{202e}".into(),
            sender_email: "a@b.example".into(),
            ..Email::sample(EmailId(uuid::Uuid::nil()), "")
        };
        assert_eq!(subject_of(&email), "1042 redro");
        assert_eq!(sender_of(&email), (Some("Bank".to_owned()), "a@b.example".to_owned()));
        assert_eq!(shown_subject("\u{200f} "), "(no subject)");
        let unnamed = Email { sender_name: "a@b.example\u{202c}".into(), ..email };
        assert_eq!(sender_of(&unnamed).0, None);
    }

    #[test]
    fn a_heading_offers_more_only_of_what_it_cuts() {
        assert_eq!(length_of(&"a".repeat(110)), None);
        assert_eq!(length_of(&"ش".repeat(110)), None, "by letters, not by bytes");
        assert_eq!(length_of(&"a".repeat(111)), Some("whole-subject--narrow"));
        assert_eq!(length_of(&"是".repeat(56)), Some("whole-subject--narrow"));
        assert_eq!(length_of(&"a".repeat(331)), Some(""));
    }

    #[test]
    fn what_a_row_may_cut_is_told_to_the_pointer() {
        assert!(!is_cut("Where is my order 1042?", "ann@customer.example"));
        assert!(is_cut("Where is my order 1042, which you promised?", "ann@customer.example"));
        assert!(is_cut("Hello", "priya.nair@northwind.example"));
    }
}
