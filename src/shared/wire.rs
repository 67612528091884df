//! How a page calls the server, and reads what it answers.

mod json;

use std::{marker::PhantomData, pin::Pin};

use http::Method;
use leptos::server_fn::{
    ContentType, Http, Protocol,
    client::{Client, browser::BrowserClient},
    codec::{Encoding, IntoReq, Json, PostUrl},
    error::{FromServerFnError, ServerFnErrorErr},
    redirect::call_redirect_hook,
    request::{Req, browser::BrowserRequest},
    response::{ClientRes, browser::BrowserResponse},
    server::Server,
};
use serde::de::DeserializeOwned;

use crate::{shared::Problem, ui::host};

/// What server functions answer in.
pub const JSON: &str = "application/json";

/// The protocol of server functions: `server_fn`'s own, arguments as forms send them (or as `Arguments` says) and answers as
/// JSON. On the server it is that very one, but that arguments in JSON must be said to be JSON.
///
/// In the browser it does the same, but what is done for each function is only to write its arguments and to read its answer:
/// what lies between is of one type, and in the WASM once.
pub struct Wire<Arguments = PostUrl>(PhantomData<Arguments>);

impl<A, I, O, C, S> Protocol<I, O, C, S, Problem> for Wire<A>
where
    Http<A, Json>: Protocol<I, O, C, S, Problem>,
    A: Encoding,
    I: IntoReq<A, BrowserRequest, Problem> + Send,
    O: DeserializeOwned + Send,
    C: Caller + Client<Problem, Request = BrowserRequest, Response = BrowserResponse>,
    S: Server<Problem>,
{
    const METHOD: Method = <Http<A, Json> as Protocol<I, O, C, S, Problem>>::METHOD;

    fn run_server<F, Fut>(
        request: S::Request,
        server_fn: F,
    ) -> impl Future<Output = Result<S::Response, Problem>> + Send
    where
        F: Fn(I) -> Fut + Send,
        Fut: Future<Output = Result<O, Problem>> + Send,
    {
        let is_unfit = <A as ContentType>::CONTENT_TYPE == JSON && !is_json(&request);
        async move {
            // A form of any site can send text that looks like it.
            if is_unfit {
                let problem = Problem::new(415, "The body must be application/json");
                host::set_page_status(problem.status);
                return Err(problem);
            }
            <Http<A, Json> as Protocol<I, O, C, S, Problem>>::run_server(request, server_fn).await
        }
    }

    fn run_client(path: &str, input: I) -> impl Future<Output = Result<O, Problem>> + Send {
        let answer = input.into_req(path, JSON).map(C::call);
        async move { read(&answer?.await?) }
    }
}

/// Whether a request says that its body is JSON, parameters aside.
fn is_json(request: &impl Req<Problem>) -> bool {
    let kind = request.to_content_type();
    kind.is_some_and(|kind| {
        kind.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(JSON))
    })
}

/// What will have come of a call: the answer's text, unless it is refused or does not get there.
pub type Answer = Pin<Box<dyn Future<Output = Result<String, Problem>> + Send>>;

/// A client that calls. `Client::send` is of another type for each; this is of one.
pub trait Caller {
    fn call(request: BrowserRequest) -> Answer;
}

impl Caller for BrowserClient {
    fn call(request: BrowserRequest) -> Answer {
        Box::pin(answer_to(request))
    }
}

/// As `Http::run_client` does.
async fn answer_to(request: BrowserRequest) -> Result<String, Problem> {
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

/// Reads what the server wrote.
///
/// # Errors
/// Where it is not what was asked for.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    json::read(text).map_err(|_| {
        Problem::from_server_fn_error(ServerFnErrorErr::Deserialization("the answer cannot be read".into()))
    })
}
