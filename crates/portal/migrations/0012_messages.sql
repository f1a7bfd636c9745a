-- Codes by SMS, and messages about orders. Mobiles and addresses stand here as keyed digests, or sealed.

-- The one live code of a number and purpose.
create table codes (
    mobile      text   not null,               -- digest
    purpose     text   not null,               -- login | submit
    bound_to    text   not null,               -- digest of what it confirms
    code        text   not null,               -- digest
    tries       bigint not null,               -- wrong ones so far
    expires_ms  bigint not null,
    primary key (mobile, purpose)
);
create index codes_by_expiry on codes (expires_ms);

-- Every code that went out within the last day: what limits count.
create table code_sends (
    mobile      text   not null,               -- digest
    address     text   not null,               -- digest of the address it was asked from
    session     text   not null,               -- digest of the session it was asked in
    at_ms       bigint not null,
    primary key (mobile, at_ms)
);
create index code_sends_by_address on code_sends (address, at_ms);
create index code_sends_by_session on code_sends (session, at_ms);
create index code_sends_by_time on code_sends (at_ms);

-- The outbox of messages about orders, written in the transaction of the change of state.
create table messages (
    id          text   not null primary key,   -- <order number>-<kind>-<n>; the service's OutId
    order_number text  not null references orders (number),
    kind        text   not null,               -- approved | rejected | shipped
    sign_name   text   not null,
    template    text   not null,
    mobile      blob   not null,               -- sealed, context message:<id>
    parameters  blob   not null,               -- sealed JSON, the same context
    state       text   not null,               -- waiting | sending | sent | arrived | failed
    sends       bigint not null,               -- times it was handed to the service
    asks        bigint not null,               -- times the service was asked what became of it
    sent_ms     bigint,                        -- when it was handed over last
    next_ms     bigint,                        -- when something is to be done; null: nothing
    trouble     text   not null,               -- the service's last complaint; empty: none
    created_ms  bigint not null
);
create index messages_by_next on messages (next_ms);
create index messages_by_order on messages (order_number);
create index messages_by_time on messages (created_ms);
