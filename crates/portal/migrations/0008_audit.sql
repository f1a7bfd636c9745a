-- What was done here, chained: no row is ever changed or deleted. And where the journals of stations stood.

create table audit (
    sequence bigint not null primary key,      -- 1, 2, 3 … without a gap
    at_ms    bigint not null,
    who      text   not null,                  -- operator:<name> | import | station:<name> | command-line | system | unknown
    what     text   not null,                  -- audit::What
    subject  text   not null,                  -- an order's number, a job, a station, an operator, a lot, a report's id
    detail   text   not null,                  -- name=value …: serials and states, never a secret, a person or free text
    head     text   not null                   -- hex of SM3(head before, sequence, every field with its length before it)
);

-- Every distinct head that a station signed and sent with a report. No row is ever changed or deleted.
create table anchors (
    station     text   not null,
    station_key text   not null,               -- the SM2 key that signed it, X||Y, hex: the station may have another by now
    sequence    bigint not null,
    head        text   not null,               -- hex; two for one sequence and key are two histories of one journal
    signature   text   not null,               -- r||s, hex
    received_ms bigint not null,
    primary key (station, station_key, sequence, head)
);
