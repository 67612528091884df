-- A delivery keeps the id of a route that is deleted, and whoever reads it asks whether there is still one of that id.
-- To take it off each of them would keep the tenant's other changes waiting for as long as that takes, which for some
-- 350,000 deliveries is longer than a request may last.

-- Whoever reads or writes deliveries waits behind this one, which waits for whoever reads routes.
SET LOCAL lock_timeout = '1s';

ALTER TABLE deliveries DROP CONSTRAINT IF EXISTS fk_eivs_deliveries_route;
