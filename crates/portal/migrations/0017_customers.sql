-- Customers' sessions, by mobile. There is no account: whoever reads a code sent to the mobile sees its orders.

create table customer_sessions (
    token_hash    text   not null primary key, -- SM3 of the cookie's value, hex: the table does not let anyone in
    mobile_digest text   not null,             -- keyed digest of the mobile: orders are found by it
    mobile        blob   not null,             -- sealed under customer-session:<token_hash>
    created_ms    bigint not null,
    expires_ms    bigint not null
);
create index customer_sessions_by_mobile on customer_sessions (mobile_digest, created_ms desc);
create index customer_sessions_by_expiry on customer_sessions (expires_ms);
