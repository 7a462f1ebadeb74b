//! The reports as their readers see them: exact texts, and what must never
//! appear in one.

mod csv;
mod history;
mod html;
mod json;
mod markdown;
mod naughty;
mod pages;
mod progress;
mod samples;
mod text;
