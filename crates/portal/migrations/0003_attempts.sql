-- Bindings know the attempt that asked for them; a report's id is its station's own.

-- The station's name of the attempt for which the key was bound; empty for bindings from before.
alter table keys add column attempt text not null default '';

create table reports_by_station (
    station     text   not null,
    id          text   not null,               -- made by the station; unique at that station
    kind        text   not null,               -- job_ended | key_refused | label_printed
    job         text,
    body        text   not null,               -- the whole report, JSON
    received_ms bigint not null,
    refusal     text,                          -- why it could not be applied; null = applied
    primary key (station, id)
);
insert into reports_by_station (station, id, kind, job, body, received_ms, refusal)
    select station, id, kind, job, body, received_ms, refusal from reports;
drop table reports;
alter table reports_by_station rename to reports;
create index reports_by_job on reports (job, received_ms);
create index reports_by_time on reports (received_ms desc, id desc);
