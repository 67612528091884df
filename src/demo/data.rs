//! The demo's files, compiled in.

/// One tenant of the demo.
pub struct Demo {
    pub tenant: &'static str,
    /// Its configuration, as JSON.
    pub script: &'static str,
    /// What the demo's API knows, by path, as JSON.
    pub api: &'static str,
    /// What lies in its folder; a `.sql` becomes a SQLite database of the same name.
    pub files: &'static [(&'static str, &'static str)],
    pub messages: &'static [(&'static str, &'static [u8])],
}

pub static DEMOS: [Demo; 2] = [
    Demo {
        tenant: "acme_corp",
        script: include_str!("acme_corp/demo.json"),
        api: include_str!("acme_corp/api.json"),
        files: &[
            ("shop.sql", include_str!("acme_corp/shop.sql")),
            ("suppliers.csv", include_str!("acme_corp/suppliers.csv")),
        ],
        messages: &[
            ("01-order-where-is-it.eml", include_bytes!("acme_corp/messages/01-order-where-is-it.eml")),
            ("02-delivery-date.eml", include_bytes!("acme_corp/messages/02-delivery-date.eml")),
            ("03-invoice-papierwerk.eml", include_bytes!("acme_corp/messages/03-invoice-papierwerk.eml")),
            ("04-invoice-sent-twice.eml", include_bytes!("acme_corp/messages/04-invoice-sent-twice.eml")),
            (
                "05-return-drawer-runners.eml",
                include_bytes!("acme_corp/messages/05-return-drawer-runners.eml"),
            ),
            (
                "06-refund-for-other-order.eml",
                include_bytes!("acme_corp/messages/06-refund-for-other-order.eml"),
            ),
            ("07-re-shipping-notice.eml", include_bytes!("acme_corp/messages/07-re-shipping-notice.eml")),
            ("08-invoice-lookalike.eml", include_bytes!("acme_corp/messages/08-invoice-lookalike.eml")),
            ("09-newsletter.eml", include_bytes!("acme_corp/messages/09-newsletter.eml")),
            (
                "10-lamp-without-order-number.eml",
                include_bytes!("acme_corp/messages/10-lamp-without-order-number.eml"),
            ),
            ("11-new-address.eml", include_bytes!("acme_corp/messages/11-new-address.eml")),
            ("12-return-again.eml", include_bytes!("acme_corp/messages/12-return-again.eml")),
        ],
    },
    Demo {
        tenant: "globex_inc",
        script: include_str!("globex_inc/demo.json"),
        api: include_str!("globex_inc/api.json"),
        files: &[
            ("badge_sponsors.csv", include_str!("globex_inc/badge_sponsors.csv")),
            ("contracts.sql", include_str!("globex_inc/contracts.sql")),
        ],
        messages: &[
            ("01-ventilation-fault.eml", include_bytes!("globex_inc/messages/01-ventilation-fault.eml")),
            ("02-mail-server-outage.eml", include_bytes!("globex_inc/messages/02-mail-server-outage.eml")),
            ("03-remittance-fabrikam.eml", include_bytes!("globex_inc/messages/03-remittance-fabrikam.eml")),
            (
                "04-remittance-already-paid.eml",
                include_bytes!("globex_inc/messages/04-remittance-already-paid.eml"),
            ),
            ("05-badge-new-colleague.eml", include_bytes!("globex_inc/messages/05-badge-new-colleague.eml")),
            (
                "06-badge-rights-withdrawn.eml",
                include_bytes!("globex_inc/messages/06-badge-rights-withdrawn.eml"),
            ),
            ("07-re-badge-reader.eml", include_bytes!("globex_inc/messages/07-re-badge-reader.eml")),
            ("08-unknown-ticket.eml", include_bytes!("globex_inc/messages/08-unknown-ticket.eml")),
            ("09-label-printer.eml", include_bytes!("globex_inc/messages/09-label-printer.eml")),
            ("10-short-payment.eml", include_bytes!("globex_inc/messages/10-short-payment.eml")),
            (
                "11-derangement-climatisation.eml",
                include_bytes!("globex_inc/messages/11-derangement-climatisation.eml"),
            ),
            ("12-automatic-reply.eml", include_bytes!("globex_inc/messages/12-automatic-reply.eml")),
        ],
    },
];
