//! What pages load.

use std::{
    any::Any,
    future::{Future, IntoFuture},
    marker::PhantomData,
    pin::Pin,
    sync::{Arc, OnceLock},
};

use leptos::{
    prelude::*,
    server::codee::{Decoder, Encoder},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::shared::{Problem, wire};

/// What a page loads, or why it could not be had.
///
/// A `Resource` that does not know what it holds: Leptos' machinery is some 6 KB of WASM for each type, and of one type it
/// is compiled, fetched and prepared by the browser once for all of them.
pub struct Loaded<T> {
    kept: Resource<Kept, Json>,
    /// What stays where the next answer is a refusal.
    stays: StoredValue<Option<Kept>>,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Loaded<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Loaded<T> {}

type Loading<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Loads with `fetcher`, and again whenever `source` gives another value. On the server the page waits for it, and its
/// value comes with the page.
pub fn load<S, T, F>(
    source: impl Fn() -> S + Send + Sync + 'static,
    fetcher: impl Fn(S) -> F + Send + Sync + 'static,
) -> Loaded<T>
where
    S: Clone + PartialEq + Send + Sync + 'static,
    T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
    F: Future<Output = Result<T, Problem>> + Send + 'static,
{
    let stays = StoredValue::new(None::<Kept>);
    let source: Box<dyn Fn() -> Asked + Send + Sync> = Box::new(move || Asked(Arc::new(source())));
    let fetcher: Box<dyn Fn(Asked) -> Loading<Kept> + Send + Sync> = Box::new(move |Asked(asked)| {
        let stays = stays.try_update_value(Option::take).flatten();
        let loading = asked.as_any().downcast_ref::<S>().map(|asked| fetcher(asked.clone()));
        Box::pin(async move {
            let answer = match loading {
                Some(loading) => loading.await,
                None => Err(unreadable()),
            };
            match stays {
                Some(stays) if answer.is_err() => stays,
                _ => Kept::new(answer),
            }
        })
    });
    Loaded { kept: Resource::new_with_options(source, fetcher, false), stays, of: PhantomData }
}

impl<T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static> Loaded<T> {
    /// What is there; none while the first answer is awaited. Tracked.
    pub fn get(self) -> Option<Result<T, Problem>> {
        self.kept.get().map(|kept| kept.read().clone())
    }

    pub fn get_untracked(self) -> Option<Result<T, Problem>> {
        self.kept.get_untracked().map(|kept| kept.read().clone())
    }

    /// The same, looked at in its place. Tracked.
    pub fn with<R>(self, look: impl FnOnce(Option<&Result<T, Problem>>) -> R) -> R {
        look(self.kept.get().as_ref().map(Kept::read))
    }

    pub fn with_untracked<R>(self, look: impl FnOnce(Option<&Result<T, Problem>>) -> R) -> R {
        look(self.kept.get_untracked().as_ref().map(Kept::read))
    }

    /// Puts an answer that came by another way in its place.
    pub fn put(self, answer: Result<T, Problem>) {
        self.kept.set(Some(Kept::new(answer)));
    }

    /// Loads it again. What stood there stays until then.
    pub fn refetch(self) {
        self.kept.refetch();
    }

    /// The same, unasked: what stands there stays where it is refused, too. A busy moment of the server takes no page away.
    pub fn refresh(self) {
        let stands = self.kept.get_untracked().filter(|kept| kept.read::<T>().is_ok());
        self.stays.set_value(stands);
        self.kept.refetch();
    }
}

impl<T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static> IntoFuture for Loaded<T> {
    type Output = Result<T, Problem>;
    type IntoFuture = Loading<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let kept = self.kept.into_future();
        Box::pin(async move { kept.await.read().clone() })
    }
}

/// An answer whose type only its reader knows.
#[derive(Clone)]
struct Kept(Arc<Answer>);

struct Answer {
    /// As JSON: what a page brings with it.
    text: String,
    /// The value. Of one that came with a page, from when it is first read.
    value: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl Kept {
    fn new<T: Serialize + Send + Sync + 'static>(answer: Result<T, Problem>) -> Self {
        // Only servers write pages.
        let text = if cfg!(feature = "ssr") { serde_json::to_string(&answer) } else { Ok(String::new()) };
        let value: Box<dyn Any + Send + Sync> = Box::new(answer);
        // What cannot be written is read as what it is not, and says so.
        Self(Arc::new(Answer { text: text.unwrap_or_default(), value: OnceLock::from(value) }))
    }

    fn read<T: DeserializeOwned + Send + Sync + 'static>(&self) -> &Result<T, Problem> {
        let value = self.0.value.get_or_init(|| {
            let answer: Result<Result<T, Problem>, Problem> = wire::read(&self.0.text);
            Box::new(answer.unwrap_or_else(|_| Err(unreadable())))
        });
        value.downcast_ref().unwrap_or_else(|| unreachable!("a page loads one type in one place"))
    }
}

fn unreadable() -> Problem {
    Problem::new(500, "What the server sent cannot be read. Reload the page.")
}

/// JSON, as the answers of server functions are.
struct Json;

impl Encoder<Kept> for Json {
    type Error = serde_json::Error;
    type Encoded = String;

    fn encode(kept: &Kept) -> Result<String, serde_json::Error> {
        Ok(kept.0.text.clone())
    }
}

impl Decoder<Kept> for Json {
    type Error = serde_json::Error;
    type Encoded = str;

    fn decode(text: &str) -> Result<Kept, serde_json::Error> {
        Ok(Kept(Arc::new(Answer { text: text.to_owned(), value: OnceLock::new() })))
    }
}

/// What was asked for: it is loaded again where this is another.
#[derive(Clone)]
struct Asked(Arc<dyn Ask>);

trait Ask: Send + Sync {
    fn is(&self, other: &dyn Ask) -> bool;
    fn as_any(&self) -> &dyn Any;
}

impl<S: PartialEq + Send + Sync + 'static> Ask for S {
    fn is(&self, other: &dyn Ask) -> bool {
        other.as_any().downcast_ref() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl PartialEq for Asked {
    fn eq(&self, other: &Self) -> bool {
        self.0.is(&*other.0)
    }
}
