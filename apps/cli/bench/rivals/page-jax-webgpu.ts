import { enter } from "./page.ts";

enter(async () => (await import("./jax.ts")).jax("webgpu"));
