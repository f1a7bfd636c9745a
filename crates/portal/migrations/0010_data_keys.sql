-- The keys under which personal data is encrypted, wrapped by the vault. The highest number seals; every one opens what it sealed.

create table data_keys (
    number      bigint not null primary key,   -- 1, 2, 3 …
    wrapped     blob   not null,               -- 64 bytes wrapped under the context data-key:<number>: 32 to seal, 32 for digests
    created_ms  bigint not null
);
