-- A password that another made opens the account alone, until it is changed.
alter table operators add column password_given bigint not null default 0;
-- What happened to one order, one operator, one station; and who did it.
create index audit_by_subject on audit (subject, sequence);
create index audit_by_who on audit (who, sequence);
