-- Payments by Alipay: one row an attempt; at most one of an order is open.

create table payments (
    out_trade_no text   not null primary key,  -- <order number>_<attempt>: our number at Alipay, its idempotency key
    order_number text   not null references orders (number),
    attempt      bigint not null,              -- 1, 2, 3 … within the order
    amount_fen   bigint not null,              -- what is due
    state        text   not null,              -- open | paid | closed | refunded
    qr_code      text,                         -- the code's text; null until Alipay gave it
    trade_no     text,                         -- Alipay's number, once paid
    paid_fen     bigint,                       -- what arrived
    trouble      text,                         -- null | amount (other than due) | surplus (the order needs it not)
    created_ms   bigint not null,
    expires_ms   bigint not null,              -- closed by us from then on
    next_ms      bigint not null,              -- when Alipay is asked next, while open
    paid_ms      bigint,                       -- by Alipay's clock
    unique (order_number, attempt)
);
create unique index payments_one_open on payments (order_number) where state = 'open';
create index payments_due on payments (state, next_ms);
create index payments_by_time on payments (paid_ms);

-- Money that goes back: one refund a payment, always the whole.
create table refunds (
    out_request_no text   not null primary key, -- <out_trade_no>R: the idempotency key at Alipay
    out_trade_no   text   not null unique references payments (out_trade_no),
    order_number   text   not null references orders (number),
    amount_fen     bigint not null,
    state          text   not null,            -- wanted | done | stuck (waits for an operator)
    reason         text   not null,
    who            text   not null,            -- operator:<name> | system
    answer         text   not null,            -- Alipay's last sub code; empty before one came
    tries          bigint not null,
    next_ms        bigint not null,            -- when it is tried next, while wanted
    created_ms     bigint not null,
    done_ms        bigint
);
create index refunds_due on refunds (state, next_ms);
create index refunds_by_order on refunds (order_number);

-- Notices that Alipay signed, and what became of each; the newest alone are kept.
create table payment_notices (
    notify_id    text   not null,
    out_trade_no text   not null,
    status       text   not null,              -- paid | waiting | closed
    amount_fen   bigint not null,
    outcome      text   not null,              -- what `payments::Outcome` says
    at_ms        bigint not null,
    primary key (notify_id, out_trade_no, status, amount_fen)
);
create index payment_notices_by_time on payment_notices (at_ms);
