-- How many sign-ins were refused within the hour, by account: strangers try as often as they like, and the audit log, to
-- which each was written, keeps its entries for ever. An account that there is has a row; all other addresses together have
-- one, whose `account` is empty, so that the table is no longer than there are people.
CREATE TABLE sign_in_refusals (
    account  text PRIMARY KEY,
    hour     timestamptz NOT NULL,
    refusals bigint NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON sign_in_refusals TO flowengine_app;
