//! What a plain form asks the server for.

use futures::channel::oneshot;
use leptos::{
    ev::SubmitEvent,
    form::form_data_from_event,
    prelude::*,
    server::ServerActionError,
    server_fn::{
        ServerFn, client::browser::BrowserClient, error::ServerFnUrlError, request::ClientReq,
        request::browser::BrowserRequest,
    },
    web_sys::UrlSearchParams,
};
use serde::de::DeserializeOwned;

use super::saving::on_done;
use crate::shared::{
    Problem,
    wire::{self, Caller, Wire},
};

/// What the server does at a form's word, and what came of it: nothing, for most.
///
/// As Leptos' `ServerAction`, but what the form holds is sent as it is, rather than read into the function's arguments and
/// written as the same text again, and the type is that of the answer, not of the function: for each function, the browser
/// would fetch some 12 KB more of WASM.
pub struct FormAction<T: 'static> {
    url: &'static str,
    /// What a form holds, under a number.
    sent: Action<(u32, String), Result<T, Problem>>,
    /// What is on its way, in its order. The page's own: its forms are made anew while it is.
    under_way: StoredValue<Vec<UnderWay>>,
    /// The number of what is sent next.
    next: StoredValue<u32>,
    /// What the form held that was answered last; none where the answer came with the page.
    answered: StoredValue<Option<String>>,
    /// What was asked last, by forms that only ask.
    asked: Option<StoredValue<Option<ActionAbortHandle>>>,
}

struct UnderWay {
    /// The same may be sent again after something else.
    number: u32,
    body: String,
    /// Ends when it was answered. Whoever is sent next waits for it.
    answered: Option<oneshot::Receiver<()>>,
}

impl<T> Clone for FormAction<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for FormAction<T> {}

/// For forms that ask for this function, which takes what forms send.
pub fn form_action<F>() -> FormAction<F::Output>
where
    F: ServerFn<Error = Problem, Client = BrowserClient, Protocol = Wire>,
    F::Output: DeserializeOwned + Clone + Send + Sync + 'static,
{
    FormAction::new(F::PATH, F::url())
}

/// The same for forms that only ask, and change nothing: what is asked last waits for nothing, and what was asked before it
/// is given up.
pub fn form_question<F>() -> FormAction<F::Output>
where
    F: ServerFn<Error = Problem, Client = BrowserClient, Protocol = Wire>,
    F::Output: DeserializeOwned + Clone + Send + Sync + 'static,
{
    FormAction { asked: Some(StoredValue::new(None)), ..form_action::<F>() }
}

impl<T: DeserializeOwned + Clone + Send + Sync + 'static> FormAction<T> {
    fn new(path: &'static str, url: &'static str) -> Self {
        // Where no script runs, a refusal comes with the page's address.
        let refusal = use_context::<ServerActionError>().filter(|refusal| refusal.path() == path);
        let refusal = refusal.map(|refusal| Err(ServerFnUrlError::<Problem>::decode_err(refusal.err())));
        let under_way = StoredValue::new(Vec::<UnderWay>::new());
        let last_answered = StoredValue::new(None::<String>);
        let sent = Action::new_with_value(refusal, move |(number, body): &(u32, String)| {
            let (number, body) = (*number, body.clone());
            let (answer_is_here, answered) = oneshot::channel();
            // The page may have been left by now.
            let before = under_way.try_update_value(|sent| {
                let own = sent.iter().position(|other| other.number == number)?;
                sent[own].answered = Some(answered);
                sent[own.checked_sub(1)?].answered.take()
            });
            async move {
                // Two that are sent at once arrive in any order, and what is then kept may be the one before the last.
                if let Some(before) = before.flatten() {
                    let _ = before.await;
                }
                let answer = post(url, body.clone()).await;
                let _ = under_way.try_update_value(|sent| sent.retain(|other| other.number != number));
                let _ = last_answered.try_set_value(Some(body));
                drop(answer_is_here);
                wire::read(&answer?)
            }
        });
        Self { url, sent, under_way, next: StoredValue::new(0), answered: last_answered, asked: None }
    }
}

impl<T: Clone + Send + Sync + 'static> FormAction<T> {
    /// Where the form is sent to.
    pub fn url(self) -> &'static str {
        self.url
    }

    pub fn value(self) -> MappedSignal<Option<Result<T, Problem>>> {
        self.sent.value()
    }

    /// What was answered, where `field` was sent as what the page shows now: whoever went on to another of its kind has the
    /// same page still.
    pub fn answer_of<I: ToString + 'static>(
        self,
        field: &'static str,
        shown: impl Fn() -> Option<I> + Send + Sync + 'static,
    ) -> Signal<Option<Result<T, Problem>>> {
        let answer = self.value();
        Signal::derive(move || {
            let shown = shown().map(|id| id.to_string());
            answer.get().filter(|_| self.was_sent_as(field, shown.as_deref()))
        })
    }

    /// Empties the field that `typed` holds, and the form sends as `field`, once what stands there was sent and done. What was
    /// typed meanwhile stays.
    pub fn empties(self, field: &'static str, typed: RwSignal<String>) {
        on_done(self.answer_of(field, move || typed.try_get_untracked()), move |_| typed.set(String::new()));
    }

    /// What came of it last, until `ended` was asked with its `id` as `field`, and did it: a secret that opens nothing any more
    /// is not shown.
    pub fn until<I: ToString + 'static>(
        self,
        ended: FormAction<()>,
        field: &'static str,
        id: impl Fn(&T) -> I + Send + Sync + 'static,
    ) -> RwSignal<Option<T>> {
        let last = RwSignal::new(None::<T>);
        on_done(self.value(), move |made| last.set(Some(made)));
        let shown = move || last.try_with_untracked(|last| last.as_ref().map(&id)).flatten();
        on_done(ended.answer_of(field, shown), move |()| last.set(None));
        last
    }

    /// Whether what was answered last held this; so did what came with the page.
    fn was_sent_as(self, field: &str, value: Option<&str>) -> bool {
        let answered = self.answered.try_get_value().flatten();
        answered.is_none_or(|body| {
            let fields = UrlSearchParams::new_with_str(&body).ok();
            fields.and_then(|fields| fields.get(field)).as_deref() == value
        })
    }

    pub fn pending(self) -> Memo<bool> {
        self.sent.pending()
    }

    /// How often it was answered.
    pub fn version(self) -> RwSignal<usize> {
        self.sent.version()
    }

    /// Sends what a form holds, unless the same was sent last and is still on its way; after what was sent before was
    /// answered.
    pub fn send(self, body: String) {
        let Some(number) = self.next.try_get_value() else { return };
        let is_new = self.under_way.try_update_value(|sent| {
            let is_new = sent.last().is_none_or(|last| last.body != body);
            if is_new {
                if self.asked.is_some() {
                    sent.clear();
                }
                sent.push(UnderWay { number, body: body.clone(), answered: None });
            }
            is_new
        });
        if is_new == Some(true) {
            self.next.set_value(number.wrapping_add(1));
            let asking = self.sent.dispatch((number, body));
            let before = self.asked.and_then(|asked| asked.try_update_value(|asked| asked.replace(asking)));
            if let Some(before) = before.flatten() {
                before.abort();
            }
        }
    }
}

/// A form's fields and its button's, as `application/x-www-form-urlencoded` (WHATWG URL, section 5).
pub fn body_of(event: &SubmitEvent) -> Option<String> {
    let fields = form_data_from_event(event).ok()?;
    let fields = UrlSearchParams::new_with_str_sequence_sequence(&fields).ok()?;
    fields.to_string().as_string()
}

async fn post(url: &'static str, body: String) -> Result<String, Problem> {
    let request: BrowserRequest = <BrowserRequest as ClientReq<Problem>>::try_new_post(
        url,
        "application/x-www-form-urlencoded",
        wire::JSON,
        body,
    )?;
    BrowserClient::call(request).await
}
