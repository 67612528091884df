//! Files on their way to the server, and texts on their way to the clipboard.

use std::cell::Cell;

use leptos::ev::{DragEvent, Event, FocusEvent};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{File, FileList, FileReader, HtmlInputElement, ProgressEvent, XmlHttpRequest};

use super::dom::element;
use crate::{
    shared::{Problem, wire},
    ui::upload::Target,
};

/// What is read of a file to find its content type out. Unit: bytes.
const BEGINNING: f64 = 8.0;

thread_local! {
    /// How many files are on their way.
    static SENDING: Cell<u32> = const { Cell::new(0) };
}

/// Whether a file is on its way to the server, from whichever page.
pub fn is_sending() -> bool {
    SENDING.get() > 0
}

/// A file that somebody chose.
#[derive(Clone)]
pub struct Chosen(File);

impl Chosen {
    pub fn name(&self) -> String {
        self.0.name()
    }

    pub(super) fn file(&self) -> &File {
        &self.0
    }
}

fn all(files: Option<FileList>) -> Vec<Chosen> {
    files
        .into_iter()
        .flat_map(|list| (0..list.length()).filter_map(move |i| list.get(i)))
        .map(Chosen)
        .collect()
}

/// Those of the file field that changed. It is empty then, so that the same file can be chosen again.
pub fn chosen_files(event: &Event) -> Vec<Chosen> {
    let field = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
    field.map_or_else(Vec::new, |field| taken(&field))
}

/// Those of the file field of this id, which is empty then.
pub fn files_of(id: &str) -> Vec<Chosen> {
    let field = element(id).and_then(|element| element.dyn_into::<HtmlInputElement>().ok());
    field.map_or_else(Vec::new, |field| taken(&field))
}

fn taken(field: &HtmlInputElement) -> Vec<Chosen> {
    let files = all(field.files());
    field.set_value("");
    files
}

/// Those that were dropped.
pub fn dropped_files(event: &DragEvent) -> Vec<Chosen> {
    all(event.data_transfer().and_then(|dropped| dropped.files()))
}

/// Sends a file. `on_progress` gets how much has gone, from 0 to 1, `on_end` the body of the server's answer.
pub fn send(
    file: &Chosen,
    target: Target,
    on_progress: impl Fn(f64) + 'static,
    on_end: impl FnOnce(Result<String, Problem>) + 'static,
) {
    let file = file.0.clone();
    SENDING.set(SENDING.get() + 1);
    let on_end = move |result| {
        SENDING.set(SENDING.get().saturating_sub(1));
        on_end(result);
    };
    match target.kind_of {
        None => send_as(&file, &target, None, on_progress, on_end),
        Some(kind_of) => {
            let source = file.clone();
            read_beginning(&source, move |beginning| {
                let kind = kind_of(&file.name(), &beginning);
                send_as(&file, &target, Some(kind), on_progress, on_end);
            });
        }
    }
}

/// Reads how a file begins. One that cannot be read begins with nothing: sending it will fail, and tell.
fn read_beginning(file: &File, then: impl FnOnce(String) + 'static) {
    let part = file.slice_with_f64_and_f64(0.0, BEGINNING);
    let (Ok(reader), Ok(part)) = (FileReader::new(), part) else { return then(String::new()) };
    let source = reader.clone();
    let end = Closure::once_into_js(move || {
        then(source.result().ok().and_then(|text| text.as_string()).unwrap_or_default());
    });
    reader.set_onloadend(Some(end.unchecked_ref()));
    // Refused only where it reads already.
    let _ = reader.read_as_text(&part);
}

/// By `XMLHttpRequest`: `fetch` does not tell how far it is.
fn send_as(
    file: &File,
    target: &Target,
    kind: Option<&str>,
    on_progress: impl Fn(f64) + 'static,
    on_end: impl FnOnce(Result<String, Problem>) + 'static,
) {
    let failed = || Problem::new(503, "The server cannot be reached. Try again in a moment");
    let Ok(request) = XmlHttpRequest::new() else { return on_end(Err(failed())) };
    if request.open(target.method, &target.address).is_err() {
        return on_end(Err(failed()));
    }
    if let Some(kind) = kind {
        // Refused only where it was not opened, as below.
        let _ = request.set_request_header("Content-Type", kind);
    }
    let progress = Closure::<dyn Fn(ProgressEvent)>::new(move |event: ProgressEvent| {
        if event.length_computable() && event.total() > 0.0 {
            on_progress(event.loaded() / event.total());
        }
    });
    if let Ok(target) = request.upload() {
        target.set_onprogress(Some(progress.as_ref().unchecked_ref()));
    }
    let answered = request.clone();
    let end = Closure::once_into_js(move || {
        // Kept until here: the browser calls it.
        drop(progress);
        let text = answered.response_text().ok().flatten().unwrap_or_default();
        on_end(match answered.status() {
            Ok(200..=299) => Ok(text),
            _ => Err(wire::read(&text).unwrap_or_else(|_| failed())),
        });
    });
    request.set_onloadend(Some(end.unchecked_ref()));
    // Refused only where it was not opened.
    let _ = request.send_with_opt_blob(Some(file));
}

/// Puts a text on the clipboard, and tells whether it is there.
pub fn copy(text: &str, told: impl FnOnce(bool) + 'static) {
    let clipboard = web_sys::window().map(|window| window.navigator().clipboard());
    // Pages that came by plain HTTP have none, whatever the type says.
    let Some(clipboard) = clipboard.filter(|clipboard| !AsRef::<JsValue>::as_ref(clipboard).is_undefined())
    else {
        return told(false);
    };
    let written = clipboard.write_text(text);
    spawn_local(async move { told(JsFuture::from(written).await.is_ok()) });
}

/// Selects what is in the field that got the focus.
pub fn select_all(event: &FocusEvent) {
    if let Some(field) = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok()) {
        field.select();
    }
}
