-- 复核: who scanned a parcel's keys beside its waybill, and when. Null until then.
alter table parcels add column packed_ms bigint;
alter table parcels add column packed_by text;      -- operator:<name>
create index parcels_packed on parcels (packed_ms);
-- Orders that wait for something, by how long.
create index orders_by_change on orders (programme, state, changed_ms);
