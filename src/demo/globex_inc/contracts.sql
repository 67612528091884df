-- The contract database of Globex Inc., a facilities and IT service company. Invented data.

CREATE TABLE contracts (
  contract_number TEXT PRIMARY KEY,
  client          TEXT NOT NULL,
  scope           TEXT NOT NULL,
  status          TEXT NOT NULL,
  monthly_fee     REAL NOT NULL,
  starts_on       TEXT NOT NULL,
  ends_on         TEXT
);

INSERT INTO contracts (contract_number, client, scope, status, monthly_fee, starts_on, ends_on) VALUES
  ('CTR-2017', 'Litware Press', 'it support', 'expired', 950.0, '2023-10-01', '2026-09-30'),
  ('CTR-2031', 'Fabrikam Logistics', 'facilities and climate', 'active', 4820.0, '2024-01-01', '2027-12-31'),
  ('CTR-2044', 'Atelier Moreau', 'facilities', 'active', 1310.0, '2025-03-01', NULL),
  ('CTR-2048', 'Proseware Clinics', 'it hardware', 'active', 2275.0, '2025-06-01', '2028-05-31'),
  ('CTR-2050', 'Proseware Clinics', 'facilities', 'active', 3640.0, '2025-06-01', '2028-05-31'),
  ('CTR-2056', 'Castell Hotels', 'facilities', 'active', 1860.0, '2025-11-01', NULL),
  ('CTR-2061', 'Nordlys Shipping', 'cleaning', 'active', 720.0, '2026-02-01', '2027-01-31');

CREATE TABLE contacts (
  email           TEXT NOT NULL COLLATE NOCASE,
  name            TEXT NOT NULL,
  contract_number TEXT NOT NULL REFERENCES contracts (contract_number),
  PRIMARY KEY (email, contract_number)
);

INSERT INTO contacts (email, name, contract_number) VALUES
  ('owen.price@litware.example', 'Owen Price', 'CTR-2017'),
  ('hannah.vogt@fabrikam.example', 'Hannah Vogt', 'CTR-2031'),
  ('facility@fabrikam.example', 'Facility Office', 'CTR-2031'),
  ('luc.moreau@atelier-moreau.example', 'Luc Moreau', 'CTR-2044'),
  ('elena.petrova@proseware.example', 'Dr. Elena Petrova', 'CTR-2048'),
  ('elena.petrova@proseware.example', 'Dr. Elena Petrova', 'CTR-2050'),
  ('nina.castell@castell-hotels.example', 'Nina Castell', 'CTR-2056'),
  ('ingrid.solberg@nordlys.example', 'Ingrid Solberg', 'CTR-2061');

CREATE TABLE invoices (
  invoice_number  TEXT PRIMARY KEY,
  client_domain   TEXT NOT NULL COLLATE NOCASE,
  status          TEXT NOT NULL,
  amount_due      TEXT NOT NULL,
  issued_on       TEXT NOT NULL,
  paid_on         TEXT
);

INSERT INTO invoices (invoice_number, client_domain, status, amount_due, issued_on, paid_on) VALUES
  ('GX-204390', 'proseware.example', 'paid', '3640.00', '2026-10-01', '2026-10-15'),
  ('GX-204402', 'litware.example', 'overdue', '950.00', '2026-09-01', NULL),
  ('GX-204411', 'atelier-moreau.example', 'open', '1310.00', '2026-11-02', NULL),
  ('GX-204417', 'fabrikam.example', 'open', '4820.00', '2026-11-02', NULL),
  ('GX-204425', 'proseware.example', 'open', '3640.00', '2026-11-02', NULL),
  ('GX-204433', 'castell-hotels.example', 'open', '1860.00', '2026-11-02', NULL),
  ('GX-204438', 'nordlys.example', 'open', '720.00', '2026-11-02', NULL);

CREATE TABLE access_freezes (
  site_code       TEXT NOT NULL,
  reason          TEXT NOT NULL,
  ends_on         TEXT NOT NULL
);

INSERT INTO access_freezes (site_code, reason, ends_on) VALUES
  ('ROT-01', 'Fire alarm replacement', '2026-12-04'),
  ('VIE-02', 'Security audit', '2026-11-30');
