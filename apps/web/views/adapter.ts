// An adapter's name as its driver gives it; some give only vendor and architecture, some nothing. A processor says how it computes.
import type { AdapterDescription } from "#engine";
import type { Words } from "../words/index.ts";

type Named = Pick<AdapterDescription, "backend" | "vendor" | "architecture" | "description">;

export const adapterName = ({ panel }: Words, { backend, vendor, architecture, description }: Named): string =>
  (backend === "wasm" ? panel.processor(description) : description) ||
  [vendor, architecture].filter((part) => part !== "").join(" ") ||
  panel.unnamedAdapter;

/** What stands in for a GPU, beside its name; null: nothing has to. */
export const standIn = (
  { panel }: Words,
  { backend, isFallback }: Pick<AdapterDescription, "backend" | "isFallback">,
): string | null => (backend === "wasm" ? panel.noGpu : isFallback ? panel.softwareAdapter : null);
