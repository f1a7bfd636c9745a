-- Which empty form a draft was opened with: a random word in it. Sent twice it is one draft.

alter table drafts add column form text not null default '';
