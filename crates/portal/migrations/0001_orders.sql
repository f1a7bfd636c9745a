-- Orders, their history, jobs, operators. Only bigint, text and blob; times are milliseconds since 1970 (UTC).

create table orders (
    number      text   not null primary key,   -- SAAS1 + yyyyMMddHHmmss + 6 digits
    programme   text   not null,
    product     text   not null,               -- the product's id in the programme file
    product_title text not null,
    holder_kind text   not null,               -- unit | personal
    holder_name text   not null,               -- whose certificate it is
    unit_name   text   not null,
    years       bigint not null,
    quantity    bigint not null,
    amount_fen  bigint not null,
    state       text   not null,               -- model::OrderState::code()
    reject_reason text,                        -- why it stands rejected; null otherwise
    content     text   not null,               -- the whole order, JSON of orders::OrderContent
    created_ms  bigint not null,
    changed_ms  bigint not null
);
create index orders_by_time on orders (created_ms desc, number desc);
create index orders_by_state on orders (state, created_ms desc, number desc);

create table order_history (
    order_number text   not null references orders (number),
    step         bigint not null,              -- 1, 2, 3 … within the order
    at_ms        bigint not null,
    who          text   not null,              -- operator:<name> | import | station:<name> | system
    from_state   text,                         -- null when the order came in
    to_state     text   not null,
    reason       text   not null,
    primary key (order_number, step)
);

-- One row a key to be made; written when the order is approved, worked on by the station side.
create table jobs (
    job          text   not null primary key,  -- <order number>-<1..n>
    order_number text   not null references orders (number),
    idx          bigint not null,              -- 1..n
    programme    text   not null,
    certificate  text   not null,              -- unit | personal
    profiles     text   not null,              -- JSON array of profile names; empty = any
    holder       text   not null,              -- for the bench screen
    state        text   not null,              -- waiting | leased | done
    station      text,
    leased_until bigint,                       -- ms
    key_id       text,                         -- maker/model/serial, once bound
    outcome      text,                         -- model::Outcome
    attempts     bigint not null default 0,
    unique (order_number, idx)
);
create index jobs_by_state on jobs (state, order_number);

create table operators (
    name          text   not null primary key,
    password_hash text   not null,             -- argon2id, PHC string
    created_ms    bigint not null
);

create table sessions (
    token_hash text   not null primary key,    -- SM3 of the cookie's value, hex: the table does not let anyone in
    operator   text   not null references operators (name),
    created_ms bigint not null,
    expires_ms bigint not null
);
create index sessions_by_expiry on sessions (expires_ms);
