-- A password that another made opens the account alone, until it is changed.
alter table operators add column password_given bigint not null default 0;
-- What happened to one order, one operator, one station; who did it; what was done.
create index audit_by_subject on audit (subject, sequence);
create index audit_by_who on audit (who, sequence);
create index audit_by_what on audit (what, sequence);
-- When a station was last heard of while it was on line; null = never.
alter table stations add column heard_ms bigint;
