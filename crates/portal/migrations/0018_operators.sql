-- Operators: what each may do, the second factor; who reviews what now; what a correction changed; refunds, which take two people.

alter table operators add column active bigint not null default 1;   -- 0 = may not log in
alter table operators add column last_login_ms bigint;                -- null = never

create table operator_roles (
    operator text   not null references operators (name),
    role     text   not null,                  -- operators::Role::code()
    primary key (operator, role)
);
-- Who was an operator before there were roles may do what operators did, and name other operators.
insert into operator_roles (operator, role) select name, 'reviewer' from operators;
insert into operator_roles (operator, role) select name, 'production' from operators;
insert into operator_roles (operator, role) select name, 'finance' from operators;
insert into operator_roles (operator, role) select name, 'stations' from operators;
insert into operator_roles (operator, role) select name, 'administrator' from operators;

create table second_factors (
    operator     text   not null primary key references operators (name),
    secret       blob   not null,              -- 20 bytes sealed under totp:<name>
    confirmed_ms bigint,                       -- when its first code was given; null = it is being set up
    last_step    bigint not null               -- the 30-second step of the last code that was taken: none counts twice
);

create table review_claims (
    order_number text   not null primary key references orders (number),
    operator     text   not null,              -- who looks at it
    until_ms     bigint not null               -- and until when nobody else is given it
);
create index review_claims_by_operator on review_claims (operator);

-- Which fields a corrected order changed: their names alone.
create table order_corrections (
    order_number text   not null references orders (number),
    at_ms        bigint not null,
    fields       text   not null,              -- JSON array of dotted names
    primary key (order_number, at_ms)
);

create table refund_requests (
    order_number text   not null primary key references orders (number),
    reason       text   not null,
    asked_by     text   not null,              -- operator's name
    asked_ms     bigint not null,
    state        text   not null,              -- asked | approved | declined
    decided_by   text,
    decided_ms   bigint
);
create index refund_requests_by_state on refund_requests (state, asked_ms);
