//! All integration tests, as one binary.

// `cfg(test)` lets clippy know that functions here may unwrap as tests do.
#[cfg(test)]
mod architecture;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod config;
#[cfg(test)]
mod custom_provider;
#[cfg(test)]
mod engine;
#[cfg(test)]
mod http;
#[cfg(test)]
mod http_tokens;
#[cfg(test)]
mod joined_date;
#[cfg(test)]
mod pace;
#[cfg(test)]
mod paging;
#[cfg(test)]
mod privacy;
#[cfg(test)]
mod privacy_login;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod providers;
#[cfg(test)]
mod quickstart;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod report;
#[cfg(test)]
mod sandbox;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod source;
#[cfg(test)]
mod store;
#[cfg(test)]
mod support;
#[cfg(test)]
mod third_party;
#[cfg(test)]
mod vendor_sdk;
#[cfg(test)]
mod wire;
