#![doc = include_str!("../README.md")]

pub mod app;
pub mod audit;
pub mod clock;
pub mod codes;
pub mod config;
pub mod customers;
pub mod db;
pub mod drafts;
pub mod enrol;
pub mod init;
pub mod invoices;
pub mod leader;
pub mod letters;
pub mod mail;
pub mod messages;
pub mod operators;
pub mod orders;
pub mod outside;
pub mod papers;
pub mod payments;
pub mod pictures;
pub mod programmes;
pub mod refunds;
pub mod retention;
pub mod review;
pub mod seal;
pub mod stations;
pub mod stock;
pub mod toml_file;
pub mod turns;
pub mod views;
pub mod web;
pub mod webhooks;

pub use app::{AppState, LIVE_MAX, StationBoard};
