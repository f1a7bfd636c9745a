-- The station side: stations, keys, certificates, reports, parcels. Only bigint, text and blob; times are milliseconds since 1970 (UTC).
-- jobs.state knows one word more from here on: stuck (too many keys were spoiled on it; an operator looks).

create table stations (
    name        text   not null primary key,   -- the common name of its certificate
    state       text   not null,               -- active | disabled
    sealing_key text   not null,               -- its SM2 public key, X||Y, 128 hex digits
    certificate text   not null,               -- its TLS certificate, PEM
    enrolled_ms bigint not null
);

create table enrolments (
    code_hash    text   not null primary key,  -- SM3 of the one-time code, hex: the table enrols nobody
    station      text   not null,
    created_ms   bigint not null,
    expires_ms   bigint not null,
    request_hash text,                         -- SM3 of the keys it was used with; null = not used
    answer       text                          -- what was answered, JSON
);
create index enrolments_by_expiry on enrolments (expires_ms);

-- Every key that was ever bound to a job. A row is never deleted.
create table keys (
    key_id     text   not null primary key,    -- maker/model/serial
    state      text   not null,                -- blank | bound | issued | spoiled
    job        text   references jobs (job),   -- null while blank
    station    text   not null,                -- which station had it last
    profile    text   not null,
    reason     text   not null,                -- why it is spoiled; else empty
    changed_ms bigint not null
);
create unique index keys_one_live_a_job on keys (job) where state in ('bound', 'issued');
create index keys_by_state on keys (state, changed_ms);

create table certificates (
    request_id      text   not null primary key,
    job             text   not null references jobs (job),
    key_id          text   not null references keys (key_id),
    key_xy          text   not null unique,    -- the signing public key, X||Y, hex: a key is certified once
    sign_serial     text   not null unique,
    enc_serial      text   not null unique,
    sign_der        blob   not null,
    enc_der         blob   not null,
    enveloped_der   blob   not null,
    wrapped_enc_key blob   not null,           -- the encryption private key for recovery, wrapped by the vault
    issued_ms       bigint not null,
    revoked_ms      bigint,
    revoked_reason  text
);
create index certificates_by_job on certificates (job, key_id);
create index certificates_revoked on certificates (revoked_ms) where revoked_ms is not null;

create table reports (
    id          text   not null primary key,   -- made by the station of job, key and event
    station     text   not null,
    kind        text   not null,               -- job_ended | key_refused | label_printed
    job         text,
    body        text   not null,               -- the whole report, JSON
    received_ms bigint not null,
    refusal     text                           -- why it could not be applied; null = applied
);
create index reports_by_job on reports (job, received_ms);
create index reports_by_time on reports (received_ms desc, id desc);

create table parcels (
    order_number text   not null primary key references orders (number),
    waybill      text   not null unique,
    station      text   not null,
    body         text   not null,              -- wire::Parcel, JSON
    created_ms   bigint not null,
    printed_ms   bigint
);

-- Messages that could not be read or never be applied; the oldest go when there are too many.
create table parked (
    id       text   not null primary key,      -- SM3 of topic and payload: the same message parks once
    topic    text   not null,
    reason   text   not null,
    payload  blob   not null,                  -- its first 64 KiB
    times    bigint not null,
    first_ms bigint not null,
    last_ms  bigint not null
);
create index parked_by_time on parked (last_ms);

create table ca_keys (
    name        text   not null primary key,   -- root | issuing | transport
    certificate text   not null,               -- PEM
    wrapped_key blob   not null,               -- wrapped by the vault under the context ca:<name>
    created_ms  bigint not null
);
