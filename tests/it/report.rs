//! The reports as their readers see them: exact texts, and what must never
//! appear in one.

mod history;
mod json;
mod pages;
mod progress;
mod samples;
mod text;
