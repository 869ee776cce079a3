// An adapter's name as its driver gives it; some give only vendor and architecture, some nothing.
import type { AdapterDescription } from "#engine";

type Named = Pick<AdapterDescription, "vendor" | "architecture" | "description">;

export const adapterName = ({ vendor, architecture, description }: Named): string =>
  description || [vendor, architecture].filter((part) => part !== "").join(" ") || "unnamed adapter";
