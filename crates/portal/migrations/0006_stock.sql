-- The stock of blanks: which keys came from the makers. A key that is not here is not made where `stock.required` is set.

create table blanks (
    key_id        text   not null primary key, -- maker/model/serial
    maker         text   not null,
    model         text   not null,
    serial        text   not null,
    lot           text   not null,             -- the delivery, by the name it was registered under
    registered_ms bigint not null,
    state         text   not null              -- in_stock; what becomes of a key after that is in keys.state
);
create index blanks_by_lot on blanks (lot, key_id);
