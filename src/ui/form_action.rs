//! What a plain form asks the server for.

use leptos::{
    ev::SubmitEvent,
    form::form_data_from_event,
    prelude::*,
    server::ServerActionError,
    server_fn::{
        Http, ServerFn,
        client::{Client, browser::BrowserClient},
        codec::{Json, PostUrl},
        error::{FromServerFnError, ServerFnErrorErr, ServerFnUrlError},
        redirect::call_redirect_hook,
        request::{ClientReq, browser::BrowserRequest},
        response::{ClientRes, browser::BrowserResponse},
    },
    web_sys::UrlSearchParams,
};
use serde::de::DeserializeOwned;

use crate::shared::Problem;

/// What the server does at a form's word, and what came of it: nothing, for most.
///
/// As Leptos' `ServerAction`, but what the form holds is sent as it is, rather than read into the function's arguments and
/// written as the same text again, and the type is that of the answer, not of the function: for each function, the browser
/// would fetch some 12 KB more of WASM.
pub struct FormAction<T: 'static> {
    url: &'static str,
    sent: Action<String, Result<T, Problem>>,
    /// What is on its way. The page's own: its forms are made anew while it is.
    under_way: StoredValue<Vec<String>>,
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
    F: ServerFn<Error = Problem, Client = BrowserClient, Protocol = Http<PostUrl, Json>>,
    F::Output: DeserializeOwned + Clone + Send + Sync + 'static,
{
    FormAction::new(F::PATH, F::url())
}

impl<T: DeserializeOwned + Clone + Send + Sync + 'static> FormAction<T> {
    fn new(path: &'static str, url: &'static str) -> Self {
        // Where no script runs, a refusal comes with the page's address.
        let refusal = use_context::<ServerActionError>().filter(|refusal| refusal.path() == path);
        let refusal = refusal.map(|refusal| Err(ServerFnUrlError::<Problem>::decode_err(refusal.err())));
        let under_way = StoredValue::new(Vec::<String>::new());
        let sent = Action::new_with_value(refusal, move |body: &String| {
            let body = body.clone();
            async move {
                let answer = post(url, body.clone()).await;
                // The page may have been left by now.
                let _ = under_way.try_update_value(|bodies| bodies.retain(|other| *other != body));
                read(&answer?)
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

    /// Sends what a form holds, unless the same is on its way.
    pub fn send(self, body: String) {
        let is_new = self.under_way.try_update_value(|bodies| {
            let is_new = !bodies.contains(&body);
            if is_new {
                bodies.push(body.clone());
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

fn read<T: DeserializeOwned>(answer: &str) -> Result<T, Problem> {
    serde_json::from_str(answer).map_err(|error| unreadable(error.to_string()))
}

fn unreadable(why: String) -> Problem {
    Problem::from_server_fn_error(ServerFnErrorErr::Deserialization(why))
}

/// Calls a server function as `ServerFn::run_on_client` does.
async fn post(url: &'static str, body: String) -> Result<String, Problem> {
    let request: BrowserRequest = <BrowserRequest as ClientReq<Problem>>::try_new_post(
        url,
        "application/x-www-form-urlencoded",
        "application/json",
        body,
    )?;
    let answer: BrowserResponse = <BrowserClient as Client<Problem>>::send(request).await?;
    let status = ClientRes::<Problem>::status(&answer);
    let leads_on = (300..=399).contains(&status) || ClientRes::<Problem>::has_redirect(&answer);
    let location = ClientRes::<Problem>::location(&answer);
    let text: String = ClientRes::<Problem>::try_into_string(answer).await?;
    if (400..=599).contains(&status) {
        return Err(read(&text).unwrap_or_else(|problem| problem));
    }
    if leads_on {
        call_redirect_hook(&location);
    }
    Ok(text)
}
