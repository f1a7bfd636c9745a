-- Pictures of papers, one an owner and kind, and the one-time links by which a phone sends one.

create table pictures (
    id         text   not null primary key,    -- 32 random hex digits
    owner      text   not null,                -- number of a draft or an order
    first_owner text  not null,                -- the owner when it came; a draft's pictures become its order's
    kind       text   not null,                -- pictures::PictureKind::code()
    sealed     blob   not null,                -- JPEG without metadata, sealed under picture:<id>
    bytes      bigint not null,                -- of the JPEG
    width      bigint not null,
    height     bigint not null,
    source     text   not null,                -- keyed digest of what was sent
    sheet      text,                           -- what the code on a letter or sheet said; empty: none was found; null: no letter
    created_ms bigint not null,
    unique (owner, kind)
);
create index pictures_by_time on pictures (created_ms);

create table upload_links (
    token_hash text   not null primary key,    -- SM3 of the token, hex: the table does not let anyone in
    owner      text   not null,
    kind       text   not null,
    tries      bigint not null,                -- uploads begun by it
    used_ms    bigint,                         -- when it brought its picture
    expires_ms bigint not null,
    unique (owner, kind)
);
create index upload_links_by_expiry on upload_links (expires_ms);
