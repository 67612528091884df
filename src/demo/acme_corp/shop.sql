-- The shop database of Acme Corporation, a mail-order shop. Invented data.
-- One customer with an order, Priya Nair, has no row in customers: see messages/01.

CREATE TABLE customers (
  customer_number TEXT PRIMARY KEY,
  name            TEXT NOT NULL,
  email           TEXT NOT NULL UNIQUE COLLATE NOCASE,
  status          TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'blocked', 'closed')),
  since           TEXT NOT NULL,
  note            TEXT
);

INSERT INTO customers (customer_number, name, email, status, since, note) VALUES
  ('C-20104', 'Marta Lindqvist', 'marta.lindqvist@fjordhus.example', 'active', '2022-03-14', NULL),
  ('C-20117', 'Jürgen Weiß', 'juergen.weiss@weiss-tischlerei.example', 'active', '2022-06-02', 'Trade customer'),
  ('C-20121', 'Tomás Ruiz', 'tomas.ruiz@example.org', 'active', '2022-09-27', NULL),
  ('C-20133', 'Aiko Tanaka', 'aiko.tanaka@example.net', 'active', '2023-01-19', NULL),
  ('C-20140', 'Samuel Okafor', 'samuel.okafor@okafor-dental.example', 'active', '2023-04-05', 'Trade customer'),
  ('C-20152', 'Chloé Martin', 'chloe.martin@example.com', 'active', '2023-11-30', NULL),
  ('C-20158', 'Bernd Hoffmann', 'b.hoffmann@hoffmann-optik.example', 'active', '2024-02-08', NULL),
  ('C-20160', 'Derek Sloane', 'derek.sloane@example.net', 'blocked', '2024-02-21', 'Three chargebacks in 2025'),
  ('C-20177', 'Ewa Zielińska', 'ewa.zielinska@example.com', 'active', '2024-08-12', NULL),
  ('C-20203', 'Ruth Adeyemi', 'ruth.adeyemi@example.org', 'closed', '2025-01-07', 'Account closed on request'),
  ('C-20288', 'Lena Fox', 'lena.fox@example.com', 'active', '2026-05-16', NULL);

CREATE TABLE purchase_orders (
  po_number       TEXT PRIMARY KEY,
  supplier_domain TEXT NOT NULL COLLATE NOCASE,
  status          TEXT NOT NULL,
  total           REAL NOT NULL,
  ordered_on      TEXT NOT NULL
);

INSERT INTO purchase_orders (po_number, supplier_domain, status, total, ordered_on) VALUES
  ('PO-70288', 'brightbox.example', 'invoiced', 1249.5, '2026-10-01'),
  ('PO-70301', 'tannenholz.example', 'open', 8730.0, '2026-10-12'),
  ('PO-70318', 'papierwerk.example', 'open', 612.85, '2026-10-28'),
  ('PO-70322', 'papierwerk.example', 'open', 2140.0, '2026-11-03'),
  ('PO-70325', 'lumenhaus.example', 'open', 3480.25, '2026-11-05');

CREATE TABLE booked_invoices (
  invoice_number  TEXT NOT NULL,
  supplier_domain TEXT NOT NULL COLLATE NOCASE,
  po_number       TEXT NOT NULL REFERENCES purchase_orders (po_number),
  amount          REAL NOT NULL,
  booked_on       TEXT NOT NULL,
  PRIMARY KEY (supplier_domain, invoice_number)
);

INSERT INTO booked_invoices (invoice_number, supplier_domain, po_number, amount, booked_on) VALUES
  ('INV-2026-0412', 'brightbox.example', 'PO-70288', 1249.5, '2026-10-19'),
  ('INV-2026-0790', 'papierwerk.example', 'PO-70318', 204.3, '2026-11-02'),
  ('INV-2026-3301', 'tannenholz.example', 'PO-70301', 4365.0, '2026-11-09');

CREATE TABLE returns (
  return_number   TEXT PRIMARY KEY,
  order_number    TEXT NOT NULL,
  state           TEXT NOT NULL,
  opened_on       TEXT NOT NULL
);

INSERT INTO returns (return_number, order_number, state, opened_on) VALUES
  ('RMA-600871', '1012', 'refunded', '2026-10-22'),
  ('RMA-600904', '1039', 'awaiting parcel', '2026-11-12'),
  ('RMA-600911', '1033', 'awaiting parcel', '2026-11-14');
