//! Fields of forms. Each is bound to a signal, and shows what the server says of it.

use leptos::{
    attr::custom::custom_attribute,
    html::{Input, Select, Textarea},
    prelude::*,
    wasm_bindgen::JsCast,
    web_sys::{HtmlInputElement, HtmlSelectElement},
};

use super::{
    area::area_text,
    host,
    icons::{Glyph, Icon},
    panel::{WayOut, words_of},
    react::{effect, memo},
    step::is_taking_over,
};
use crate::shared::{FieldError, Problem};

/// What is wrong with a form: found by its own check or by the server, which name fields alike.
#[derive(Clone, Copy)]
pub struct Faults {
    problem: RwSignal<Option<Problem>>,
    /// Whether it is told at the head of the form too.
    is_told: RwSignal<bool>,
    /// Saves over what was changed since it was read.
    save_over: StoredValue<Option<Callback<()>>>,
    /// Whether the form has a head that tells.
    has_head: StoredValue<bool>,
    /// Its fields and lines, at which faults are told.
    places: RwSignal<Vec<Place>>,
    /// The fields that were written in since: what was wrong with them may be so no more.
    typed: RwSignal<Vec<String>>,
    /// The path that the head leads to: what it lies in opens.
    led_to: RwSignal<String>,
}

/// Where faults are told.
#[derive(Clone, Copy)]
struct Place {
    path: Signal<String>,
    /// What a line is called; empty where it is a field, which has a label.
    name: &'static str,
}

/// An error, as the head tells of it.
#[derive(Debug, PartialEq)]
struct Told {
    path: String,
    words: String,
    /// What the line of this path is called, if it is one that has a name.
    name: &'static str,
}

impl Faults {
    fn new() -> Self {
        Self {
            problem: RwSignal::new(None),
            is_told: RwSignal::new(false),
            save_over: StoredValue::new(None),
            has_head: StoredValue::new(false),
            places: RwSignal::new(Vec::new()),
            typed: RwSignal::new(Vec::new()),
            led_to: RwSignal::new(String::new()),
        }
    }

    /// Those of the form that begins here: the fields in it find them.
    pub fn provide() -> Self {
        let faults = Self::new();
        provide_context(faults);
        faults
    }

    /// What an action answered last, where it was refused. It may have come with the page: as it does where no script runs.
    pub fn of_refusal(refusal: Signal<Option<Problem>>) -> Self {
        let faults = Self::new();
        let refused = refusal.get_untracked();
        faults.is_told.set(refused.is_some());
        faults.problem.set(refused);
        Effect::new(move |is_later: Option<()>| {
            let refused = refusal.get();
            match refused.filter(|_| is_later.is_some()) {
                Some(problem) => faults.show(problem),
                None if is_later.is_some() => faults.clear(),
                None => {}
            }
        });
        faults
    }

    /// What is to be done where somebody would have theirs stand, though it was changed since they read it (412).
    pub fn on_conflict(self, save_over: Callback<()>) {
        self.save_over.set_value(Some(save_over));
    }

    /// Shows a problem, and leads the keyboard to it once it is on the page.
    pub fn show(self, problem: Problem) {
        self.is_told.set(true);
        self.typed.set(Vec::new());
        self.problem.set(Some(problem));
        // Another form's may still stand.
        if self.has_head.get_value() {
            request_animation_frame(|| host::focus(SUMMARY));
        }
    }

    /// Shows a problem at its fields alone: somebody is still writing. What is told stays told.
    pub fn mark(self, problem: Problem) {
        if self.problem.with_untracked(Option::is_none) {
            self.is_told.set(false);
        }
        self.typed.set(Vec::new());
        self.problem.set(Some(problem));
    }

    /// The fields are right now; what is wrong with the whole stays told.
    pub fn unmark(self) {
        if self.problem.with_untracked(|problem| problem.iter().any(|problem| !problem.errors.is_empty())) {
            self.problem.set(None);
        }
    }

    pub fn clear(self) {
        self.problem.set(None);
    }

    /// Whether something is wrong with a field whose path begins so.
    pub fn is_below(self, prefix: &str) -> bool {
        self.problem.with(|problem| {
            problem.iter().flat_map(|problem| &problem.errors).any(|error| error.field.starts_with(prefix))
        })
    }

    /// Whether the head leads to a field whose path begins so.
    pub fn leads_below(self, prefix: &str) -> bool {
        self.led_to.with(|path| path.starts_with(prefix))
    }

    /// Somebody writes in the field of this path: until the form is judged anew, nothing is told there.
    fn note_typed(self, path: String) {
        self.typed.update(|typed| typed.push(path));
    }

    /// As long as the current owner is there, what is wrong with the field of this path is told there; and what is wrong within
    /// it, unless that has a place of its own.
    fn add_place(self, path: Signal<String>, name: &'static str) {
        let places = self.places;
        places.update(|places| places.push(Place { path, name }));
        on_cleanup(move || {
            // The form may be gone before its fields.
            let _ = places.try_update(|places| places.retain(|place| place.path != path));
        });
    }

    /// What is wrong at the place of this path, as in `match.any[0].value`.
    fn of(self, path: &str) -> Option<String> {
        if self.typed.with(|typed| typed.iter().any(|typed| typed == path)) {
            return None;
        }
        self.problem.with(|problem| {
            problem.as_ref()?.errors.iter().find_map(|error| {
                let rest = within(&error.field, path)?;
                let is_here =
                    rest.is_empty() || self.nearest(error).is_some_and(|(nearest, _)| nearest == path);
                is_here.then(|| words_within(rest, &error.message))
            })
        })
    }

    /// Path and name of the place at which an error is told.
    fn nearest(self, error: &FieldError) -> Option<(String, &'static str)> {
        self.places.with(|places| {
            let known = places.iter().filter_map(|place| Some((place.path.try_get_untracked()?, place.name)));
            let around = known.filter(|(path, _)| within(&error.field, path).is_some());
            around.max_by_key(|(path, name)| (path.len(), !name.is_empty()))
        })
    }

    /// How the head tells of an error: of an item of a list as of a line of its field, and by its name of what has no field.
    /// What it lies in may be opened only now.
    fn told_of(self, error: FieldError) -> Told {
        let line = self.nearest(&error).and_then(|(path, name)| {
            let rest = within(&error.field, &path)?;
            let words = words_within(rest, &error.message);
            (!name.is_empty() || index_of(rest).is_some()).then_some(Told { path, words, name })
        });
        line.unwrap_or(Told { path: error.field, words: error.message, name: "" })
    }
}

/// What of a field's path lies within that of a place: nothing where it is the place's own. `None` where it lies elsewhere.
fn within<'a>(field: &'a str, place: &str) -> Option<&'a str> {
    field.strip_prefix(place).filter(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Of the rest of a path that is an item's, as in `[1]`: which one, from 0.
fn index_of(rest: &str) -> Option<usize> {
    rest.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

/// What is wrong within a place: with which of its lines, or of its members.
fn words_within(rest: &str, message: &str) -> String {
    let item = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let item = item.and_then(|(index, member)| Some((index.parse::<usize>().ok()?, member)));
    let line = item.map(|(index, _)| format!("line {} ", index + 1)).unwrap_or_default();
    match item.map_or(rest, |(_, member)| member).trim_start_matches('.') {
        "" => format!("{line}{message}"),
        member => format!("{line}{member} {message}"),
    }
}

const SUMMARY: &str = "faults";

/// Which part of a form a path lies in: `Rule 2: `, where `("validation_rules", "Rule")` are the list of its parts and what one
/// is called.
fn part_of(path: &str, (list, name): (&str, &str)) -> Option<String> {
    let (index, _) = path.strip_prefix(list)?.strip_prefix('[')?.split_once(']')?;
    Some(format!("{name} {}: ", index.parse::<usize>().ok()? + 1))
}

/// All that is wrong, at the head of the form. It gets the focus, by which it is read out: as an alert it would be so twice.
#[component]
pub fn FaultSummary(
    /// The list of parts that have the same fields each, as the server calls it, and what one of them is called.
    #[prop(optional)]
    parts: Option<(&'static str, &'static str)>,
) -> impl IntoView {
    let faults = use_context::<Faults>();
    if let Some(faults) = faults {
        faults.has_head.set_value(true);
    }
    move || {
        let faults = faults.filter(|faults| faults.is_told.get())?;
        let problem = faults.problem.get()?;
        let status = problem.status;
        let save_over = faults.save_over.get_value().filter(|_| status == 412);
        let (lead, items) = if problem.errors.is_empty() {
            (words_of(&problem), Vec::new())
        } else {
            ("This has to be put right first:".to_owned(), problem.errors)
        };
        let items = items
            .into_iter()
            .map(|error| {
                let told = faults.told_of(error);
                let part = parts.and_then(|parts| part_of(&told.path, parts));
                view! { <Fault faults told part=part.unwrap_or_default()/> }.into_any()
            })
            .collect_view();
        Some(view! {
            <div id=SUMMARY class="notice tone-bad" tabindex="-1" data-testid="faults">
                <Icon glyph=Glyph::Alert/>
                <div>
                    <p>{lead}</p>
                    <ul>{items}</ul>
                    <div class="notice__ways">
                        <WayOut status/>
                        {save_over
                            .map(|save_over| {
                                view! {
                                    <button
                                        type="button"
                                        class="button button--small"
                                        data-testid="save-over"
                                        on:click=move |_| save_over.run(())
                                    >
                                        "Save mine over it"
                                    </button>
                                }
                                .into_any()
                            })}
                    </div>
                </div>
            </div>
        })
    }
}

/// One fault. It leads to its field, where that is in sight, or to the line that tells of it, and otherwise names it as the
/// server does.
#[component]
fn Fault(
    faults: Faults,
    told: Told,
    /// What stands before its name.
    part: String,
) -> impl IntoView {
    let Told { path, words, name } = told;
    let label = label_of(&path);
    let is_field = label.is_some();
    let name = match label.or_else(|| (!name.is_empty()).then(|| name.to_owned())) {
        Some(label) => {
            let lead = move |_| {
                faults.led_to.set(path.clone());
                let path = path.clone();
                // What it lies in is open by then.
                request_animation_frame(move || {
                    if is_field {
                        host::focus_field(&path)
                    } else {
                        host::focus(&line_id(&path))
                    }
                    // What is made there later stays closed.
                    let _ = faults.led_to.try_set(String::new());
                });
            };
            view! {
                <button type="button" class="button-as-link" on:click=lead>
                    {part}
                    {label}
                </button>
            }
            .into_any()
        }
        None => view! { <code class="breakable">{path}</code> }.into_any(),
    };
    view! { <li>{name} " " {words}</li> }
}

/// The words at a field, where it is in sight. While the browser takes a page over it must find what the server wrote,
/// which sees none.
fn label_of(path: &str) -> Option<String> {
    if is_taking_over() { None } else { host::label_of(path) }
}

/// What is wrong with several fields together, as a list has it.
#[component]
pub fn FaultLine(
    #[prop(into)] path: Signal<String>,
    /// What they are called together, where the head leads here.
    #[prop(optional)]
    name: &'static str,
) -> impl IntoView {
    let faults = use_context::<Faults>();
    if let Some(faults) = faults {
        faults.add_place(path, name);
    }
    move || {
        let path = path.get();
        let words = faults?.of(&path)?;
        Some(view! { <p id=line_id(&path) class="field__fault" tabindex="-1">{words}</p> })
    }
}

fn line_id(path: &str) -> String {
    format!("{}-line", in_id(path))
}

/// A path as a part of an id.
fn in_id(path: &str) -> String {
    path.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

/// What stands around a field: its label above, hint and fault below. `children` gets what the field must carry.
#[component]
fn Framed<F, V>(
    label: Signal<String>,
    path: Signal<String>,
    hint: &'static str,
    is_label_hidden: bool,
    class: &'static str,
    field: F,
) -> impl IntoView
where
    F: FnOnce(Described) -> V,
    V: IntoView + 'static,
{
    let faults = use_context::<Faults>();
    if let Some(faults) = faults {
        faults.add_place(path, "");
    }
    let fault = memo(move || faults.and_then(|faults| faults.of(&path.get())));
    let id = move |part: &str| format!("{}-{part}", in_id(&path.get()));
    let described = Signal::derive(move || {
        let mut ids = Vec::new();
        if fault.read().is_some() {
            ids.push(id("fault"));
        }
        if !hint.is_empty() {
            ids.push(id("hint"));
        }
        (!ids.is_empty()).then(|| ids.join(" "))
    });
    let invalid = Signal::derive(move || fault.read().is_some().then_some("true"));
    let label_class = if is_label_hidden { "visually-hidden" } else { "field__label" };
    let on_input = move |_| {
        if let Some(faults) = faults
            && fault.with_untracked(Option::is_some)
        {
            faults.note_typed(path.get_untracked());
        }
    };
    view! {
        <div class=format!("field {class}") on:input=on_input>
            <label class="field__frame">
                <span class=label_class>{label}</span>
                {field(Described { by: described, invalid })}
            </label>
            {(!hint.is_empty()).then(|| view! { <p id=move || id("hint") class="field__hint">{hint}</p> }.into_any())}
            {move || {
                fault
                    .get()
                    .map(|words| view! { <p id=move || id("fault") class="field__fault">{words}</p> }.into_any())
            }}
        </div>
    }
}

/// The attributes by which assistive technology finds hint and fault.
#[derive(Clone, Copy)]
struct Described {
    by: Signal<Option<String>>,
    invalid: Signal<Option<&'static str>>,
}

/// Keeps a field and its signal in step. What was typed before the page was taken over counts, and is not written over.
/// Of an element nothing is asked but what a `textarea` has as an `input` has it: it may be passed for one.
fn in_step(value: RwSignal<String>, element: impl Fn() -> Option<HtmlInputElement> + 'static) {
    let was_there = is_taking_over();
    Effect::new(move |was_seen: Option<bool>| {
        let was_seen = was_seen.unwrap_or_default();
        let text = value.get();
        let Some(element) = element() else { return was_seen };
        let typed = element.value();
        if typed != text {
            if was_there && !was_seen && typed != element.default_value() {
                value.set(typed);
            } else {
                element.set_value(&text);
            }
        }
        true
    });
}

/// Whether a choice shows what its signal holds. While the page is taken over it does not: what was chosen before that
/// counts, and is not written over. `take_early` tells the signal of it, and gives whether the field is there.
pub fn is_followed(take_early: impl Fn() -> bool + 'static) -> RwSignal<bool> {
    let is_followed = RwSignal::new(!is_taking_over());
    if !is_followed.get_untracked() {
        effect(move || {
            if take_early() {
                is_followed.set(true);
            }
        });
    }
    is_followed
}

/// What is chosen, where that is not what the server wrote.
pub fn chosen_early(select: &HtmlSelectElement) -> Option<String> {
    let written = select.query_selector("option[selected]").ok().flatten();
    let chosen = select.value();
    let is_early = match written.and_then(|option| option.get_attribute("value")) {
        Some(written) => written != chosen,
        // Browsers choose the first then.
        None => select.selected_index() > 0,
    };
    is_early.then_some(chosen)
}

/// What keyboards and browsers may make of what is typed: of names and patterns nothing, which are to stay as they are.
#[derive(Clone, Copy)]
struct AsTyped {
    case: Option<&'static str>,
    letters: Option<&'static str>,
    spelling: &'static str,
}

impl AsTyped {
    fn of(is_exact: bool) -> Self {
        Self {
            case: is_exact.then_some("none"),
            letters: is_exact.then_some("off"),
            spelling: if is_exact { "false" } else { "true" },
        }
    }
}

/// One line of text.
#[component]
pub fn TextField(
    #[prop(into)] label: Signal<String>,
    /// What the server calls it.
    #[prop(into)]
    path: Signal<String>,
    value: RwSignal<String>,
    #[prop(optional)] hint: &'static str,
    /// The `type` of the input; or `name`, of what only computers read, such as a host, a folder or a path; or `port`.
    #[prop(default = "text")]
    kind: &'static str,
    #[prop(optional)] placeholder: &'static str,
    /// The id of a `datalist`.
    #[prop(optional)]
    list: Option<&'static str>,
    /// Whether the browser asks for it, and how long it may be: for forms that it sends by itself.
    #[prop(optional)]
    required: bool,
    #[prop(optional)] maxlength: Option<&'static str>,
    #[prop(optional)] is_label_hidden: bool,
    #[prop(optional)] is_code: bool,
    #[prop(optional)] testid: Option<&'static str>,
) -> impl IntoView {
    let class = if is_code { "field--code" } else { "" };
    let (kind, inputmode, is_exact) = match kind {
        "text" => (kind, None, is_code),
        "name" => ("text", None, true),
        "port" => ("text", Some("numeric"), true),
        _ => (kind, None, true),
    };
    let as_typed = AsTyped::of(is_exact);
    let node = NodeRef::<Input>::new();
    in_step(value, move || node.get());
    let field = move |described: Described| {
        view! {
            <input
                node_ref=node
                type=kind
                name=path
                value=value.get_untracked()
                placeholder=placeholder
                list=list
                required=required
                maxlength=maxlength
                autocomplete="off"
                inputmode=inputmode
                autocapitalize=as_typed.case
                spellcheck=as_typed.spelling
                aria-describedby=described.by
                aria-invalid=described.invalid
                data-testid=testid
                on:input=move |event| value.set(event_target_value(&event))
                {..custom_attribute("autocorrect", as_typed.letters)}
            />
        }
    };
    view! { <Framed label path hint is_label_hidden class field/> }
}

/// Several lines of text.
#[component]
pub fn TextArea(
    #[prop(into)] label: Signal<String>,
    #[prop(into)] path: Signal<String>,
    value: RwSignal<String>,
    #[prop(optional)] hint: &'static str,
    #[prop(default = 3)] rows: u32,
    #[prop(optional)] placeholder: &'static str,
    #[prop(optional)] required: bool,
    #[prop(optional)] maxlength: Option<&'static str>,
    #[prop(optional)] is_label_hidden: bool,
    #[prop(optional)] is_code: bool,
    #[prop(optional)] testid: Option<&'static str>,
) -> impl IntoView {
    let class = if is_code { "field--code" } else { "" };
    let as_typed = AsTyped::of(is_code);
    let node = NodeRef::<Textarea>::new();
    in_step(value, move || node.get().map(|node| node.unchecked_into()));
    let field = move |described: Described| {
        view! {
            <textarea
                node_ref=node
                name=path
                rows=rows
                placeholder=placeholder
                required=required
                maxlength=maxlength
                autocapitalize=as_typed.case
                spellcheck=as_typed.spelling
                aria-describedby=described.by
                aria-invalid=described.invalid
                data-testid=testid
                on:input=move |event| value.set(event_target_value(&event))
                {..custom_attribute("autocorrect", as_typed.letters)}
            >
                {area_text(&value.get_untracked())}
            </textarea>
        }
    };
    view! { <Framed label path hint is_label_hidden class field/> }
}

/// One of several values.
#[component]
pub fn SelectField(
    #[prop(into)] label: Signal<String>,
    #[prop(into)] path: Signal<String>,
    value: RwSignal<String>,
    /// Value and words of each option.
    #[prop(into)]
    options: Signal<Vec<(String, String)>>,
    #[prop(optional)] hint: &'static str,
    #[prop(optional)] is_label_hidden: bool,
    #[prop(optional)] testid: Option<&'static str>,
) -> impl IntoView {
    let node = NodeRef::<Select>::new();
    let is_followed = is_followed(move || {
        let Some(select) = node.try_get().flatten() else { return false };
        if let Some(early) = chosen_early(&select) {
            value.set(early);
        }
        true
    });
    let field = move |described: Described| {
        view! {
            <select
                node_ref=node
                name=path
                aria-describedby=described.by
                aria-invalid=described.invalid
                data-testid=testid
                on:change=move |event| value.set(event_target_value(&event))
            >
                {move || {
                    options
                        .get()
                        .into_iter()
                        .map(|(option, words)| {
                            let is_chosen = {
                                let option = option.clone();
                                Signal::derive(move || value.read() == option)
                            };
                            view! {
                                <option
                                    value=option
                                    selected=is_chosen
                                    prop:selected=move || is_followed.get().then(|| is_chosen.get())
                                >
                                    {words}
                                </option>
                            }
                        })
                        .collect_view()
                }}
            </select>
        }
    };
    view! { <Framed label path hint is_label_hidden class="" field/> }
}

/// Yes or no.
#[component]
pub fn CheckField(
    #[prop(into)] label: Signal<String>,
    #[prop(into)] path: Signal<String>,
    value: RwSignal<bool>,
    #[prop(optional)] hint: &'static str,
    #[prop(optional)] testid: Option<&'static str>,
) -> impl IntoView {
    let node = NodeRef::<Input>::new();
    let is_followed = is_followed(move || {
        let Some(input) = node.try_get().flatten() else { return false };
        let is_checked = input.checked();
        if is_checked != input.default_checked() {
            value.set(is_checked);
        }
        true
    });
    view! {
        <div class="field">
            <label class="check">
                <input
                    node_ref=node
                    type="checkbox"
                    name=path
                    checked=value.get_untracked()
                    prop:checked=move || is_followed.get().then(|| value.get())
                    data-testid=testid
                    on:change=move |event| value.set(event_target_checked(&event))
                />
                <span>{label}</span>
            </label>
            {(!hint.is_empty()).then(|| view! { <p class="field__hint">{hint}</p> }.into_any())}
        </div>
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_at_the_nearest_place() {
        let owner = Owner::new();
        owner.with(|| {
            let faults = Faults::new();
            for path in ["domains", "rules[0].conditions", "rules[0].conditions.params[0]", "closed"] {
                faults.add_place(path.into(), "");
            }
            for (field, path, words) in [
                ("domains", "domains", Some("is wrong")),
                ("domains[1]", "domains", Some("line 2 is wrong")),
                ("domains_of[1]", "domains", None),
                ("rules[0].conditions", "rules[0].conditions", Some("is wrong")),
                ("rules[0].conditions.later", "rules[0].conditions", Some("later is wrong")),
                ("rules[0].conditions.params[0]", "rules[0].conditions.params[0]", Some("is wrong")),
                ("rules[0].conditions.params[0]", "rules[0].conditions", None),
                ("closed[0].conditions", "closed", Some("line 1 conditions is wrong")),
            ] {
                faults.mark(Problem::invalid_field(field, "is wrong"));
                assert_eq!(faults.of(path).as_deref(), words, "{field} at {path}");
            }
            let told = |field: &str| faults.told_of(FieldError::new(field, "is wrong"));
            let line = |path: &str, words: &str, name: &'static str| Told {
                path: path.to_owned(),
                words: words.to_owned(),
                name,
            };
            assert_eq!(told("domains[1]"), line("domains", "line 2 is wrong", ""));
            let member = "rules[0].conditions.later";
            assert_eq!(told(member), line(member, "is wrong", ""));
            // What has no field goes by the name of its line, also where a field has the path too.
            faults.add_place("rules[0].conditions".into(), "The conditions");
            assert_eq!(told(member), line("rules[0].conditions", "later is wrong", "The conditions"));
            let all = "rules[0].conditions.params";
            assert_eq!(told(all), line("rules[0].conditions", "params is wrong", "The conditions"));
            faults.add_place(all.into(), "Values of the query");
            assert_eq!(told(all), line(all, "is wrong", "Values of the query"));
            let one = "rules[0].conditions.params[0]";
            assert_eq!(told(one), line(one, "is wrong", ""));
        });
    }

    #[test]
    fn a_field_that_is_written_in_tells_nothing_until_it_is_judged_anew() {
        let owner = Owner::new();
        owner.with(|| {
            let faults = Faults::new();
            faults.add_place("name".into(), "");
            faults.mark(Problem::invalid_field("name", "is wrong"));
            faults.note_typed("name".to_owned());
            assert_eq!(faults.of("name"), None);
            faults.mark(Problem::invalid_field("name", "is still wrong"));
            assert_eq!(faults.of("name").as_deref(), Some("is still wrong"));
        });
    }

    #[test]
    fn a_fault_names_the_part_that_it_lies_in() {
        let parts = ("validation_rules", "Rule");
        assert_eq!(part_of("validation_rules[1].conditions.query", parts).as_deref(), Some("Rule 2: "));
        assert_eq!(part_of("validation_rules", parts), None);
        assert_eq!(part_of("intent.name", parts), None);
    }

    #[test]
    fn a_field_that_is_gone_tells_nothing() {
        let owner = Owner::new();
        owner.with(|| {
            let faults = Faults::new();
            faults.add_place("settings".into(), "");
            let line = Owner::new();
            line.with(|| faults.add_place("settings.url".into(), ""));
            faults.mark(Problem::invalid_field("settings.url", "is wrong"));
            assert_eq!(faults.of("settings"), None);
            line.cleanup();
            assert_eq!(faults.of("settings").as_deref(), Some("url is wrong"));
        });
    }
}
