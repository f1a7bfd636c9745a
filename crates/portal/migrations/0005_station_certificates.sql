-- Certificates of stations that the broker must not let in any more.

-- Serial number of the station's certificate, hex; empty for one from before.
alter table stations add column serial text not null default '';

create table revoked_stations (
    serial     text   not null primary key,    -- hex
    station    text   not null,
    revoked_ms bigint not null
);
