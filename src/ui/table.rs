//! Tables that become cards where they have no room.

use leptos::prelude::*;

use super::step::Step;

/// A table of up to so many columns has room wherever the page is wide (`.table-box--few`).
const FEW: usize = 5;

/// A table. The roles repeat what the elements mean: as cards they are no longer displayed as a table, and
/// browsers then drop the meaning.
#[component]
pub fn DataTable(
    /// Names the table for those who cannot see where it stands.
    caption: &'static str,
    columns: &'static [&'static str],
    /// A variant that `style/components.css` knows.
    #[prop(optional)]
    class: &'static str,
    /// Rows: `tr` with role `row`.
    children: Children,
) -> impl IntoView {
    let box_class = if columns.len() > FEW { "table-box" } else { "table-box table-box--few" };
    view! {
        <div class=box_class>
            <div class="table-frame">
                <table class=format!("table table--cards {class}") role="table">
                    <caption class="visually-hidden">{caption}</caption>
                    <thead role="rowgroup">
                        <tr role="row">
                            {columns
                                .iter()
                                .map(|column| view! { <th role="columnheader" scope="col">{*column}</th> }.into_any())
                                .collect_view()}
                        </tr>
                    </thead>
                    <tbody role="rowgroup">
                        <Step>{children()}</Step>
                    </tbody>
                </table>
            </div>
        </div>
    }
}

/// A cell, which as part of a card carries its column's name.
#[component]
pub fn Cell(label: &'static str, children: Children) -> impl IntoView {
    view! {
        <td role="cell" data-label=label>
            {children()}
        </td>
    }
}
