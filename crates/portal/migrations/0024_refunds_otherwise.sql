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
alter table refund_requests add column by_hand bigint not null default 0; -- 1: approved, and finance transfers the money; 2: it was sent back
                                                                          -- at Alipay, and finance looks whether more came otherwise
alter table refund_requests add column transfer text;                     -- the transfer's number, once it was made; '-': there was none to make
alter table refund_requests add column transfer_by text;                  -- operator's name
alter table refund_requests add column transfer_ms bigint;

-- What was approved before: nobody was told to transfer it.
update refund_requests set by_hand = 1 where state = 'approved'
    and exists (select 1 from orders o where o.number = order_number and o.state = 'refunded')
    and not exists (select 1 from payments p where p.order_number = refund_requests.order_number
        and p.state in ('paid', 'refunded') and (p.trouble is null or p.trouble = 'gone'));
