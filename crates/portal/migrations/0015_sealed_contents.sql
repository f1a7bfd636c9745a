-- What an order says is kept sealed; what lists and stations need stands beside it.

alter table orders add column sealed blob ;                            -- JSON of orders::OrderContent, sealed under order:<number>; then content is ''
alter table orders add column handler_mobile_digest text not null default ''; -- keyed digest of the handler's mobile
alter table orders add column content_deleted_ms bigint;               -- when retention deleted what it said
create index orders_by_mobile on orders (handler_mobile_digest, created_ms desc, number desc);
create index orders_unsealed on orders (number) where sealed is null;

-- Keyed digests of numbers in orders, by which an order is found by a whole id number or credit code.
create table order_marks (
    digest       text   not null,
    order_number text   not null references orders (number),
    primary key (digest, order_number)
);
create index order_marks_by_order on order_marks (order_number);
