-- From the twentieth example of a message that belongs to no intent on, such messages counted for no more of those that come
-- than there were examples of them: a classifier's gate may be open because of that. Each is measured anew that was not
-- measured since, also where a server of before trains it once more.
SET LOCAL lock_timeout = '10s';

ALTER TABLE classifier_settings ADD COLUMN measured_revision bigint;
