export * from "./spec.ts";
