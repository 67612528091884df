//! What was sent because of the decision.

use leptos::{ev::MouseEvent, prelude::*};
use serde_json::Value;

use super::bulk::ForWorkers;
use crate::{
    deliveries::{
        api::get_payload,
        dto::{Delivery, DeliveryStatus},
    },
    routes::dto::{Planned, RouteKind},
    shared::{DeliveryId, Problem, TenantId},
    ui::{
        badge::{Badge, Tone},
        bidi::unturned,
        dialog::Confirm,
        form::PlainForm,
        form_action::FormAction,
        icons::{Glyph, Icon},
        panel::ActionProblem,
        time::Timestamp,
        value::Members,
    },
};

/// How far a delivery has come, in a word.
pub fn status_words(status: DeliveryStatus) -> &'static str {
    match status {
        DeliveryStatus::Pending => "On its way",
        DeliveryStatus::Delivered => "Delivered",
        DeliveryStatus::Failed => "Given up",
        DeliveryStatus::Cancelled => "Not sent",
    }
}

/// A delivery's colour, icon and word.
fn words(delivery: &Delivery) -> (Tone, Glyph, &'static str) {
    let (tone, glyph) = match delivery.status {
        DeliveryStatus::Pending if delivery.attempts > 0 => {
            return (Tone::Attention, Glyph::Waiting, "Tried, waits");
        }
        DeliveryStatus::Pending => (Tone::Quiet, Glyph::Waiting),
        DeliveryStatus::Delivered => (Tone::Good, Glyph::Accept),
        DeliveryStatus::Failed => (Tone::Bad, Glyph::Reject),
        DeliveryStatus::Cancelled => (Tone::Quiet, Glyph::Skip),
    };
    (tone, glyph, status_words(delivery.status))
}

/// What a route does, and where to.
fn sentence(name: &str, kind: RouteKind, to: &str) -> String {
    // A reply goes to a stranger's address.
    let to = unturned(to);
    match kind {
        _ if to.is_empty() => name.to_owned(),
        RouteKind::Webhook => format!("{name}: webhook to {to}"),
        RouteKind::Forward => format!("{name}: forwarded to {to}"),
        RouteKind::Reply => format!("{name}: reply to {to}"),
        RouteKind::Label => format!("{name}: label “{to}”"),
    }
}

/// The deliveries of a message, the oldest first. Nothing, where it has none: then no route is for its decision.
#[component]
pub fn Deliveries(deliveries: Vec<Delivery>, retry: FormAction<()>) -> impl IntoView {
    let outcome = retry.value();
    (!deliveries.is_empty()).then(|| {
        let cards = deliveries
            .into_iter()
            .map(|delivery| view! { <DeliveryCard delivery retry/> }.into_any())
            .collect_view();
        view! {
            <section class="section" aria-labelledby="deliveries">
                <h2 id="deliveries">"Deliveries"</h2>
                <ActionProblem outcome/>
                <ol class="cards" data-testid="deliveries">{cards}</ol>
            </section>
        }
    })
}

#[component]
fn DeliveryCard(delivery: Delivery, retry: FormAction<()>) -> impl IntoView {
    let (tone, glyph, text) = words(&delivery);
    let class = format!("card card--verdict {}", tone.class());
    let again = delivery.can_be_sent_again().then(|| {
        let (tenant_id, delivery_id) = (delivery.tenant_id.clone(), delivery.delivery_id);
        let text = if delivery.status == DeliveryStatus::Failed { "Send again" } else { "Send now" };
        view! {
            <ForWorkers>
                <SendAgain tenant_id=tenant_id.clone() delivery_id retry text/>
            </ForWorkers>
        }
    });
    let repeat = delivery.can_be_repeated().then(|| {
        let (tenant_id, delivery_id) = (delivery.tenant_id.clone(), delivery.delivery_id);
        let name = delivery.route_name.clone();
        view! {
            <ForWorkers>
                <Repeat tenant_id=tenant_id.clone() delivery_id name=name.clone() retry/>
            </ForWorkers>
        }
    });
    let tries = match delivery.attempts {
        0 => String::new(),
        1 => " · tried once".to_owned(),
        n => format!(" · tried {n} times"),
    };
    let is_delivered = delivery.status == DeliveryStatus::Delivered;
    let (lead, at) = match (delivery.delivered_at.filter(|_| is_delivered), delivery.next_attempt) {
        (Some(at), _) => ("", at),
        (None, Some(at)) => ("next try ", at),
        (None, None) => ("", delivery.created_at),
    };
    // Of what is sent a second time.
    let before = delivery.delivered_at.filter(|_| !is_delivered);
    view! {
        <li class=class data-testid="delivery" data-status=delivery.status.as_str()>
            <div class="card__head">
                <Badge tone glyph text/>
                <h3 class="card__title">{sentence(&delivery.route_name, delivery.kind, &delivery.destination)}</h3>
            </div>
            {delivery.note.clone().map(|note| view! { <p class="card__reason">{note}</p> }.into_any())}
            {delivery
                .label_is_off
                .then(|| view! { <p class="card__reason">"The label was taken off since."</p> }.into_any())}
            <p class="hint">
                {format!("for {} · {lead}", delivery.decision)}
                <Timestamp at/>
                {tries}
                {before.map(|at| view! { " · delivered before, " <Timestamp at/> }.into_any())}
            </p>
            {(delivery.kind != RouteKind::Label)
                .then(|| {
                    view! { <Sent tenant_id=delivery.tenant_id.clone() delivery_id=delivery.delivery_id/> }.into_any()
                })}
            {again}
            {repeat}
        </li>
    }
}

/// What deliveries say, as far as it was asked for. The page of a message keeps it: the cards are built anew with each
/// answer.
#[derive(Clone, Copy)]
pub struct Payloads {
    known: RwSignal<Vec<(DeliveryId, Result<Value, Problem>)>>,
    asked: Action<(TenantId, DeliveryId), ()>,
}

impl Payloads {
    pub fn provide() {
        let known = RwSignal::new(Vec::new());
        let asked = Action::new(move |(tenant, id): &(TenantId, DeliveryId)| {
            let (tenant, id) = (tenant.clone(), *id);
            async move {
                let answer = get_payload(tenant, id).await;
                let _ = known.try_update(|known| {
                    known.retain(|(other, _)| *other != id);
                    known.push((id, answer));
                });
            }
        });
        provide_context(Self { known, asked });
    }

    fn of(self, id: DeliveryId) -> Option<Result<Value, Problem>> {
        self.known.read().iter().find(|(known, _)| *known == id).map(|(_, answer)| answer.clone())
    }
}

/// What it says, as it was rendered when the message was decided: asked for once somebody looks.
#[component]
fn Sent(tenant_id: TenantId, delivery_id: DeliveryId) -> impl IntoView {
    let payloads = use_context::<Payloads>()?;
    let ask = move |_| {
        if !matches!(untrack(|| payloads.of(delivery_id)), Some(Ok(_))) {
            payloads.asked.dispatch((tenant_id.clone(), delivery_id));
        }
    };
    let shown = move || match payloads.of(delivery_id)? {
        Ok(Value::Object(members)) => Some(view! { <Members members/> }.into_any()),
        Ok(_) => Some(view! { <p class="hint">"Nothing: it could not be made."</p> }.into_any()),
        Err(problem) => {
            Some(view! { <p class="notice tone-bad" role="alert">{problem.detail}</p> }.into_any())
        }
    };
    Some(view! {
        <details class="details" data-testid="sent" on:toggle=ask>
            <summary>"What it says"</summary>
            {shown}
        </details>
    })
}

/// A plain form, which the browser takes over. Once: the server refuses to send again what is on its way already.
#[component]
fn SendAgain(
    tenant_id: TenantId,
    delivery_id: DeliveryId,
    retry: FormAction<()>,
    text: &'static str,
) -> impl IntoView {
    // Until it is shown anew, as it is with each answer.
    let is_asked = RwSignal::new(false);
    let ask = move |_: MouseEvent| {
        let _ = is_asked.try_set(true);
    };
    view! {
        <PlainForm action=retry>
            <input type="hidden" name="tenant_id" value=tenant_id.to_string()/>
            <input type="hidden" name="delivery_id" value=delivery_id.to_string()/>
            <button
                // By this the keyboard is known to have been here, when it is gone.
                id=format!("send-again-{delivery_id}")
                type="submit"
                class="button"
                aria-busy=move || is_asked.get().to_string()
                on:click=ask
                data-testid="retry-delivery"
            >
                <Icon glyph=Glyph::RunAgain/>
                {text}
            </button>
        </PlainForm>
    }
}

/// The same for what arrived, once somebody has read what that means.
#[component]
fn Repeat(
    tenant_id: TenantId,
    delivery_id: DeliveryId,
    /// The route's.
    name: String,
    retry: FormAction<()>,
) -> impl IntoView {
    view! {
        <Confirm
            id=format!("repeat-{delivery_id}")
            label="Send a second time …"
            of=name
            glyph=Glyph::RunAgain
            title="Send it a second time?"
            testid="repeat-delivery"
        >
            <p>
                "The receiver took it, and gets it a second time. It has the same id as before, by which the receiver can drop the repeat."
            </p>
            <PlainForm action=retry>
                <input type="hidden" name="tenant_id" value=tenant_id.to_string()/>
                <input type="hidden" name="delivery_id" value=delivery_id.to_string()/>
                <input type="hidden" name="again" value="true"/>
                <button type="submit" class="button button--primary" data-testid="repeat-now">
                    <Icon glyph=Glyph::RunAgain/>
                    "Send it"
                </button>
            </PlainForm>
        </Confirm>
    }
}

/// What the routes would do. Nothing, where none is for the decision.
#[component]
pub fn PlannedDeliveries(planned: Vec<Planned>) -> impl IntoView {
    (!planned.is_empty()).then(|| {
        let cards =
            planned.into_iter().map(|planned| view! { <PlannedCard planned/> }.into_any()).collect_view();
        view! {
            <section class="section" aria-labelledby="planned">
                <h2 id="planned">"Would be sent"</h2>
                <ol class="cards" data-testid="planned">{cards}</ol>
            </section>
        }
    })
}

#[component]
fn PlannedCard(planned: Planned) -> impl IntoView {
    let (tone, glyph, text) = match planned.withheld {
        None => (Tone::Good, Glyph::Forward, "Would be sent"),
        Some(_) => (Tone::Quiet, Glyph::Skip, "Not sent"),
    };
    let payload = match planned.payload {
        Value::Object(members) => Some(view! {
            <details class="details">
                <summary>"What it says"</summary>
                <Members members/>
            </details>
        }),
        _ => None,
    };
    view! {
        <li class=format!("card card--verdict {}", tone.class()) data-testid="planned-delivery">
            <div class="card__head">
                <Badge tone glyph text/>
                <h3 class="card__title">
                    {sentence(&planned.route_name, planned.kind, &planned.destination)}
                </h3>
            </div>
            {planned.withheld.map(|why| view! { <p class="card__reason">{why}</p> }.into_any())}
            {payload}
        </li>
    }
}
