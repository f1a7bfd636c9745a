-- Refunds that Alipay refuses, given back another way: one person says how, another confirms it.
create table refunds_otherwise (
    out_request_no text   not null primary key references refunds (out_request_no),
    reference      text   not null,            -- the transfer's number, as the first wrote it
    told_by        text   not null,            -- operator's name
    told_ms        bigint not null,
    confirmed_by   text,                       -- operator's name; with it the refund is done
    confirmed_ms   bigint
);

-- What an order was paid with by no service goes back by a transfer.
alter table refund_requests add column by_hand bigint not null default 0; -- 1: approved, and finance transfers the money
alter table refund_requests add column transfer text;                     -- the transfer's number, once it was made
alter table refund_requests add column transfer_by text;                  -- operator's name
alter table refund_requests add column transfer_ms bigint;
