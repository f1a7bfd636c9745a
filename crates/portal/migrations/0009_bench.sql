-- What staff at the stations decide and count: what was stopped after too many bad keys, and the shifts.

-- The last word of a station on each of its breakers.
create table breakers (
    station    text   not null,
    scope      text   not null,                -- slot | hub | lot
    name       text   not null,                -- of the slot, the hub or the lot
    open       bigint not null,                -- 1 = stopped, 0 = reset
    detail     text   not null,                -- why it was stopped, or the reason that staff gave at the reset
    changed_ms bigint not null,                -- by the station's clock
    primary key (station, scope, name)
);

create table shifts (
    station    text   not null,
    report     text   not null,                -- id of its report
    closed_ms  bigint not null,                -- by the station's clock
    difference bigint not null,                -- missing (above zero) or too many (below)
    body       text   not null,                -- wire::ShiftClosed, JSON
    primary key (station, report)
);
create index shifts_by_time on shifts (closed_ms desc, station);
