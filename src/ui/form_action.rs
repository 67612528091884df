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
    sent: Action<String, Result<T, Problem>>,
    /// What is on its way, in its order. The page's own: its forms are made anew while it is.
    under_way: StoredValue<Vec<UnderWay>>,
}

struct UnderWay {
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

impl<T: DeserializeOwned + Clone + Send + Sync + 'static> FormAction<T> {
    fn new(path: &'static str, url: &'static str) -> Self {
        // Where no script runs, a refusal comes with the page's address.
        let refusal = use_context::<ServerActionError>().filter(|refusal| refusal.path() == path);
        let refusal = refusal.map(|refusal| Err(ServerFnUrlError::<Problem>::decode_err(refusal.err())));
        let under_way = StoredValue::new(Vec::<UnderWay>::new());
        let sent = Action::new_with_value(refusal, move |body: &String| {
            let body = body.clone();
            let (answer_is_here, answered) = oneshot::channel();
            // The page may have been left by now.
            let before = under_way.try_update_value(|sent| {
                let own = sent.iter().position(|other| other.body == body)?;
                sent[own].answered = Some(answered);
                sent[own.checked_sub(1)?].answered.take()
            });
            async move {
                // Two that are sent at once arrive in any order, and what is then kept may be the one before the last.
                if let Some(before) = before.flatten() {
                    let _ = before.await;
                }
                let answer = post(url, body.clone()).await;
                let _ = under_way.try_update_value(|sent| sent.retain(|other| other.body != body));
                drop(answer_is_here);
                wire::read(&answer?)
            }
        });
        Self { url, sent, under_way }
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

    pub fn pending(self) -> Memo<bool> {
        self.sent.pending()
    }

    /// How often it was answered.
    pub fn version(self) -> RwSignal<usize> {
        self.sent.version()
    }

    /// Sends what a form holds, unless the same is on its way; after what was sent before was answered.
    pub fn send(self, body: String) {
        let is_new = self.under_way.try_update_value(|sent| {
            let is_new = sent.iter().all(|other| other.body != body);
            if is_new {
                sent.push(UnderWay { body: body.clone(), answered: None });
            }
            is_new
        });
        if is_new == Some(true) {
            self.sent.dispatch(body);
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
