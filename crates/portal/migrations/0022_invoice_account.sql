-- The provider refuses the account, not the invoice: whoever keeps app key, secret and token must act.
alter table invoices add column account bigint not null default 0;   -- 1 = the last call was refused so
