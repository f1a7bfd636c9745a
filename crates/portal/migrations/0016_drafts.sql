-- Orders that are being filled in, and which agreements were accepted with an order.

create table drafts (
    number        text   not null primary key, -- the number the order will have; of a correction: the order's
    programme     text   not null,
    product       text   not null,
    browser       text   not null,             -- keyed digest of the browser's token; empty: found by its mobile alone
    mobile_digest text   not null,             -- keyed digest of the mobile logged in when it was saved; empty: nobody was
    address       text   not null,             -- keyed digest of the address it was opened from: for its bound
    fields        blob   not null,             -- what was typed, JSON, sealed under draft:<number>
    opened_ms     bigint not null,
    saved_ms      bigint not null
);
create index drafts_by_browser on drafts (browser, saved_ms desc);
create index drafts_by_mobile on drafts (mobile_digest, saved_ms desc);
create index drafts_by_address on drafts (address, opened_ms);
create index drafts_by_age on drafts (saved_ms, programme);

create table agreements_accepted (
    order_number text   not null references orders (number),
    agreement    text   not null,              -- the id in the programme file
    title        text   not null,
    version      text   not null,
    accepted_ms  bigint not null,
    primary key (order_number, agreement, version)
);
