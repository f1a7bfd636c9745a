-- Many orders, several portals.

-- A search reads this, not the orders with all they hold.
create index orders_searched on orders (created_ms desc, number desc, state, unit_name, product_title);

-- Which of the portal processes that share this database serves the stations and does the work in the background. One row.
create table leader (
    name     text   not null primary key,      -- portal
    holder   text   not null,                  -- leader::Holder
    until_ms bigint not null                   -- after this another may take it
);

-- What stations said last, kept by the leader for the boards of the other portals; no person's name.
create table station_statuses (
    station    text   not null primary key,
    body       text   not null,                -- wire::Status, JSON; empty = gone from the board
    changed_ms bigint not null
);
create index station_statuses_by_time on station_statuses (changed_ms);

-- Wrong log-ins of the last minutes; all portals brake together.
create table log_in_tries (
    kind     text   not null,                  -- name | address
    who      text   not null,                  -- keyed digest: what was typed may be a password in the wrong field
    since_ms bigint not null,
    wrong    bigint not null,
    primary key (kind, who)
);
create index log_in_tries_by_time on log_in_tries (since_ms);

-- Programmes whose platform is told of each change of an order's state; written at the start from the config.
create table webhook_targets (
    programme text not null primary key
);

-- What is to be told, written in the transaction of the change.
create table webhook_events (
    order_number text   not null references orders (number),
    sequence     bigint not null,              -- the step in the order's history
    programme    text   not null,
    state        text   not null,              -- the order's new state
    at_ms        bigint not null,
    delivery     text   not null,              -- waiting | sent | dead
    tries        bigint not null,
    next_ms      bigint not null,              -- not tried before
    error        text   not null,              -- of the last try
    primary key (order_number, sequence)
);
create index webhook_events_waiting on webhook_events (delivery, next_ms);
