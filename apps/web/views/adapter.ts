// An adapter's name as its driver gives it; some give only vendor and architecture, some nothing. A processor says how it computes.
import type { AdapterDescription } from "#engine";

type Named = Pick<AdapterDescription, "backend" | "vendor" | "architecture" | "description">;

export const adapterName = ({ backend, vendor, architecture, description }: Named): string =>
  (backend === "wasm" ? `Processor (${description})` : description) ||
  [vendor, architecture].filter((part) => part !== "").join(" ") ||
  "unnamed adapter";

/** What stands in for a GPU, beside its name; null: nothing has to. */
export const standIn = ({ backend, isFallback }: Pick<AdapterDescription, "backend" | "isFallback">): string | null =>
  backend === "wasm" ? "no GPU" : isFallback ? "software adapter" : null;
