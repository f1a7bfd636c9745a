-- keys.state knows one word more from here on: lost (the key cannot be found any more; its certificates are revoked).

-- Why the job is stuck, for operators; null unless it is.
alter table jobs add column stuck_reason text;
