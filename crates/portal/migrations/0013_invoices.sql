-- Invoices, links to them, and mails.

create table invoices (
    order_number text  not null primary key references orders (number),
    kind        text   not null,               -- general | special; empty until it is submitted
    state       text   not null,               -- asked | submitted | issued | failed | withdrawn | reddening | red | red_failed
    attempt     bigint not null,               -- 1, 2, 3 …: each is an order number of its own at the provider
    red         bigint not null,               -- 1: it is to be taken back as soon as it is issued
    needs_login bigint not null,               -- 1: the tax bureau wants the seller to log in
    asks        bigint not null,               -- calls since the last change of state
    number      text,                          -- 20 digits, once issued
    red_number  text,                          -- 20 digits, once taken back
    pdf         blob,                          -- sealed, context invoice:<order number>
    issued_ms   bigint,
    next_ms     bigint,                        -- when something is to be done; null: nothing
    trouble     text   not null,               -- the provider's last complaint; empty: none
    created_ms  bigint not null
);
create index invoices_by_next on invoices (next_ms);
create index invoices_by_login on invoices (needs_login);

-- Links that open one invoice once.
create table invoice_links (
    token        text   not null primary key,  -- digest
    order_number text   not null references orders (number),
    expires_ms   bigint not null
);
create index invoice_links_by_expiry on invoice_links (expires_ms);

-- The outbox of mails.
create table mails (
    id          text   not null primary key,
    recipient   blob   not null,               -- sealed, context mail:<id>
    subject     text   not null,
    body        blob   not null,               -- sealed, the same context
    tries       bigint not null,
    next_ms     bigint,                        -- null: sent, or given up
    state       text   not null,               -- waiting | sent | failed
    trouble     text   not null,
    created_ms  bigint not null
);
create index mails_by_next on mails (next_ms);
create index mails_by_time on mails (created_ms);
