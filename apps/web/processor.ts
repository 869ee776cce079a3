// Loaded only where the page finds no adapter: most visitors never need it.
export { findCpu } from "#engine";
