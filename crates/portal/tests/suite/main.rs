//! Everything of the portal, in one program: as many programs would each compile the web side and the database anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::needless_update)]

mod bench;
mod shop;

mod api;
mod attention;
mod cli;
mod codes;
mod corrections;
mod invoices;
mod languages;
mod many_orders;
mod messages;
mod money;
mod my_orders;
mod operators;
mod order_form;
mod order_pages;
mod order_twice;
mod packing;
mod pages;
mod paper;
mod payments;
mod pictures;
mod processes;
mod programmes;
mod review;
mod sealing;
mod stations;
mod watched;
mod webhooks;
