-- Lists of messages are narrowed to those with a delivery that was given up, newest first.
CREATE INDEX ix_eivs_deliveries_of_status ON deliveries (tenant_id, status, email_id DESC);
